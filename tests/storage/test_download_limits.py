"""The limits on the bytes and seconds of a download, with servers that announce wrong sizes."""

import contextlib
import gzip
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from spark_keyframes.errors import KeyframesError, LimitError
from spark_keyframes.limits import Limits
from spark_keyframes.storage import open_url, retry
from spark_keyframes.storage.download import meter
from tests.storage.range_server import RangeServer
from tests.storage.web_server import VIDEO, answer, chunked, slowly

MB = 1 << 20
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"


def read(url, **limits):
    with open_url(url, limits=Limits(**limits)) as file:
        return file.read()


# Bytes.


def test_an_announced_size_is_checked_before_the_body(web):
    web.paths["/a"] = [answer(announce=10 << 30)]
    with pytest.raises(
        LimitError, match=r"/a has more than max_download_bytes=1000000: 10737418240; raise"
    ) as caught:
        read(f"{web.url}/a?secret", max_download_bytes=1_000_000)
    assert caught.value.stage == "open"
    assert "secret" not in str(caught.value)
    assert len(web.seen) == 1  # no retry


def test_the_announced_size_of_all_parts_is_checked():
    with RangeServer(bytes(5 * MB)) as server:
        with pytest.raises(LimitError, match=f"max_download_bytes=5000000: {5 * MB}"):
            read(server.url, max_download_bytes=5_000_000)
        assert read(server.url, max_download_bytes=5 * MB) == server.data


def test_the_announced_size_of_an_object_is_checked(tos):
    tos.objects["bucket", "a"] = bytes(100_000)
    with pytest.raises(LimitError, match=r"tos://bucket/a has .*max_download_bytes=99999: 100000"):
        read("tos://bucket/a", max_download_bytes=99_999)
    assert read("tos://bucket/a", max_download_bytes=100_000) == bytes(100_000)
    assert tos.requests == 2


def test_bytes_that_are_not_announced_are_counted(web):
    web.paths["/a"] = [chunked(*[VIDEO] * 20)]
    with pytest.raises(LimitError, match="max_download_bytes=3000000: "):
        read(f"{web.url}/a", max_download_bytes=3_000_000)
    assert len(web.seen) == 1


def test_a_compressed_body_is_counted_decompressed(web):
    web.paths["/a"] = [answer(body=gzip.compress(bytes(3 * MB)), Content_Encoding="gzip")]
    assert read(f"{web.url}/a", max_download_bytes=3 * MB) == bytes(3 * MB)
    with pytest.raises(LimitError, match="max_download_bytes=2000000: "):
        read(f"{web.url}/a", max_download_bytes=2_000_000)


@pytest.mark.parametrize("size", [b"9" * 5000, b"-1", b"1e3", b"\xb2"])
def test_an_invalid_length_is_ignored_and_the_bytes_are_counted(web, size):
    web.paths["/a"] = [
        slowly(b"HTTP/1.1 200 OK\r\nContent-Length: %s\r\n\r\n" % size, VIDEO, every=0.001)
    ]
    with pytest.raises(LimitError, match="max_download_bytes"):
        read(f"{web.url}/a", max_download_bytes=5_000_000)


@pytest.mark.parametrize("value", ["bytes 0-99/" + "9" * 5000, "bytes 0-99/²", "bytes 5-1/3"])
def test_an_invalid_range_is_an_error(web, value):
    web.paths["/a"] = [answer(206, VIDEO, Content_Range=value, ETag='"a"')]
    with pytest.raises(KeyframesError):
        read(f"{web.url}/a")


def test_compressed_bytes_that_expand_to_nothing_are_counted(web):
    header, empty_block = b"\x1f\x8b\x08\0\0\0\0\0\0\x03", b"\0\0\0\xff\xff"
    sent = []

    def send(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + header)
        with contextlib.suppress(OSError):
            while len(sent) < 500:
                handler.wfile.write(empty_block * 20_000)
                sent.append(1)

    web.paths["/a"] = [send]
    with pytest.raises(LimitError, match=f"max_download_bytes={MB}"):
        read(f"{web.url}/a", max_download_bytes=MB)
    assert len(sent) < 500


