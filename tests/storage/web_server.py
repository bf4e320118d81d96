"""A web server on loopback whose answers are defined by the test."""

import contextlib
import ssl
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any, Self

VIDEO = bytes(range(256)) * 8000  # 2 MB: more than one block

Answer = Callable[[BaseHTTPRequestHandler], None]


class WebServer:
    """Answers each path with its next answer; the last one is repeated."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.paths: dict[str, list[Answer]] = {}
        self.seen: list[SimpleNamespace] = []
        """`path` and `headers` of each request."""
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                site.seen.append(SimpleNamespace(path=self.path, headers=self.headers))
                answers = site.paths[self.path.partition("?")[0]]
                (answers.pop(0) if len(answers) > 1 else answers[0])(self)

            def do_CONNECT(self):
                self.do_GET()  # as a proxy for https; the path is host:port

            def log_message(self, *args):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        if tls is not None:
            self.http.socket = tls.wrap_socket(self.http.socket, server_side=True)
        self.http.handle_error = lambda *args: None  # print nothing about closed connections
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, args=(0.05,), daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.http.shutdown()
        self.http.server_close()


def answer(status: int = 200, body: bytes = VIDEO, *, announce: int | None = None, **headers: str):
    """Send `body`. With `announce`, send that length in the header, and close the connection."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body) if announce is None else announce))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        with contextlib.suppress(OSError):
            handler.wfile.write(body)
        handler.close_connection = announce is not None

    return send


def chunked(*chunks: bytes, is_complete: bool = True):
    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for chunk in chunks:
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        if is_complete:
            handler.wfile.write(b"0\r\n\r\n")
        handler.close_connection = True

    return send


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True


def slowly(head: bytes, drop: bytes, *, every: float):
    """Send `head`, which begins with the status line, then `drop` repeatedly for up to 5 s."""

    def send(handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        with contextlib.suppress(OSError):  # the client closes the connection
            handler.wfile.write(head)
            for _ in range(int(5 / every)):
                time.sleep(every)
                handler.wfile.write(drop)

    return send


def without_proxies(monkeypatch: Any) -> None:
    """Remove the machine's proxy from the environment."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
