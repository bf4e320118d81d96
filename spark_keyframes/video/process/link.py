"""Messages between the engine and a decode process: JSON, and file descriptors.

JSON, not pickle: a process that decodes untrusted data must not be able to run code in the engine.
"""

from __future__ import annotations

import json
import os
import socket
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle, send_handle
from typing import Any

_MAX_MESSAGE = 1 << 20  # bytes


class Link:
    """One end of the connection. For one thread at a time."""

    def __init__(self, descriptor: int) -> None:
        self._connection = Connection(descriptor)

    @classmethod
    def pair(cls) -> tuple[Link, socket.socket]:
        """Return the two ends of a new connection: a link, and the socket for the other process."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        return cls(ours.detach()), theirs

    def send(self, message: dict[str, Any], *, descriptor: int | None = None) -> None:
        """Send a message, followed by a file descriptor if one is given.

        Raises:
            OSError: the other end is closed.
        """
        self._connection.send_bytes(json.dumps(message).encode())
        if descriptor is not None:
            send_handle(self._connection, descriptor, None)

    def receive(self, timeout: float | None = None) -> dict[str, Any] | None:
        """Return the next message; None after `timeout` seconds without one.

        Raises:
            EOFError, OSError: the other end is closed.
            ValueError: the message is not a JSON object.
        """
        if timeout is not None and not self._connection.poll(timeout):
            return None
        message = json.loads(self._connection.recv_bytes(_MAX_MESSAGE))
        if not isinstance(message, dict):
            raise ValueError(f"not a JSON object: {message!r}")
        return message

    def receive_descriptor(self) -> int:
        """Return the file descriptor that follows a message; the caller closes it."""
        descriptor: int = recv_handle(self._connection)
        os.set_inheritable(descriptor, False)
        return descriptor

    def close(self) -> None:
        """Close this end."""
        self._connection.close()
