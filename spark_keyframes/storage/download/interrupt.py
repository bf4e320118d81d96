"""Ending another thread's wait for the network, whether for an answer or for more of a body."""

import contextlib
import socket
import threading
from typing import Any

_sockets: dict[int, Any] = {}
"""What each thread, by its ident, has last sent a request on."""


def interrupt(thread: threading.Thread) -> None:
    """End what the thread is receiving, if anything: it gets the error of a lost connection.

    A connection that is only being made is not found here, and ends by its own timeout.
    """
    sock = _sockets.get(thread.ident or 0)
    # Over a proxy by TLS there is TLS in TLS, which is no socket but has one.
    sock = getattr(sock, "socket", sock)
    if isinstance(sock, socket.socket):
        with contextlib.suppress(OSError):
            # Not sock.shutdown(): of TLS it would drop the state that the other thread reads with.
            socket.socket.shutdown(sock, socket.SHUT_RDWR)


def forget() -> Any:
    """Let go of the calling thread's connection: it is done with, and others may use it next.

    Returns it, for another thread that goes on with it; see `adopt`.
    """
    return _sockets.pop(threading.get_ident(), None)


def adopt(connection: Any) -> None:
    """Make the calling thread the one that `interrupt` finds with this connection."""
    _sockets[threading.get_ident()] = connection
