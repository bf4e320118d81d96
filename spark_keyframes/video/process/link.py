"""Messages between the engine and a decoding process: JSON, and descriptors of files.

JSON and not pickle: what decodes a stranger's bytes must not be able to run code in the engine.
"""

from __future__ import annotations

import json
import os
import socket
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle, send_handle
from typing import Any

_LONGEST = 1 << 20  # bytes of a message


class Link:
    """One end of the connection; for one thread at a time."""

    def __init__(self, descriptor: int) -> None:
        self._connection = Connection(descriptor)

    @classmethod
    def pair(cls) -> tuple[Link, socket.socket]:
        """A connection: this end, and the socket of the other."""
        here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        return cls(here.detach()), there

    def send(self, message: dict[str, Any], *, descriptor: int | None = None) -> None:
        """Send a message, and then a descriptor; OSError where nobody is left to read it."""
        self._connection.send_bytes(json.dumps(message).encode())
        if descriptor is not None:
            send_handle(self._connection, descriptor, None)

    def receive(self, timeout: float | None = None) -> dict[str, Any] | None:
        """The next message; None after `timeout` seconds without one.

        Raises EOFError or OSError where nobody is left to send one, ValueError for what is none.
        """
        if timeout is not None and not self._connection.poll(timeout):
            return None
        message = json.loads(self._connection.recv_bytes(_LONGEST))
        if not isinstance(message, dict):
            raise ValueError(f"not a message: {message!r}")
        return message

    def receive_descriptor(self) -> int:
        """The descriptor that follows a message; the caller closes it."""
        descriptor: int = recv_handle(self._connection)
        os.set_inheritable(descriptor, False)
        return descriptor

    def close(self) -> None:
        """Close this end."""
        self._connection.close()
