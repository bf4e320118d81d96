"""The minimum rate of a download, and the waits of Retry-After."""

import contextlib
import email.utils
import math
import socketserver
import threading
import time
from types import SimpleNamespace

import pytest

from spark_keyframes.errors import LimitError
from spark_keyframes.limits import Limits
from spark_keyframes.storage import open_url, retry
from spark_keyframes.storage.download import meter, remote
from tests.storage.range_server import RangeServer
from tests.storage.web_server import VIDEO, answer, slowly, without_proxies

MB = 1 << 20
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"


def read(url, **limits):
    with open_url(url, limits=Limits(**limits)) as file:
        return file.read()


@pytest.fixture
def short_window(monkeypatch):
    monkeypatch.setattr(meter, "WINDOW", 0.3)


@pytest.mark.usefixtures("short_window")
@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\nX-Long: ", HEAD], ids=["in the headers", "in the body"]
)
def test_a_server_below_the_minimum_rate_is_given_up(web, head):
    web.paths["/a"] = [slowly(head, b"x", every=0.02)]
    begin = time.monotonic()
    with pytest.raises(LimitError, match=r"at \d+ bytes per second, below min_download_rate=1024"):
        read(f"{web.url}/a")
    assert time.monotonic() - begin < 15
    assert len(web.seen) == 1


@pytest.mark.usefixtures("short_window")
def test_a_server_above_the_minimum_rate_is_read(web):
    web.paths["/a"] = [slowly(HEAD.replace(b"1000000", b"20000"), bytes(400), every=0.02)]
    assert read(f"{web.url}/a", min_download_rate=1024) == bytes(20_000)


@pytest.mark.usefixtures("short_window")
def test_a_rate_of_zero_means_no_limit(web):
    web.paths["/a"] = [slowly(HEAD.replace(b"1000000", b"40"), b"x", every=0.02)]
    assert read(f"{web.url}/a", min_download_rate=0) == b"x" * 40


@pytest.mark.usefixtures("short_window", "small_parts")
def test_a_slow_reader_does_not_lower_the_rate():
    with (
        RangeServer(bytes(MB)) as server,
        open_url(server.url) as file,
    ):
        for _ in range(4):
            assert file.read(1000) == bytes(1000)
            time.sleep(0.2)
        assert len(file.read()) == MB - 4000


@pytest.mark.usefixtures("short_window")
def test_only_waits_for_the_server_count_for_the_rate():
    watch = meter.Meter("http://host/a", Limits())
    for _ in range(3):
        with watch.waiting():
            time.sleep(0.01)
        watch.received(1)
        time.sleep(0.2)  # a busy machine or a slow disk
    with watch.waiting():
        time.sleep(0.3)
    with pytest.raises(LimitError, match=r"at \d+ bytes per second"):
        watch.received(1)


@pytest.mark.usefixtures("short_window", "small_parts")
def test_one_stalled_connection_among_others_is_not_a_slow_server():
    with RangeServer(bytes(MB)) as server:
        server.hold = lambda start, stop: 64 << 10 <= start < 128 << 10
        with open_url(server.url) as file:
            assert server.held.wait(5)
            time.sleep(0.5)
            server.hold = None
            assert len(file.read()) == MB


@pytest.mark.usefixtures("short_window", "small_parts")
def test_a_slow_server_with_one_stalled_connection_is_given_up():
    with RangeServer(bytes(MB)) as server:
        server.hold = lambda start, stop: 64 << 10 <= start < 128 << 10
        server.trickle = lambda start, stop: start >= 128 << 10
        with open_url(server.url) as file:
            begin = time.monotonic()
            with pytest.raises(LimitError, match="min_download_rate"):
                file.read()
            assert time.monotonic() - begin < 15


@pytest.fixture
def handshake():
    """The port of a server that answers a handshake of TLS with single bytes."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.recv(1)
            with contextlib.suppress(OSError):
                self.request.sendall(b"\x16\x03\x03\x40\x00")  # a record of 16 KB
                for _ in range(1000):
                    self.request.sendall(b"\0")
                    time.sleep(0.02)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def test_a_slow_handshake_of_tls_ends_at_the_time_limit(handshake, monkeypatch):
    without_proxies(monkeypatch)
    begin = time.monotonic()
    with pytest.raises(LimitError, match=r"max_download_seconds=0\.3"):
        read(f"https://127.0.0.1:{handshake}/a", max_download_seconds=0.3)
    assert time.monotonic() - begin < 8  # below the 10 s in which a connection must be open


def test_a_proxy_that_sends_single_bytes_ends_at_the_time_limit(web, monkeypatch):
    monkeypatch.setenv("https_proxy", web.url)
    monkeypatch.setenv("no_proxy", "")
    web.paths["host.invalid:443"] = [slowly(b"HTTP/1.1 200 OK\r\nX-Long: ", b"x", every=0.02)]
    begin = time.monotonic()
    with pytest.raises(LimitError, match=r"max_download_seconds=0\.3"):
        read("https://host.invalid/a", max_download_seconds=0.3)
    assert time.monotonic() - begin < 8


# Retry-After.


def test_retry_after_is_never_negative(monkeypatch):
    now = time.time()
    monkeypatch.setattr(retry, "time", SimpleNamespace(time=lambda: now))
    later = email.utils.formatdate(now + 10, usegmt=True)
    assert 8.9 <= retry.retry_after({"Retry-After": later}) <= 10
    past = email.utils.formatdate(now - 10, usegmt=True)
    nonsense = "soon", "-1", "²", "Fri, 99 Foo 2026", "Mon, 01 Jan 0001 00:00:00 -2359"
    for value in (past, "", *nonsense):
        assert retry.retry_after({"Retry-After": value}) == 0
    assert retry.retry_after({}) == 0


@pytest.mark.parametrize("asked", [7, 1000, math.inf])
def test_the_wait_for_retry_after_is_limited(asked):
    waits = []

    def attempt():
        raise retry.TransientError(lambda attempts: LimitError(str(attempts)), wait=asked)

    with pytest.raises(LimitError, match="4"):
        remote.retry_download(attempt, waits.append, meter.Meter("http://host/a", Limits()))
    assert waits == [min(asked, 30)] * 3


def test_a_retry_after_date_is_obeyed(web):
    at = time.time() + 1
    web.paths["/a"] = [
        answer(503, b"", Retry_After=email.utils.formatdate(at + 1, usegmt=True)),
        answer(),
    ]
    assert read(f"{web.url}/a") == VIDEO
    assert time.time() >= at
