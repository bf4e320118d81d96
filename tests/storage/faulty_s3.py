"""A proxy before moto's S3 that injects faults, see `faults`.

    with FaultyS3(s3_server) as proxy:
        proxy.apply(monkeypatch)  # a client with valid keys sends its requests to the proxy
        proxy.faults.append(503)

What reaches moto is stored there, and what it answers is passed on.
"""

import base64
import contextlib
import hashlib
import http.client
import os
import re
import select
import socket
import struct
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from tests.storage.faults import Faults, Refusal
from tests.storage.s3_server import S3Server, environment_of_s3

# Headers that belong to one connection, or that this proxy writes itself.
_OWN = ("connection", "content-length", "date", "server", "transfer-encoding")


class FaultyS3:
    """The proxy, a context manager.

    Attributes:
        s3: the server behind it.
        environment: of a client with valid keys.
        answers: (method, bucket, key, status) of each request; status 0: closed without an answer.
        ranges: the Range header of each GET that was answered with a part.
        paths: the path of each request, for a client of a proxy its URL.
        headers: the headers of the latest request for each method.
        without_if_match: whether moto gets no If-Match, as its ETag is not that of `change`.
        change: (method, headers of an answer) → headers to send in their place.
        faults: see `Faults`.
        denied: prefixes of keys that are refused with 403 AccessDenied, before any other fault.
    """

    def __init__(self, s3: S3Server) -> None:
        self.s3 = s3
        self.answers: list[tuple[str, str, str, int]] = []
        self.ranges: list[str] = []
        self.paths: list[str] = []
        self.headers: dict[str, Mapping[str, str]] = {}
        self.without_if_match = False
        self.change = lambda method, headers: headers
        self.faults = Faults()
        self.denied: set[str] = set()
        self.stopping = threading.Event()
        self._http = _Server(("127.0.0.1", 0), _Handler)
        self._http.proxy = self
        self.url = f"http://127.0.0.1:{self._http.server_port}"
        self.environment = environment_of_s3(self.url)

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stopping.set()
        self._http.shutdown()
        self._http.server_close()

    def apply(self, monkeypatch: Any) -> None:
        """Set `environment` in this process for one test."""
        for name, value in self.environment.items():
            monkeypatch.setenv(name, value)


class _Server(ThreadingHTTPServer):
    proxy: FaultyS3
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing about clients that closed their connection."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = 30

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_PUT(self) -> None:
        self._handle()

    def do_GET(self) -> None:
        self._handle()

    def _handle(self) -> None:
        proxy = self.server.proxy
        length = int(self.headers.get("Content-Length", 0))
        path = unquote(self.path.partition("?")[0])
        self.bucket, _, self.key = path[1:].partition("/")
        headers = {name: value for name, value in self.headers.items() if name != "Host"}
        proxy.paths.append(self.path)
        proxy.headers[self.command] = headers
        fault = proxy.faults.next(self.command, self.bucket, self.key)
        if fault == "reset in the body" and self.command == "PUT":
            self.rfile.read(length // 2)
            self._reset()
            return
        body = self.rfile.read(length)
        if fault in ("corrupt", "corrupt in storage") and self.command == "PUT":
            body = _damaged(body)
        if fault == "corrupt in storage":
            headers["Content-MD5"] = base64.b64encode(hashlib.md5(body).digest()).decode()
        if self.key.startswith(tuple(proxy.denied)):
            self._error(403, "AccessDenied")
        elif isinstance(fault, int):
            self._error(fault, "SlowDown" if fault == 503 else "TestError")
        elif isinstance(fault, Refusal):
            self._error(fault.status, fault.code, fault.headers)
        elif fault == "not text":
            self._answer(500, b"\xff\xfe\x80")
        elif fault == "not TOS":  # and not S3
            self._answer(200, b"Log in: ")
        elif fault == "reset":
            self._hang_up()
        elif fault == "stall":
            self._stall()
        else:
            self._forward(fault, headers, body)

    def _forward(self, fault: Any, headers: dict[str, str], body: bytes) -> None:
        proxy = self.server.proxy
        if fault == "replaced":
            s3 = proxy.s3.client
            before = s3.get_object(Bucket=self.bucket, Key=self.key)["Body"].read()
            s3.put_object(Bucket=self.bucket, Key=self.key, Body=before[::-1])
        if proxy.without_if_match:
            headers.pop("If-Match", None)
        with contextlib.closing(http.client.HTTPConnection(urlsplit(proxy.s3.url).netloc)) as moto:
            moto.request(self.command, self.path, body, headers)
            answer = moto.getresponse()
            status, data = answer.status, answer.read()
        found = {name: value for name, value in answer.getheaders() if name.lower() not in _OWN}
        found = dict(proxy.change(self.command, found))
        if fault in ("no token", "same token"):
            asked = re.search(r"continuation-token=([^&]+)", self.path)
            token = b"" if fault == "no token" or not asked else unquote(asked[1]).encode()
            data = re.sub(rb"(?<=<NextContinuationToken>)[^<]*", token, data)
        if status == 206:
            proxy.ranges.append(self.headers["Range"])
        if fault == "stored, reset":
            self._hang_up()
        elif fault == "truncate" and self.command == "GET":
            self._answer(status, data, found, send=len(data) // 2)
            self._hang_up(answered=True)
        elif fault == "reset in the body":
            self._answer(status, data, found, send=len(data) // 2)
            self._reset(answered=True)
        elif fault == "corrupt" and self.command == "GET":
            self._answer(status, _damaged(data), found)
        else:
            self._answer(status, data, found)

    def _error(self, status: int, code: str, headers: Mapping[str, str] | None = None) -> None:
        # The service repeats the signed text. Messages of this package must not.
        message = f"{code}: key {self.server.proxy.environment['AWS_ACCESS_KEY_ID']}"
        text = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
        self._answer(status, text.encode(), {"x-amz-request-id": "request", **(headers or {})})

    def _answer(
        self,
        status: int,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        send: int | None = None,
    ) -> None:
        self.server.proxy.answers.append((self.command, self.bucket, self.key, status))
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body[:send])

    def _stall(self) -> None:
        while not self.server.proxy.stopping.is_set():
            # The connection is readable when the client has closed it.
            if select.select([self.connection], [], [], 0.05)[0]:
                break
        self._hang_up()

    def _reset(self, *, answered: bool = False) -> None:
        self._leave(answered)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        # Not close(): the file objects of this connection would keep it open.
        os.close(self.connection.detach())

    def _hang_up(self, *, answered: bool = False) -> None:
        self._leave(answered)
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)

    def _leave(self, answered: bool) -> None:
        self.close_connection = True
        if not answered:
            self.server.proxy.answers.append((self.command, self.bucket, self.key, 0))


def _damaged(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:] if data else data
