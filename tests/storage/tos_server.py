"""A small TOS on loopback, for tests with the real SDK: no emulator of the service exists.

It checks every signature (TOS4-HMAC-SHA256) with code written from the documented algorithm
(https://www.volcengine.com/docs/6349/74839), not with the SDK's own signer, and keeps objects in
memory. Clients reach it as an HTTP proxy, so that buckets are true virtual hosts
(`http://bucket.tos-cn-test.local/key`) and nothing in the code under test knows of it:

    with TosServer(buckets=["photos"]) as server:
        server.apply(monkeypatch)  # sets each item of server.environment
        write_url("tos://photos/a.jpg", b"...", content_type="image/jpeg")
        assert server.objects["photos", "a.jpg"] == b"..."

Other processes, such as Spark's Python workers, use it in the same way, when they are started with
`server.environment`: it serves each connection in a thread of its own.

`server.faults` holds what goes wrong with the next requests, one each, first to last:

| fault | what the client sees |
|---|---|
| "none" | nothing goes wrong |
| an int, such as 503 | that status, with an error body |
| "reset" | the connection closed before any answer; nothing is stored |
| "stored, reset" | the same, but the request was carried out: its answer is lost |
| "truncate" | the first half of the body, then the connection closed |
| "corrupt" | the body with one bit turned, under the checksum of the true one |
| "replaced" | the object is another from now on |
| "garbage" | status 500 with a body that is not even text |
"""

import datetime
import functools
import hashlib
import hmac
import json
import re
import socket
import threading
from collections import deque
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, quote, unquote, urlsplit

HOST = "tos-cn-test.local"


class TosServer:
    """The server; a context manager.

    Attributes:
        objects: what is stored, (bucket, key) → bytes; may be written to by the test.
        content_types: the media type of each stored object.
        environment: the environment variables that lead a client here, with valid keys.
        answers: (method, bucket, key, status) of each request; status 0: closed without answer.
        ranges: the Range header of each GET that was answered with a part.
        faults: see the module.
    """

    def __init__(
        self,
        *,
        buckets: Iterable[str] = ("bucket",),
        access_key: str = "test-access-key",
        secret_key: str = "test-secret-key",
        security_token: str = "",
        region: str = "cn-test",
    ) -> None:
        self.buckets = set(buckets)
        self.access_key, self.secret_key = access_key, secret_key
        self.security_token, self.region = security_token, region
        self.objects: dict[tuple[str, str], bytes] = {}
        self.content_types: dict[tuple[str, str], str] = {}
        self.answers: list[tuple[str, str, str, int]] = []
        self.ranges: list[str] = []
        self.faults: deque[int | str] = deque()
        self._http = _Server(("127.0.0.1", 0), _Handler)
        self._http.tos = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    @property
    def requests(self) -> int:
        """How many requests have come in."""
        return len(self.answers)

    @property
    def environment(self) -> dict[str, str]:
        proxy = f"http://127.0.0.1:{self._http.server_port}"
        return {
            "ACCESS_KEY": self.access_key,
            "SECRET_KEY": self.secret_key,
            "TOS_SECURITY_TOKEN": self.security_token,
            "TOS_ENDPOINT": f"http://{HOST}",
            "TOS_REGION": self.region,
            # Keys that the machine has for the real service stay out of the test.
            "TOS_ACCESS_KEY": "",
            "TOS_SECRET_KEY": "",
            "http_proxy": proxy,
            "HTTP_PROXY": proxy,
            # Replaces what the machine excludes; loopback never goes through a proxy.
            "no_proxy": "127.0.0.1,localhost",
            "NO_PROXY": "127.0.0.1,localhost",
        }

    def apply(self, monkeypatch: Any) -> None:
        """Set `environment` in this process for the length of a test."""
        for name, value in self.environment.items():
            monkeypatch.setenv(name, value)


