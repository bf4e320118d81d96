"""Ending another thread's wait for the network, whether for an answer or for more of a body."""

import contextlib
import socket
import threading
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.response import HTTPResponse

_sockets: dict[int, Any] = {}
"""What each thread, by its ident, has last sent a request on."""


def mount(session: requests.Session, connections: int) -> None:
    """Make the requests of this session interruptible, with so many connections kept open."""
    adapter = _Adapter(pool_connections=connections, pool_maxsize=connections)
    session.mount("http://", adapter)
    session.mount("https://", adapter)


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


class _Http(HTTPConnection):
    def getresponse(self) -> HTTPResponse:  # type: ignore[override] # as urllib3's own
        _sockets[threading.get_ident()] = self.sock
        return super().getresponse()


class _Https(HTTPSConnection):
    def getresponse(self) -> HTTPResponse:  # type: ignore[override] # as urllib3's own
        _sockets[threading.get_ident()] = self.sock
        return super().getresponse()


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _Https


_POOLS = {"http": _HttpPool, "https": _HttpsPool}


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager
