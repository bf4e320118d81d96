"""HTTP connections that check addresses, can be interrupted, and count the bytes they receive.

The meter is that of the thread that sends the request, if it has one.
"""

import contextlib
import http.client
import io
import math
import re
import socket
import time
from functools import partial
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from requests.utils import select_proxy
from urllib3 import exceptions
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError
from urllib3.response import HTTPResponse
from urllib3.util import parse_url

from spark_keyframes.storage.access import Access
from spark_keyframes.storage.addresses import resolve
from spark_keyframes.storage.download import meter
from spark_keyframes.storage.download.interrupt import register
from spark_keyframes.storage.package_logs import redact_logs

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_SHORT = 5  # digits: a redirect's body below 100 KB is read, so that its connection is kept
_MOST_COOKIES, _LONGEST_COOKIE = 50, 4096  # as in browsers, per response; characters
LONGEST_ERROR = 64 << 10  # bytes of an error's body that an SDK may read


redact_logs()


def mount(session: requests.Session, connections: int, access: Access | None = None) -> None:
    """Make a session use the connections of this module.

    Args:
        session: the session to change.
        connections: the number of connections that are kept open.
        access: checked for each request and redirect: the URL, and before connecting all addresses
            to which the host resolves. None for addresses that the operator has configured.
    """
    adapter = _Adapter(connections, access)
    session.mount("http://", adapter)
    session.mount("https://", adapter)


def pools(access: Access | None = None) -> dict[str, Any]:
    """Return the classes of urllib3's pools by scheme, whose connections are of this module."""
    return {
        "http": partial(_HttpPool, access=access),
        "https": partial(_HttpsPool, access=access),
    }


class _Reader(io.RawIOBase):
    """The data of a connection, within a deadline."""

    def __init__(self, raw: io.RawIOBase, sock: Any) -> None:
        self._raw, self._sock = raw, sock

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._raw.close()
        super().close()


class _CountedReader(_Reader):
    """Data that a meter counts. No wait goes beyond the meter's deadline."""

    def __init__(self, raw: io.RawIOBase, sock: Any, counter: meter.Meter) -> None:
        super().__init__(raw, sock)
        self._meter = counter

    def readinto(self, buffer: "WriteableBuffer", /) -> int | None:
        self._meter.check_time()
        left, timeout = self._meter.seconds_left(), self._sock.gettimeout()
        if timeout is None or left < timeout:
            self._sock.settimeout(max(left, 0.001))
        try:
            with self._meter.waiting():
                count = self._raw.readinto(buffer)
        except TimeoutError:
            self._meter.check_time()
            raise
        self._meter.received(count or 0)
        return count


class _TimedReader(_Reader):
    """An answer to an upload. All of it has the time of one wait."""

    def __init__(self, raw: io.RawIOBase, sock: Any) -> None:
        super().__init__(raw, sock)
        self._end = time.monotonic() + (sock.gettimeout() or math.inf)

    def readinto(self, buffer: "WriteableBuffer", /) -> int | None:
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer did not arrive in time")
        self._sock.settimeout(left)
        return self._raw.readinto(buffer)


class _Response(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        counter, raw = meter.current(), self.fp.detach()
        # From the status line on, because headers too may arrive one byte at a time.
        self.fp = io.BufferedReader(
            _TimedReader(raw, sock) if counter is None else _CountedReader(raw, sock, counter)
        )

    def _read_next_chunk_size(self) -> int:
        size: int = super()._read_next_chunk_size()  # type: ignore[misc]
        if size < 0:
            # http.client would read up to the end of the connection, into memory.
            raise ValueError(f"negative size of a chunk: {size}")
        return size


class _Http(HTTPConnection):
    response_class = _Response

    def __init__(self, *args: Any, access: Access | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._access = access

    def getresponse(self) -> HTTPResponse:  # type: ignore[override] # as in urllib3
        register(self.sock)
        return super().getresponse()

    def _new_conn(self) -> socket.socket:
        # The operator has configured the proxy. The adapter has checked the target.
        if self._access is None or self.proxy is not None:
            return self._connect()
        name, failure = self._dns_host, None
        try:
            addresses = resolve(name, self.port)
        except socket.gaierror as error:
            raise _unresolved(self.host, self, error) from error
        self._access.check_addresses(self.host, addresses)
        for address in addresses:
            if (counter := meter.current()) is not None:
                counter.check_time()
            # Connect to the checked address: the name could resolve to another one now. The name is
            # restored for TLS, which compares it with the certificate.
            self._dns_host = address
            try:
                return self._connect()
            except (NewConnectionError, ConnectTimeoutError) as error:
                failure = error
            finally:
                self._dns_host = name
        raise failure or NewConnectionError(self, "the host has no address")

    def _connect(self) -> socket.socket:
        # The timeout applies to the whole handshake of TLS too.
        left = max(meter.seconds_left(), 0.001)
        self.timeout = left if self.timeout is None else min(self.timeout, left)
        return super()._new_conn()


def _unresolved(host: str, connection: _Http, error: socket.gaierror) -> NewConnectionError:
    """Return urllib3's error for a name without an address. Its class of its own came with 2.0."""
    known = getattr(exceptions, "NameResolutionError", None)
    if known is not None:
        unresolved: NewConnectionError = known(host, connection, error)
        return unresolved
    return NewConnectionError(connection, f"Failed to resolve {host!r} ({error})")


class _Https(_Http, HTTPSConnection):
    pass


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _Https


class _Adapter(HTTPAdapter):
    def __init__(self, connections: int, access: Access | None) -> None:
        self._access = access
        self._pools = pools(access)
        self._proxied: set[str | None] = set()
        """Hosts that were checked before a request through a proxy."""
        super().__init__(pool_connections=connections, pool_maxsize=connections)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = self._pools
        return manager

    def build_response(self, req: requests.PreparedRequest, resp: Any) -> requests.Response:
        """Return the response, without cookies that are longer or more than browsers keep."""
        headers: Any = getattr(getattr(resp, "_original_response", None), "msg", None)
        cookies = headers.get_all("Set-Cookie", []) if headers else []
        if len(cookies) > _MOST_COOKIES or any(len(cookie) > _LONGEST_COOKIE for cookie in cookies):
            del headers["Set-Cookie"]  # parsing them takes seconds, and may print a traceback
        response: requests.Response = super().build_response(req, resp)
        return response

    def send(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> requests.Response:
        url = request.url or ""
        if self._access is not None:
            self._access.check_url(url)
            host = parse_url(url).host or ""
            # Ask no name server for such a name. It may be a password with an unescaped "/".
            if not host.startswith("[") and re.search(r"[^\w.-]", host):
                raise requests.exceptions.InvalidURL
            if select_proxy(url, kwargs.get("proxies")):
                self._check_proxied(self._access, host)
        response = super().send(request, *args, **kwargs)
        if response.is_redirect and not _is_short(response):
            # requests would read and decompress this body, however long it is.
            response.raw.close()
        elif self._access is None and response.status_code >= requests.codes.multiple_choices:
            _cut(response)
        return response

    def _check_proxied(self, access: Access, host: str) -> None:
        """Check the addresses to which a proxy connects, if the name resolves the same here."""
        if host not in self._proxied:
            # A name that only the proxy resolves cannot be checked.
            with contextlib.suppress(OSError, UnicodeError):
                access.check_addresses(host, resolve(host, None))
            self._proxied.add(host)


def _cut(response: requests.Response) -> None:
    """Keep only the start of an error's body. The TOS SDK would read it to its end."""
    try:
        body = response.raw.read(LONGEST_ERROR, decode_content=True)
    except HTTPError as error:
        raise requests.exceptions.ChunkedEncodingError(error) from None
    response.raw.close()
    for name in ("Content-Length", "Content-Encoding"):  # not those of what is left
        response.headers.pop(name, None)
    response._content, response._content_consumed = body, True  # type: ignore[attr-defined]


def _is_short(response: requests.Response) -> bool:
    length = response.headers.get("Content-Length", "")
    coded = response.headers.get("Content-Encoding") or response.headers.get("Transfer-Encoding")
    return not coded and length.isdecimal() and len(length) <= _SHORT