class _Server(ThreadingHTTPServer):
    tos: TosServer
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet about clients that went away."""


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

    def do_HEAD(self) -> None:
        self._handle()

    def _handle(self) -> None:
        tos = self.server.tos
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        # As a proxy it gets the whole URL; the path is taken as it came, still encoded.
        self.raw_path, _, self.query = re.sub("^http://[^/?]*", "", self.path).partition("?")
        host = self.headers["Host"]
        self.bucket = host.removesuffix(f".{HOST}")
        self.key = unquote(self.raw_path.removeprefix("/"))
        if urlsplit(self.path).netloc != host or self.bucket == host:
            self._error(400, "InvalidHost")
            return
        fault = tos.faults.popleft() if tos.faults else None
        if isinstance(fault, int):
            self._error(fault, "ServiceUnavailable" if fault == 503 else "TestError")
        elif fault == "garbage":
            self._answer(500, b"\xff\xfe\x80")
        elif fault == "reset":
            self._hang_up()
        elif refused := refusal(tos, self.command, self.raw_path, self.query, self.headers, body):
            self._error(*refused)
        elif self.bucket not in tos.buckets:
            self._error(404, "NoSuchBucket")
        elif self.command == "PUT":
            self._put(body, fault)
        else:
            self._get(fault)

    def _put(self, body: bytes, fault: str | None) -> None:
        tos, name = self.server.tos, (self.bucket, self.key)
        tos.content_types[name] = self.headers.get("Content-Type", "")
        tos.objects[name] = body
        if fault == "stored, reset":
            self._hang_up()
        else:
            self._answer(200, headers={"x-tos-hash-crc64ecma": str(crc64(body))})

    def _get(self, fault: str | None) -> None:
        body = self.server.tos.objects.get((self.bucket, self.key))
        if body is None:
            self._error(404, "NoSuchKey")
            return
        if fault == "replaced":
            body = self.server.tos.objects[self.bucket, self.key] = body[::-1]
        tag = f'"{hashlib.sha256(body).hexdigest()}"'
        headers = {"ETag": tag, "x-tos-hash-crc64ecma": str(crc64(body))}
        # The service takes it with quotes and without; the SDK sends it without.
        if self.headers.get("If-Match", tag).strip('"') != tag.strip('"'):
            self._error(412, "PreconditionFailed")
            return
        status, part = 200, body
        if asked := re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")):
            start, stop = int(asked[1]), min(int(asked[2]) + 1, len(body))
            if start >= len(body):
                self._error(416, "InvalidRange")
                return
            status, part = 206, body[start:stop]
            self.server.tos.ranges.append(asked[0])
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(body)}"
        if fault == "truncate":
            self._answer(status, part, headers, send=len(part) // 2)
            self._hang_up(answered=True)
        elif fault == "corrupt":
            self._answer(status, bytes([part[0] ^ 1]) + part[1:], headers)
        else:
            self._answer(status, part, headers)

    def _error(self, status: int, code: str) -> None:
        # The service repeats what was signed; a message of ours must not.
        message = f"{code}: key {self.server.tos.access_key}"
        self._answer(status, json.dumps({"Code": code, "Message": message}).encode())

    def _answer(
        self,
        status: int,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        *,
        send: int | None = None,
    ) -> None:
        self.server.tos.answers.append((self.command, self.bucket, self.key, status))
        self.send_response(status)
        self.send_header("x-tos-request-id", f"request-{self.server.tos.requests}")
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[:send])

    def _hang_up(self, *, answered: bool = False) -> None:
        if not answered:
            self.server.tos.answers.append((self.command, self.bucket, self.key, 0))
        self.close_connection = True
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_RDWR)


def refusal(
    tos: TosServer, method: str, raw_path: str, query: str, headers: Any, body: bytes
) -> tuple[int, str] | None:
    """Check a request's signature; return status and error code, or None where it is good."""
    match = re.fullmatch(
        r"TOS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/tos/request, ?"
        r"SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})",
        headers.get("Authorization", ""),
    )
    if not match:
        return 403, "AccessDenied"
    access_key, day, region, signed, signature = match.groups()
    names = signed.split(";")
    date = headers.get("x-tos-date", "")
    present = {name.lower() for name in headers if name.lower().startswith("x-tos-")}
    # What the client retries with may be left out; whatever decides about access may not.
    present.discard("x-sdk-retry-count")
    if names != sorted(names) or not {"host", "x-tos-date", *present} <= set(names):
        return 403, "AccessDenied"
    if access_key != tos.access_key:
        return 403, "InvalidAccessKeyId"
    if headers.get("x-tos-security-token", "") != tos.security_token:
        return 403, "InvalidSecurityToken"
    if region != tos.region or not date.startswith(day):
        return 403, "AuthorizationHeaderMalformed"
    sent = datetime.datetime.strptime(date, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC)
    if abs(datetime.datetime.now(datetime.UTC) - sent) > datetime.timedelta(minutes=15):
        return 403, "RequestTimeTooSkewed"

    payload = headers.get("x-tos-content-sha256", "UNSIGNED-PAYLOAD")
    if payload not in ("UNSIGNED-PAYLOAD", hashlib.sha256(body).hexdigest()):
        return 400, "XTosContentSHA256Mismatch"
    canonical_request = "\n".join(
        [
            method,
            quote(unquote(raw_path), safe="/~"),
            "&".join(
                f"{quote(name, safe='~')}={quote(value, safe='~')}"
                for name, value in sorted(parse_qsl(query, keep_blank_values=True))
            ),
            *(f"{name}:{headers[name].strip()}" for name in names),
            "",
            signed,
            payload,
        ]
    )
    string_to_sign = "\n".join(
        [
            "TOS4-HMAC-SHA256",
            date,
            f"{day}/{region}/tos/request",
            hashlib.sha256(canonical_request.encode()).hexdigest(),
        ]
    )
    key = tos.secret_key.encode()
    for part in (day, region, "tos", "request", string_to_sign):
        key = hmac.digest(key, part.encode(), "sha256")
    return None if hmac.compare_digest(key.hex(), signature) else (403, "SignatureDoesNotMatch")


def _table() -> list[int]:
    table = []
    for index in range(256):
        value = index
        for _ in range(8):
            value = value >> 1 ^ (0xC96C5795D7870F42 if value & 1 else 0)
        table.append(value)
    return table


_CRC_TABLE = _table()


@functools.lru_cache(64)
def crc64(data: bytes) -> int:
    """Return CRC-64/XZ (ECMA-182, reflected), the checksum that TOS keeps of every object."""
    value = 0xFFFFFFFFFFFFFFFF
    for byte in data:
        value = value >> 8 ^ _CRC_TABLE[(value ^ byte) & 0xFF]
    return value ^ 0xFFFFFFFFFFFFFFFF
