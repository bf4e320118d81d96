"""A server of one file that tells lies about it, over HTTP, as TOS and as S3.

Each answer follows a `Lie`. Its default is the truth, so that one answer among true ones can lie in
one point or in several. TOS is reached as an HTTP proxy, as in `tos_server`; signatures are not
checked.
"""

import contextlib
import gzip
import hashlib
import itertools
import json
import re
import select
import socket
import socketserver
import struct
import threading
from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from tests.storage.tos_signature import crc64

BLOCK = 1 << 10
LONGEST = 24 * BLOCK  # bytes of the longest file, with everything that is sent beyond its end
VERSIONS = [hashlib.shake_256(bytes([number])).digest(2 * LONGEST) for number in range(2)]
"""The file is the start of the first one. The other one replaces it in some answers."""
_EVERY = 0.02  # seconds between bytes that trickle


@dataclass(frozen=True)
class Lie:
    """One answer, as it differs from the truth.

    Attributes:
        start: in place of an answer: "reset", "close", "stall", "garbage" or "long line".
        status: the status, or 0 for the right one.
        head: "" or "trickle": the header lines without end, one byte at a time; "continue": 100
            (Continue) three times first; "continue for ever"; "long": 1 MB of header lines;
            "malformed": a line that is no header.
        extra: one more header.
        content_range: "" or what is wrong with Content-Range.
        total: bytes added to the file's length, wherever it is announced.
        version: the version that is sent, and whose tag is announced.
        tag: "" or "missing", "weak" or "other".
        framing: "length", "close" (no length), "chunked", "chunked and length", "no last chunk",
            "negative chunk", "not a length" or "two lengths".
        length: bytes added to the announced length of this body.
        sent: the part of the body that is sent; above 1, other bytes follow it.
        end: after these bytes: "keep", "close", "reset", "stall", or the rest, as "trickle" or as
            the start of bytes that are "endless".
        is_gzip: whether a whole file is sent with gzip.
        is_damaged: whether one bit of the body is wrong. HTTP has no checksum that could tell.
        error: the body of an error.
    """

    start: str = ""
    status: int = 0
    head: str = ""
    extra: tuple[str, str] = ("X-Extra", "")
    content_range: str = ""
    total: int = 0
    version: int = 0
    tag: str = ""
    framing: str = "length"
    length: int = 0
    sent: float = 1.0
    end: str = "keep"
    is_gzip: bool = False
    is_damaged: bool = False
    error: bytes = b'{"Code": "TestError"}'


TRUTH = Lie()


class Site:
    """One file on the server, and the lies of the next answers; after them come true ones."""

    def __init__(self, size: int, lies: Iterable[Lie]) -> None:
        self.size = size
        self.lies = deque(lies)
        self.announced: dict[int, set[int]] = defaultdict(set)
        """Version → the lengths of the file that an answer has announced, or was closed after."""
        self.is_over = threading.Event()
        self.lock = threading.Lock()

    def is_possible(self, content: bytes) -> bool:
        """Return whether this is the whole file, as at least one answer described it."""
        return any(
            len(content) in lengths and content == VERSIONS[version][: len(content)]
            for version, lengths in self.announced.items()
        )

    def is_piece(self, position: int, content: bytes) -> bool:
        """Return whether these bytes are at this position of a version."""
        return any(data[position : position + len(content)] == content for data in VERSIONS)