def test_the_body_of_a_redirect_is_not_read(web):
    body = gzip.compress(bytes(200 * MB), 1)
    web.paths["/a"] = [answer(302, body, Location="/b", Content_Encoding="gzip")]
    web.paths["/b"] = [answer()]
    program = (
        "import re\n"
        "from pathlib import Path\n"
        "from spark_keyframes.storage import open_url\n"
        f"assert open_url({web.url + '/a'!r}).read() == bytes(range(256)) * 8000\n"
        "print(re.search(r'VmHWM:\\s+(\\d+) kB', Path('/proc/self/status').read_text())[1])\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert int(run.stdout) >> 10 < 150  # MB; the decompressed body alone would take 200


def test_fsspec_checks_the_size_before_and_during_the_download(monkeypatch):
    fsspec = pytest.importorskip("fsspec")
    files = fsspec.filesystem("memory")
    files.pipe_file("/bucket/a", bytes(3 * MB))
    assert read("memory://bucket/a", max_download_bytes=3 * MB) == bytes(3 * MB)
    with pytest.raises(LimitError, match=f"max_download_bytes=1000000: {3 * MB}"):
        read("memory://bucket/a", max_download_bytes=1_000_000)
    # A file system that does not give the size.
    monkeypatch.setattr(type(files), "info", lambda self, path: {"size": None})
    with pytest.raises(LimitError, match=f"max_download_bytes=1500000: {2 * MB}"):
        read("memory://bucket/a", max_download_bytes=1_500_000)


# Seconds.


@pytest.mark.parametrize(
    "head",
    [b"HTTP/1.1 200 OK\r\nX-Long: ", HEAD, b"HTTP/1.1 302 Found\r\nLocation: /b\r\nX-Long: "],
    ids=["in the headers", "in the body", "in a redirect"],
)
def test_a_slow_download_ends_at_the_time_limit(web, head):
    web.paths["/a"] = [slowly(head, b"x", every=0.02)]
    begin = time.monotonic()
    with pytest.raises(
        LimitError, match=r"/a took longer than max_download_seconds=0\.3; raise"
    ) as caught:
        read(f"{web.url}/a", max_download_seconds=0.3)
    assert time.monotonic() - begin < 15
    assert caught.value.stage == "open"
    assert len(web.seen) == 1


def test_a_silent_server_is_given_up_at_the_time_limit(web):
    web.paths["/a"] = [slowly(HEAD, b"", every=5)]
    begin = time.monotonic()
    with pytest.raises(LimitError, match="max_download_seconds"):
        read(f"{web.url}/a", max_download_seconds=0.3)
    assert time.monotonic() - begin < 15


def test_the_time_limit_covers_all_attempts(web, monkeypatch):
    monkeypatch.setattr(retry.random, "uniform", lambda low, high: 0.5)
    web.paths["/a"] = [answer(503, b"", Retry_After="20")]
    begin = time.monotonic()
    with pytest.raises(LimitError, match="max_download_seconds"):
        read(f"{web.url}/a", max_download_seconds=0.5)
    assert time.monotonic() - begin < 15
    assert len(web.seen) == 1


@pytest.mark.usefixtures("small_parts")
def test_the_time_limit_covers_all_parts():
    with RangeServer(bytes(MB)) as server:
        server.hold = lambda start, stop: start > 0
        with open_url(server.url, limits=Limits(max_download_seconds=1)) as file:
            assert file.read(1000) == bytes(1000)
            begin = time.monotonic()
            for _ in range(2):
                with pytest.raises(LimitError, match="max_download_seconds"):
                    file.read()
            assert time.monotonic() - begin < 15


@pytest.mark.usefixtures("small_parts")
def test_the_time_limit_covers_retries_of_an_object(tos, monkeypatch):
    tos.objects["bucket", "a"] = bytes(MB)
    tos.faults.extend([503] * 100)
    monkeypatch.setattr("tos.clientv2.SLEEP_BASE_TIME", 0.0)
    monkeypatch.setattr(retry.random, "uniform", lambda low, high: 0.5)
    with pytest.raises(LimitError, match="tos://bucket/a took longer than max_download_seconds"):
        read("tos://bucket/a", max_download_seconds=0.2)


def test_time_that_passes_after_the_download_does_not_count(web):
    web.paths["/a"] = [answer()]
    with open_url(f"{web.url}/a", limits=Limits(max_download_seconds=1)) as file:
        time.sleep(1.1)
        assert file.read() == VIDEO


def test_fsspec_checks_time_and_rate_between_blocks(monkeypatch):
    fsspec = pytest.importorskip("fsspec")
    files = fsspec.filesystem("memory")
    files.pipe_file("/bucket/a", bytes(3 * MB))
    own_open = type(files).open

    def open_slowly(self, path, mode):
        file = own_open(self, path, mode)
        return SlowFile(file)

    class SlowFile:
        def __init__(self, file):
            self.file = file

        def close(self):
            self.file.close()

        def read(self, size):
            time.sleep(0.1)
            return self.file.read(size)

    monkeypatch.setattr(type(files), "open", open_slowly)
    with pytest.raises(LimitError, match="max_download_seconds"):
        read("memory://bucket/a", max_download_seconds=0.15)
    monkeypatch.setattr(meter, "WINDOW", 0.15)
    with pytest.raises(LimitError, match="min_download_rate"):
        read("memory://bucket/a", min_download_rate=100 * MB)


# Temporary files.


@pytest.mark.parametrize("without", ["", "ranges"], ids=["in parts", "whole"])
def test_a_process_killed_during_a_download_leaves_no_file(tmp_path, without):
    with RangeServer(bytes(8 * MB)) as server:
        server.without = without
        server.hold = lambda start, stop: stop > 4 * MB
        server.hold_in_body = True
        program = f"from spark_keyframes.storage import open_url\nopen_url({server.url!r}).read()\n"
        process = subprocess.Popen(
            [sys.executable, "-c", program], env=os.environ | {"TMPDIR": str(tmp_path)}
        )
        with process:
            assert server.held.wait(20)
            folder = Path(f"/proc/{process.pid}/fd")
            # tempfile makes and deletes a file with a name first, to see where it may write.
            while not any(
                re.match(rf"{tmp_path}/.* \(deleted\)", str(fd.readlink()))
                for fd in folder.iterdir()
            ):
                time.sleep(0.01)  # until there is a temporary file
            process.send_signal(signal.SIGKILL)
        assert list(tmp_path.iterdir()) == []
