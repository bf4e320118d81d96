"""Sends the log lines of child processes to the process that runs the query.

Daft's native runner shows what its actors print only beside its progress bar, and drops it where
there is no terminal. So the actors send their log lines over a Unix socket.
"""

import atexit
import functools
import json
import logging
import os
import shutil
import socket
import tempfile
import threading
from pathlib import Path

logger = logging.getLogger("spark_keyframes")

_CHARACTERS = 30_000  # up to 6 bytes each in JSON; a Unix socket takes datagrams of about 200 KB
_LONGEST_FOLDER = 70  # bytes; the address of a Unix socket has at most 107, on macOS 103
_SECONDS = 5.0


@functools.cache
def log_address() -> str:
    """Return the address that `log_to` takes in child processes: a socket in a private folder."""
    is_long = len(os.fsencode(tempfile.gettempdir())) > _LONGEST_FOLDER
    short = "/tmp" if is_long else None  # noqa: S108 - mkdtemp makes a private folder in it
    folder = tempfile.mkdtemp(prefix="keyframes-log-", dir=short)
    address = str(Path(folder) / "socket")
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind(address)
    thread = threading.Thread(target=_receive, args=(receiver,), name="keyframes-log", daemon=True)
    thread.start()
    atexit.register(_end, receiver, thread, folder, os.getpid())
    return address


def log_level() -> int:
    """Return the lowest level that the log of this process shows."""
    return logger.getEffectiveLevel()


def log_to(address: str, level: int) -> None:
    """Send the log lines of this process from `level` on to `address`, and nowhere else."""
    for handler in [each for each in logger.handlers if isinstance(each, _Sender)]:
        logger.removeHandler(handler)
    logger.addHandler(_Sender(address))
    logger.setLevel(level)
    logger.propagate = False


class _Sender(logging.Handler):
    def __init__(self, address: str) -> None:
        super().__init__()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(_SECONDS)
        self._address = address

    def emit(self, record: logging.LogRecord) -> None:
        line = json.dumps([record.levelno, self.format(record)[:_CHARACTERS]])
        try:
            self._socket.sendto(line.encode(), self._address)
        except OSError:  # the receiver has ended
            self.handleError(record)


def _receive(receiver: socket.socket) -> None:
    while line := receiver.recv(2**18):
        level, text = json.loads(line)
        logger.log(level, "%s", text)


def _end(receiver: socket.socket, thread: threading.Thread, folder: str, owner: int) -> None:
    """Log the lines that were sent already, and remove the socket."""
    if os.getpid() != owner:  # a fork: the socket is its parent's
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"", str(Path(folder) / "socket"))
    thread.join(_SECONDS)
    receiver.close()
    shutil.rmtree(folder, ignore_errors=True)
