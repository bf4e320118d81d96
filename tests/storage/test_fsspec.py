"""Schemes of fsspec: memory:// is part of fsspec."""

import logging
import sys
import threading
import time

import pytest

from spark_keyframes.errors import (
    LimitError,
    ParameterError,
    SourceNotFoundError,
    SourceReadError,
    StorageWriteError,
    UnsupportedSchemeError,
)
from spark_keyframes.limits import Limits
from spark_keyframes.storage import check_writable, list_url, open_url, retry, write_url
from tests.storage.web_server import WebServer, answer, without_proxies

fsspec = pytest.importorskip("fsspec")


def test_an_object_is_read_as_it_was_written():
    write_url("memory://bucket/勺 子/a.jpg", b"image", content_type="image/jpeg")
    with open_url("memory://bucket/勺 子/a.jpg") as file:
        assert file.read() == b"image"
        assert file.seekable()
        assert not file.writable()


def test_local_urls_create_their_folders(tmp_path):
    write_url(f"local://{tmp_path}/new/a.jpg", b"image", content_type="image/jpeg")
    assert (tmp_path / "new" / "a.jpg").read_bytes() == b"image"


class Unreliable(fsspec.get_filesystem_class("memory")):
    """Raises each of `errors` once, in place of writing."""

    protocol = "unreliable"
    cachable = False
    errors = []

    def pipe_file(self, path, value, mode="overwrite", **options):
        if self.errors:
            raise self.errors.pop()
        super().pipe_file(path, value, mode=mode, **options)


@pytest.fixture
def unreliable(monkeypatch):
    fsspec.register_implementation("unreliable", Unreliable, clobber=True)
    monkeypatch.setattr(Unreliable, "errors", [])
    return Unreliable


def test_a_lost_connection_is_retried(unreliable):
    unreliable.errors = [ConnectionResetError(), fsspec.exceptions.FSTimeoutError()]
    write_url("unreliable://bucket/a.jpg", b"image", content_type="image/jpeg")
    assert unreliable.errors == []
    with open_url("unreliable://bucket/a.jpg") as file:
        assert file.read() == b"image"


@pytest.mark.parametrize("error", [PermissionError("no"), ValueError("no"), ConnectionError("no")])
def test_a_lasting_error_is_a_storage_write_error(unreliable, monkeypatch, error):
    monkeypatch.setattr(retry, "UPLOAD_SECONDS", 0.0)
    unreliable.errors = [error, error]
    with pytest.raises(StorageWriteError, match="could not store unreliable://bucket/a.jpg: .*no"):
        write_url("unreliable://bucket/a.jpg", b"image", content_type="image/jpeg")
    assert len(unreliable.errors) == 1


class Lying(fsspec.get_filesystem_class("memory")):
    """Gives the size `size`, and hangs in the calls that are named in `hangs`."""

    protocol = "lying"
    cachable = False
    size, hangs, over = None, "", threading.Event()

    def info(self, path, **options):
        self.wait("info")
        return {"size": self.size}

    def open(self, path, mode="rb", **options):
        self.wait("open")
        return LyingFile(self, super().open(path, mode, **options))

    def wait(self, call):
        if self.hangs == call:
            self.over.wait(20)


class LyingFile:
    """Not one of io's files: those are closed, and would hang, when they are collected too."""

    def __init__(self, filesystem, file):
        self.filesystem, self.file = filesystem, file

    def read(self, count):
        self.filesystem.wait("read")
        return self.file.read(count)

    def close(self):
        self.filesystem.wait("close")
        self.file.close()


@pytest.fixture
def lying(monkeypatch):
    fsspec.register_implementation("lying", Lying, clobber=True)
    monkeypatch.setattr(Lying, "over", threading.Event())
    yield Lying
    Lying.over.set()


@pytest.mark.parametrize(
    ("size", "message"),
    [(6, "in 4 attempts: .*incomplete, received 5 of 6"), (4, "sent more than the 4 bytes")],
)
def test_a_file_of_another_size_is_an_error(lying, monkeypatch, size, message):
    monkeypatch.setattr(lying, "size", size)
    write_url("lying://bucket/a", b"image", content_type="")
    with pytest.raises(SourceReadError, match=message):
        open_url("lying://bucket/a")


@pytest.mark.parametrize("call", ["info", "open", "read", "close"])
def test_a_package_that_hangs_is_given_up_at_the_time_limit(lying, monkeypatch, call):
    write_url("lying://bucket/a", b"image", content_type="")
    monkeypatch.setattr(lying, "hangs", call)
    begin = time.monotonic()
    with pytest.raises(LimitError, match=r"a took longer than max_download_seconds=0\.2"):
        open_url("lying://bucket/a", limits=Limits(max_download_seconds=0.2))
    assert time.monotonic() - begin < 15


