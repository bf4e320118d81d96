"""A small TOS server on loopback, for tests with the real SDK. No emulator of TOS exists.

It checks every signature with its own code, see `tos_signature`, and keeps objects in memory. It is
an HTTP proxy for its clients. So buckets are real virtual hosts (`http://bucket.tos-cn-test.local/key`),
and the tested code needs no changes:

    with TosServer(buckets=["photos"]) as server:
        server.apply(monkeypatch)  # sets each item of server.environment
        write_url("tos://photos/a.jpg", b"...", content_type="image/jpeg")
        assert server.objects["photos", "a.jpg"] == b"..."

Other processes, such as Spark's Python workers, use it too when they are started with
`server.environment`. Each connection has its own thread.

`server.faults` injects faults, see `faults`.
"""

import base64
import hashlib
import json
import os
import re
import select
import socket
import struct
import threading
from collections.abc import Iterable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.storage.faults import Faults, Refusal
from tests.storage.tos_signature import crc64, refusal

HOST = "tos-cn-test.local"


class TosServer:
    """The server, a context manager.

    Attributes:
        objects: (bucket, key) → the stored bytes. A test may change it.
        content_types: (bucket, key) → the media type.
        environment: the environment variables of a client, with valid keys.
        answers: (method, bucket, key, status) of each request; status 0: closed without an answer.
        ranges: the Range header of each GET that was answered with a part.
        faults: see `Faults`.
        denied: prefixes of keys that are refused with 403 AccessDenied, before any other fault.
        page: the most objects in one answer to a listing.
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
        self.faults = Faults()
        self.denied: set[str] = set()
        self.page = 1000
        self.stopping = threading.Event()
        self._http = _Server(("127.0.0.1", 0), _Handler)
        self._http.tos = self
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stopping.set()
        self._http.shutdown()
        self._http.server_close()

    @property
    def requests(self) -> int:
        """The number of requests so far."""
        return len(self.answers)

    @property
    def images(self) -> dict[tuple[str, str], bytes]:
        """The objects without those of the check at the start of a task."""
        return {
            name: data
            for name, data in list(self.objects.items())
            if not name[1].endswith(".spark_keyframes_check")
        }

    @property
    def environment(self) -> dict[str, str]:
        proxy = f"http://127.0.0.1:{self._http.server_port}"
        return {
            "ACCESS_KEY": self.access_key,
            "SECRET_KEY": self.secret_key,
            "TOS_SECURITY_TOKEN": self.security_token,
            "TOS_ENDPOINT": f"http://{HOST}",
            "TOS_REGION": self.region,
            # Override keys of the real service.
            "TOS_ACCESS_KEY": "",
            "TOS_SECRET_KEY": "",
            "http_proxy": proxy,
            "HTTP_PROXY": proxy,
            # Override the machine's value. Requests to loopback use no proxy.
            "no_proxy": "127.0.0.1,localhost",
            "NO_PROXY": "127.0.0.1,localhost",
        }

    def apply(self, monkeypatch: Any) -> None:
        """Set `environment` in this process for one test."""
        for name, value in self.environment.items():
            monkeypatch.setenv(name, value)


class _Server(ThreadingHTTPServer):
    tos: TosServer
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

    def do_HEAD(self) -> None:
        self._handle()

    def do_DELETE(self) -> None:
        self._handle()

    def _handle(self) -> None:
        tos = self.server.tos
        length = int(self.headers.get("Content-Length", 0))
        # A proxy receives the whole URL. The path stays percent-encoded.
        self.raw_path, _, self.query = re.sub("^http://[^/?]*", "", self.path).partition("?")
        host = self.headers["Host"]
        self.bucket = host.removesuffix(f".{HOST}")
        self.key = unquote(self.raw_path.removeprefix("/"))
        fault = tos.faults.next(self.command, self.bucket, self.key)
        if fault == "reset in the body" and self.command == "PUT":
            self.rfile.read(length // 2)
            self._reset()
            return
        body = self.rfile.read(length)
        md5 = self.headers.get("Content-MD5")
        if fault == "corrupt" and self.command == "PUT":
            body = _damaged(body)
        if urlsplit(self.path).netloc != host or self.bucket == host:
            self._error(400, "InvalidHost")
        elif self.key.startswith(tuple(tos.denied)):
            self._error(403, "AccessDenied")
        elif isinstance(fault, int):
            self._error(fault, "ServiceUnavailable" if fault == 503 else "TestError")
        elif isinstance(fault, Refusal):
            self._error(fault.status, fault.code, fault.headers)
        elif fault == "not text":
            self._answer(500, b"\xff\xfe\x80")
        elif fault == "not TOS":
            tos.answers.append((self.command, self.bucket, self.key, 200))
            self.send_response(200)
            self.send_header("Content-Length", "8")
            self.end_headers()
            self.wfile.write(b"Log in: ")
        elif fault == "reset":
            self._hang_up()
        elif fault == "stall":
            self._stall()
        elif refused := refusal(tos, self.command, self.raw_path, self.query, self.headers, body):
            self._error(*refused)
        elif self.bucket not in tos.buckets:
            self._error(404, "NoSuchBucket")
        elif md5 and base64.b64decode(md5) != hashlib.md5(body).digest():
            self._error(400, "BadDigest")
        elif self.command == "PUT":
            self._put(body, fault)
        elif self.command == "DELETE":
            tos.objects.pop((self.bucket, self.key), None)
            self._answer(204)
        elif self.command == "GET" and not self.key:
            self._list(fault)
        else:
            self._get(fault)

    def _put(self, body: bytes, fault: str) -> None:
        tos, name = self.server.tos, (self.bucket, self.key)
        if fault == "corrupt in storage":
            body = _damaged(body)
        tos.content_types[name] = self.headers.get("Content-Type", "")
        tos.objects[name] = body
        if fault == "stored, reset":
            self._hang_up()
        else:
            self._answer(200, headers={"x-tos-hash-crc64ecma": str(crc64(body))})

    def _get(self, fault: str) -> None:
        body = self.server.tos.objects.get((self.bucket, self.key))
        if body is None:
            self._error(404, "NoSuchKey")
            return
        if fault == "replaced":
            body = self.server.tos.objects[self.bucket, self.key] = body[::-1]
        tag = f'"{hashlib.sha256(body).hexdigest()}"'
        headers = {"ETag": tag, "x-tos-hash-crc64ecma": str(crc64(body))}
        # The service accepts the tag with and without quotes. The SDK sends it without.
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
        elif fault == "reset in the body":
            self._answer(status, part, headers, send=len(part) // 2)
            self._reset(answered=True)
        elif fault == "corrupt":
            self._answer(status, _damaged(part), headers)
        else:
            self._answer(status, part, headers)

    def _list(self, fault: str) -> None:
        """Answer a page of ListObjectsType2."""
        asked = dict(parse_qsl(self.query, keep_blank_values=True))
        prefix, delimiter = asked.get("prefix", ""), asked.get("delimiter", "")
        found: dict[str, dict[str, Any]] = {}
        for (bucket, key), data in sorted(self.server.tos.objects.items()):
            if bucket != self.bucket or not key.startswith(prefix):
                continue
            end = key.find(delimiter, len(prefix)) if delimiter else -1
            name = key if end < 0 else key[: end + 1]
            found[name] = {"Prefix": name} if end >= 0 else {"Key": name, "Size": len(data)}
        start = asked.get("continuation-token", "")
        rest = [each for name, each in found.items() if name > start]
        page = rest[: min(int(asked["max-keys"]), self.server.tos.page)]
        answer: dict[str, Any] = {
            "Contents": [each for each in page if "Key" in each],
            "CommonPrefixes": [each for each in page if "Prefix" in each],
        }
        if len(page) < len(rest):
            (last,) = list(page[-1].values())[:1]
            answer |= {"IsTruncated": True, "NextContinuationToken": last}
        if fault == "no token":
            del answer["NextContinuationToken"]
        elif fault == "same token":
            answer["NextContinuationToken"] = start or "x"
        body = json.dumps(answer).encode()
        if fault == "truncate":
            self._answer(200, body, send=len(body) // 2)
            self._hang_up(answered=True)
        else:
            self._answer(200, body)

    def _error(self, status: int, code: str, headers: Mapping[str, str] | None = None) -> None:
        # The service repeats the signed text. Messages of this package must not.
        message = f"{code}: key {self.server.tos.access_key}"
        self._answer(status, json.dumps({"Code": code, "Message": message}).encode(), headers)

    def _answer(
        self,
        status: int,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
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

    def _stall(self) -> None:
        while not self.server.tos.stopping.is_set():
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
            self.server.tos.answers.append((self.command, self.bucket, self.key, 0))


def _damaged(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:] if data else data
