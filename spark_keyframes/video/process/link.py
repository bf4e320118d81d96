"""Messages between the engine and a decode process: JSON, each with up to one file descriptor.

JSON, not pickle: a process that decodes untrusted data must not be able to run code in the engine.
Neither `send` nor `receive` waits for more than its timeout, whatever the other end does.
"""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import time
from collections import deque
from typing import Any

from spark_keyframes.video.process.received import close_received, receive_with_descriptors

_LENGTH = struct.Struct("!i")  # of the message that follows, in bytes
_DESCRIPTOR = struct.Struct("@i")


class Link:
    """One end of the connection. For one thread at a time."""

    def __init__(self, descriptor: int, *, max_message: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._socket.setblocking(False)
        self._max_message = max_message
        """Bytes of the longest message that is received."""
        self._unsent: deque[tuple[memoryview, int | None]] = deque()
        self._received = bytearray()
        """The message that is being received, with its length."""
        self._descriptors: list[int] = []
        """Those that came with it."""

    @classmethod
    def pair(cls, *, max_message: int) -> tuple[Link, socket.socket]:
        """Return the two ends of a new connection: a link, and the socket for the other process."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        return cls(ours.detach(), max_message=max_message), theirs

    def send(self, message: dict[str, Any], *, descriptor: int | None = None) -> None:
        """Send a message, with a copy of a file descriptor if one is given. Does not wait.

        What the other end does not take at once is sent during the next calls of `receive`.

        Raises:
            OSError: the other end is closed.
        """
        body = json.dumps(message).encode()
        copy = None if descriptor is None else os.dup(descriptor)
        self._unsent.append((memoryview(_LENGTH.pack(len(body)) + body), copy))
        self._flush()

    def receive(self, timeout: float | None = None) -> tuple[dict[str, Any], int | None] | None:
        """Return the next message and its file descriptor, which the caller closes.

        Args:
            timeout: seconds after which to return None. A part of a message that has arrived by
                then is kept for the next call. None: wait for as long as it takes.

        Raises:
            EOFError, OSError: the other end is closed.
            ValueError: the message is not a JSON object, is too long, or has several descriptors.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            self._flush()
            if self._fill():
                return self._take()
            if not self._wait(deadline):
                return None

    @property
    def is_idle(self) -> bool:
        """Whether nothing is left to send or to receive, and the other end is open."""
        return not (self._received or self._unsent or self._wait(time.monotonic()))

    def close(self) -> None:
        """Close this end, with what was not sent or received. Does not wait."""
        for _, descriptor in self._unsent:
            if descriptor is not None:
                os.close(descriptor)
        self._unsent.clear()
        if self._socket.fileno() >= 0:  # not closed or detached before
            close_received([self._socket.detach(), *self._descriptors])
        self._descriptors.clear()

    def detach(self) -> None:
        """Close this end in a forked copy of its process."""
        self._socket.close()

    def _wait(self, deadline: float | None) -> bool:
        """Wait until there is something to read or to send; return whether there is."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN | (select.POLLOUT if self._unsent else 0))
        left = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
        return bool(poll.poll(left))

    def _flush(self) -> None:
        while self._unsent:
            data, descriptor = self._unsent[0]
            rights = [] if descriptor is None else [_rights(descriptor)]
            try:
                count = self._socket.sendmsg([data], rights)
            except BlockingIOError:
                return
            # The descriptor goes with the first byte.
            if descriptor is not None:
                os.close(descriptor)
            if count < len(data):
                self._unsent[0] = data[count:], None
            else:
                self._unsent.popleft()

    def _missing(self) -> int:
        """Return how many bytes of the message are still to come, as far as that is known."""
        if len(self._received) < _LENGTH.size:
            return _LENGTH.size - len(self._received)
        (length,) = _LENGTH.unpack_from(self._received)
        if not 0 < length <= self._max_message:
            raise ValueError(f"a message of {length} bytes")
        return int(length) + _LENGTH.size - len(self._received)

    def _fill(self) -> bool:
        """Receive what has arrived of the message; return whether it is complete."""
        # Never read beyond this message: a descriptor would come with bytes of two messages.
        while missing := self._missing():
            try:
                data, descriptors, is_truncated = receive_with_descriptors(self._socket, missing)
            except BlockingIOError:
                return False
            self._descriptors += descriptors
            if len(self._descriptors) > 1 or is_truncated:
                raise ValueError("several file descriptors, or too many open files to receive one")
            if not data:
                raise EOFError
            self._received += data
        return True

    def _take(self) -> tuple[dict[str, Any], int | None]:
        body = bytes(self._received[_LENGTH.size :])
        self._received.clear()
        try:
            message = json.loads(body, parse_constant=_refuse_constant)
        except RecursionError:
            raise ValueError("JSON that is nested too deeply") from None
        if not isinstance(message, dict):
            raise ValueError("not a JSON object")
        return message, self._descriptors.pop() if self._descriptors else None


def _rights(descriptor: int) -> tuple[int, int, bytes]:
    return socket.SOL_SOCKET, socket.SCM_RIGHTS, _DESCRIPTOR.pack(descriptor)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")