def test_a_package_that_hangs_while_it_stores_is_given_up(lying, monkeypatch):
    monkeypatch.setattr(lying, "pipe_file", lambda self, path, value: self.over.wait(20))
    monkeypatch.setattr("spark_keyframes.storage.fsspec.fsspec_storage._UPLOAD_SECONDS", 0.2)
    monkeypatch.setattr(retry, "UPLOAD_SECONDS", 0.0)
    begin = time.monotonic()
    with pytest.raises(StorageWriteError, match="could not store lying://bucket/a: TimeoutError"):
        write_url("lying://bucket/a", b"image", content_type="")
    assert time.monotonic() - begin < 15


def test_the_logs_of_a_package_hold_no_secret(caplog):
    caplog.set_level(logging.DEBUG)
    with pytest.raises(SourceNotFoundError):
        open_url("memory://me:pa55word@bucket/a")  # imports the package
    logging.getLogger("fsspec").debug("open file %s", "/me:pa55word@bucket/b")
    try:
        raise ValueError("no http://host/a?sig=pa55word")
    except ValueError:
        logging.getLogger("fsspec").exception("failed")
    write_url("memory://me:pa55word@bucket/a", b"image", content_type="")
    open_url("memory://me:pa55word@bucket/a").close()
    assert "open file /***@bucket/b" in caplog.text
    assert "ValueError: no http://host/a" in caplog.text
    assert "pa55word" not in "\n".join(map(caplog.handler.format, caplog.records))


def test_what_logs_a_url_in_parts_logs_no_debug_records(caplog):
    caplog.set_level(logging.DEBUG)
    log = logging.getLogger("botocore.example")
    with pytest.raises(SourceNotFoundError):
        open_url("memory://bucket/none")
    log.debug("{'Bucket': 'me:pa55', 'Key': 'word@bucket'}")
    log.warning("no http://me:pa55word@host/a")
    assert [each.message for each in caplog.records if each.name == log.name] == [
        "no http://host/a"
    ]


def test_the_log_of_urllib3_holds_no_token_of_a_package(caplog, monkeypatch):
    without_proxies(monkeypatch)
    caplog.set_level(logging.DEBUG)
    status = b'{"FileStatus": {"length": 5, "type": "FILE", "pathSuffix": ""}}'
    malformed = b"HTTP/1.1 200 OK\r\n: no name\r\nContent-Length: %d\r\n\r\n%s"

    def send(handler):
        if "GETFILESTATUS" in handler.path:
            handler.wfile.write(malformed % (len(status), status))
        elif "secret" not in handler.path:
            url = f"{web.url}{handler.path}&delegation=secret"
            answer(307, b"", Location=url)(handler)
        else:
            handler.wfile.write(malformed % (5, b"image"))

    with WebServer() as web:
        web.paths["/webhdfs/v1/a"] = [send]
        with open_url(f"webhdfs://{web.url.removeprefix('http://')}/a") as file:
            assert file.read() == b"image"
        assert any("secret" in each.path for each in web.seen)
    assert "Failed to parse headers" in caplog.text
    assert "GET /webhdfs/v1/a" in caplog.text
    assert "secret" not in caplog.text


def test_a_missing_object():
    with pytest.raises(SourceNotFoundError, match="memory://bucket/nope"):
        open_url("memory://bucket/nope")


def test_a_folder_is_a_source_read_error(tmp_path):
    with pytest.raises(SourceReadError, match="could not read local://"):
        open_url(f"local://{tmp_path}")


@pytest.mark.parametrize("scheme", ["nonsense", "tos2"])
def test_an_unknown_scheme(scheme):
    for act in (open_url, check_writable):
        with pytest.raises(UnsupportedSchemeError, match=f"unknown scheme {scheme}://.*tos://"):
            act(f"{scheme}://bucket/a?secret")


def test_a_scheme_whose_package_is_missing_names_it(monkeypatch):
    absent = {"class": "absentfs.AbsentFileSystem", "err": "Install absentfs to access Absent"}
    known = sys.modules["fsspec.registry"].known_implementations
    monkeypatch.setitem(known, "absent", absent)
    said = r"absent://bucket/a; Install absentfs"
    for act in (open_url, list_url):
        with pytest.raises(UnsupportedSchemeError, match=said) as caught:
            act("absent://bucket/a?secret")
        assert caught.value.stage == "open"
    with pytest.raises(UnsupportedSchemeError) as caught:
        write_url("absent://bucket/a", b"", content_type="image/jpeg")
    assert caught.value.stage == "upload"
    with pytest.raises(UnsupportedSchemeError, match=said):
        check_writable("absent://bucket/a")


def test_without_fsspec_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(UnsupportedSchemeError, match=r"pip install 'spark_keyframes\[fsspec\]'"):
        open_url("gs://bucket/a")


def test_an_output_folder_needs_a_bucket():
    check_writable("memory://bucket/keyframes")
    with pytest.raises(ParameterError, match="must name a bucket"):
        check_writable("memory://")