class LyingServer:
    """The server, a context manager. `sites` are its files by path, such as "/1"."""

    def __init__(self) -> None:
        self.sites: dict[str, Site] = {}
        self._numbers = itertools.count()
        self._tcp = _Server(("127.0.0.1", 0), _Handler)
        self._tcp.sites = self.sites
        self.url = f"http://127.0.0.1:{self._tcp.server_address[1]}"

    def add(self, size: int, lies: Iterable[Lie], address: str) -> tuple[str, Site]:
        """Add a file, and return its URL below `address` with its site."""
        path = f"/{next(self._numbers)}"
        self.sites[path] = site = Site(size, lies)
        return address + path, site

    def __enter__(self) -> Self:
        threading.Thread(target=self._tcp.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._tcp.shutdown()
        self._tcp.server_close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128
    sites: dict[str, Site]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print nothing about connections that the client closed."""


class _EndError(Exception):
    """Ends the connection."""


class _Handler(socketserver.StreamRequestHandler):
    server: _Server
    timeout = 30

    def handle(self) -> None:
        with contextlib.suppress(_EndError, OSError):
            while request := self.rfile.readline():
                headers = {}
                while (line := self.rfile.readline()) not in (b"\r\n", b""):
                    name, _, value = line.decode("latin-1").partition(":")
                    headers[name.strip().lower()] = value.strip()
                self._answer(request.decode("latin-1").split()[1], headers)

    def _answer(self, url: str, headers: dict[str, str]) -> None:
        self.rfile.read(int(headers.get("content-length", 0)))
        path = re.sub("^http://[^/]*", "", url).partition("?")[0]
        self.site = site = self.server.sites[f"/{path.rpartition('/')[2]}"]
        with site.lock:
            lie = site.lies.popleft() if site.lies else TRUTH
        if lie.start:
            self._end(lie.start)
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", headers.get("range", ""))
        start = int(asked[1]) if asked else 0
        total = max(0, site.size + lie.total)
        stop = min(int(asked[2]) + 1, total) if asked else total
        data, tag = VERSIONS[lie.version], f'"version-{lie.version}"'
        if headers.get("authorization", "").startswith("AWS4"):
            tag = f'"{hashlib.md5(data[: site.size]).hexdigest()}"'
        status = lie.status or (206 if asked else 200)
        if not lie.status and asked and start >= total:
            status = 416
        wanted = headers.get("if-match") or headers.get("if-range") or tag
        if lie == TRUTH and wanted.strip('"') != tag.strip('"'):
            status = 412 if "if-match" in headers else 200
        fields: list[tuple[str, object]] = [("x-tos-request-id", "request")]
        if status not in (200, 206):
            fields += [("Location", url), ("Retry-After", "1" if status == 429 else "0")]
            self._send(lie, status, fields, lie.error)
            return
        if status == 200:
            start, stop = 0, total
        body = data[start:stop]
        if status == 206:
            with site.lock:
                site.announced[lie.version].add(total)
            last = stop - 1 + (lie.content_range == "last")
            first = start + (lie.content_range == "first")
            value = {
                "garbage": "bytes 1-x/y",
                "unknown total": f"bytes {first}-{last}/*",
                "huge": f"bytes {first}-{last}/{'9' * 5000}",
                "backwards": f"bytes {last + 1}-{first}/{total}",
            }.get(lie.content_range, f"bytes {first}-{last}/{total}")
            if lie.content_range != "missing":
                fields.append(("Content-Range", value))
        tag = {"missing": "", "weak": f"W/{tag}", "other": '"other"'}.get(lie.tag, tag)
        fields += [("ETag", tag)] if tag else []
        fields.append(("x-tos-hash-crc64ecma", crc64(data[:total])))
        if lie.is_damaged and body:
            body = body[:-1] + bytes([body[-1] ^ 1])
        if lie.is_gzip and status == 200:
            with site.lock:
                site.announced[lie.version].add(total)
            body = gzip.compress(body, 1)
            fields.append(("Content-Encoding", "gzip"))
        self._send(lie, status, fields, body, data[stop:])

    def _send(
        self,
        lie: Lie,
        status: int,
        fields: list[tuple[str, object]],
        body: bytes,
        more: bytes = bytes(1000),
    ) -> None:
        count = int(len(body) * lie.sent) if lie.sent <= 1 else len(body) + int(lie.sent)
        sent, rest = (body + more)[:count], (body + more)[count:]
        length = max(0, len(body) + lie.length)
        is_whole = status == 200 and not lie.is_gzip
        with self.site.lock:
            if is_whole and lie.framing in ("length", "two lengths", "chunked and length"):
                self.site.announced[lie.version].add(length)
            if is_whole and lie.framing != "length":
                self.site.announced[lie.version].add(len(sent))
        lengths: dict[str, list[tuple[str, object]]] = {
            "length": [("Content-Length", length)],
            "two lengths": [("Content-Length", length), ("Content-Length", length)],
            "not a length": [("Content-Length", "9" * 5000)],
            "close": [],
            "chunked and length": [("Content-Length", length), ("Transfer-Encoding", "chunked")],
        }
        fields = fields + lengths.get(lie.framing, [("Transfer-Encoding", "chunked")])
        fields.append(lie.extra)
        if lie.head == "malformed":
            fields.append(("", "no name"))
        if lie.head == "long":
            fields += [(f"X-{number}", "x" * 10_000) for number in range(90)]
        head = f"HTTP/1.1 {status} Any\r\n" + "".join(f"{n}: {v}\r\n" for n, v in fields) + "\r\n"
        if lie.head.startswith("continue"):
            self._write(b"HTTP/1.1 100 Continue\r\n\r\n" * 3)
            while "ever" in lie.head:
                self._write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if lie.head == "trickle":
            self._write(head[:-2].encode() + b"X-Long: ")
            self._trickle(b"x" * 10_000)
        self._write(head.encode())
        if lie.framing == "negative chunk":
            self._write(b"-1\r\n" + sent)
        elif "chunk" in lie.framing:
            for part in (sent[: len(sent) // 2], sent[len(sent) // 2 :]):
                self._write(b"%x\r\n%s\r\n" % (len(part), part) if part else b"")
            self._write(b"" if lie.framing == "no last chunk" else b"0\r\n\r\n")
        else:
            self._write(sent)
        if lie.end != "keep":
            self._end(lie.end, rest)
        # Bytes beyond the announced ones stay in the connection, before the next answer.
        if lie.framing not in ("length", "chunked") or lie.length > 0 or lie.sent < 1:
            self._end("close")

    def _write(self, data: bytes) -> None:
        if self.site.is_over.is_set():
            raise _EndError
        self.connection.sendall(data)

    def _trickle(self, data: bytes) -> None:
        for index in range(len(data)):
            self._write(data[index : index + 1])
            self._wait(_EVERY)

    def _wait(self, seconds: float) -> None:
        # A connection on which the client sends nothing is readable when it is closed.
        if select.select([self.connection], [], [], seconds)[0] or self.site.is_over.is_set():
            raise _EndError

    def _end(self, how: str, rest: bytes = b"") -> None:
        if how == "garbage":
            self._write(b"\x16\x03\x01 neither a status nor a header\r\n\r\n")
        if how == "long line":
            self._write(b"HTTP/1.1 200 " + b"x" * 100_000 + b"\r\n\r\n")
        if how == "trickle":
            self._trickle(rest)
        while how == "endless":
            self._write(rest + bytes(10_000))
        while how == "stall":
            self._wait(0.05)
        if how == "reset":
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        raise _EndError


ERRORS = [
    b'{"Code": "TestError"}',
    b"",
    b"\xff\xfe",
    b"[]",
    b'"text"',
    json.dumps({"Code": 5, "EC": [], "Message": {}}).encode(),
    json.dumps({"Code": None, "EC": None}).encode(),
]
