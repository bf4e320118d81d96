"""Interrupts another thread that waits for the network, for an answer or for more of a body."""

import contextlib
import socket
import threading
from concurrent.futures import Future
from typing import Any

_connections: dict[int, Any] = {}
"""The last connection on which each thread, by its ident, sent a request."""


def interrupt(thread: threading.Thread) -> None:
    """End a thread's wait for the network: the thread gets the error of a lost connection.

    A connection that is still being opened is not registered, and ends by its own timeout.
    """
    sock = _connections.get(thread.ident or 0)
    if isinstance(sock, Future):
        sock.cancel()
    # TLS to a TLS proxy is an object that is no socket, but has one.
    sock = getattr(sock, "socket", sock)
    if isinstance(sock, socket.socket):
        with contextlib.suppress(OSError):
            # Not sock.shutdown(): for TLS it drops the state that the other thread reads with.
            socket.socket.shutdown(sock, socket.SHUT_RDWR)


def register(connection: Any) -> None:
    """Make `connection` the one that `interrupt` ends for the calling thread."""
    _connections[threading.get_ident()] = connection


def unregister() -> Any:
    """Forget the calling thread's connection, and return it or None.

    Call this when the request is done, because another thread may use the connection next.
    """
    return _connections.pop(threading.get_ident(), None)
