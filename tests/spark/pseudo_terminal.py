"""A pseudo terminal that keeps what a program writes to it."""

import os
import threading


class PseudoTerminal:
    """A terminal of 120 columns; a context manager.

    Attributes:
        file: the descriptor that the program writes to.
        text: what was written so far.
    """

    def __enter__(self):
        import fcntl
        import pty
        import struct
        import termios

        self._reading, self.file = pty.openpty()
        fcntl.ioctl(self.file, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 120, 0, 0))
        self._parts = []
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        os.close(self.file)
        self._thread.join(30)
        os.close(self._reading)

    def _read(self):
        while True:
            try:
                part = os.read(self._reading, 65536)
            except OSError:  # no process has the other end open any more
                return
            self._parts.append(part)

    @property
    def text(self):
        return b"".join(self._parts).decode(errors="replace")
