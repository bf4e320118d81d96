"""A web server of one file that answers ranges and can inject faults."""

import contextlib
import hashlib
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class RangeServer:
    """The server, a context manager.

    Attributes:
        data: the file.
        ranges: (start, stop) of each body that was sent.
        without: the missing feature: "ranges", "tag", "strong tag", "length" (of a whole file) or
            "part length".
        cut: (start, stop) → the bytes to send before the connection breaks; None for all.
        refuse: (predicate of the start, status) of answers without a body. Each is used once.
        replace: start → another file to answer with, or None.
        most_at_once: the number of concurrent requests; others are refused with 503.
        hold: (start, stop) → whether the answer waits, until this is None or the server ends.
        hold_in_body: whether it waits in the middle of its body, not before the answer.
        held: set when an answer waits.
        trickle: (start, stop) → whether the body is sent with one byte every 20 ms.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.ranges: list[tuple[int, int]] = []
        self.without = ""
        self.cut: Callable[[int, int], int | None] | None = None
        self.refuse: list[tuple[Callable[[int], bool], int]] = []
        self.replace: Callable[[int], bytes | None] = lambda start: None
        self.most_at_once = 1000
        self.hold: Callable[[int, int], bool] | None = None
        self.hold_in_body = False
        self.held = threading.Event()
        self.trickle: Callable[[int, int], bool] = lambda start, stop: False
        self.lock = threading.Lock()
        self.at_once = 0
        self.has_ended = threading.Event()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._http.daemon_threads = True
        self._http.site = self  # type: ignore[attr-defined]
        self._http.handle_error = lambda *args: None  # type: ignore[method-assign]
        self.url = f"http://127.0.0.1:{self._http.server_port}/a.mp4"

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.has_ended.set()
        self._http.shutdown()
        self._http.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        site = self.server.site  # type: ignore[attr-defined]
        with site.lock:
            site.at_once += 1
            is_refused = site.at_once > site.most_at_once
        try:
            if is_refused:
                self._answer(503, b"")
            else:
                self._serve(site)
        finally:
            with site.lock:
                site.at_once -= 1

    def _serve(self, site: RangeServer) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        start = int(asked[1]) if asked else 0
        with site.lock:
            found = next((item for item in site.refuse if item[0](start)), None)
            if found is not None:
                site.refuse.remove(found)
        if found is not None:
            self._answer(found[1], b"")
            return
        data = site.replace(start) or site.data
        tag = f'"{hashlib.sha256(data).hexdigest()}"'
        headers = {"ETag": tag}
        if site.without in ("tag", "length"):
            del headers["ETag"]
        elif site.without == "strong tag":
            headers["ETag"] = f"W/{tag}"
        is_part = asked and site.without not in ("ranges", "length")
        stop = len(data)
        if is_part and self.headers.get("If-Range", tag) == tag:
            stop = min(int(asked[2]) + 1, len(data))
            if start >= stop:
                self._answer(416, b"")
                return
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(data)}"
            self._answer(206, data[start:stop], headers, start)
        else:
            self._answer(200, data, headers)

    def _answer(
        self, status: int, body: bytes, headers: dict[str, str] | None = None, start: int = 0
    ) -> None:
        site = self.server.site  # type: ignore[attr-defined]
        stop = start + len(body)
        waits = bool(body and site.hold and site.hold(start, stop))
        if waits and not site.hold_in_body:
            self._wait(site)
        count = site.cut(start, stop) if site.cut and body else None
        self.send_response(status)
        if site.without in ("length", "part length"):
            self.close_connection = True
        else:
            self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            with site.lock:
                site.ranges.append((start, stop if count is None else start + count))
        with contextlib.suppress(OSError):
            if waits and site.hold_in_body:
                self.wfile.write(body[:100])
                body = body[100:]
                self._wait(site)
            while site.trickle(start, stop) and body and not site.has_ended.wait(0.02):
                self.wfile.write(body[:1])
                body = body[1:]
            self.wfile.write(body[:count])
        if count is not None:
            self.close_connection = True

    def _wait(self, site: RangeServer) -> None:
        site.held.set()
        while site.hold and not site.has_ended.wait(0.01):
            pass
