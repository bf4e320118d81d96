"""Large files through fsspec: in parts of one version, where the package tells versions apart."""

import hashlib
import io
import os
import threading
import time

import pyarrow.fs
import pytest

from spark_keyframes.errors import LimitError, SourceReadError
from spark_keyframes.limits import Limits
from spark_keyframes.storage import open_url
from spark_keyframes.storage.download import parts
from spark_keyframes.storage.fsspec import fsspec_file

fsspec = pytest.importorskip("fsspec")

DATA = hashlib.shake_256(b"video").digest(1 << 20)
PIECE = 16 << 10


class Versioned(fsspec.get_filesystem_class("memory")):
    """As Google's storage: `info` has an ETag. Counts the bytes that are read."""

    protocol = "versioned"
    cachable = False
    data, errors, received, over = DATA, [], 0, threading.Event()
    hangs = False

    def info(self, path, **options):
        return {"size": len(self.data), "etag": hashlib.md5(self.data).hexdigest()}

    def cat_file(self, path, start=None, end=None, **options):
        if self.errors:
            raise self.errors.pop()
        if self.hangs and start:
            self.over.wait(20)
        type(self).received += end - start
        return self.data[start:end]


@pytest.fixture
def versioned(monkeypatch, small_parts):
    monkeypatch.setattr(fsspec_file, "_BLOCK", PIECE)
    fsspec.register_implementation("versioned", Versioned, clobber=True)
    for name in ("data", "errors", "received", "over", "hangs"):
        monkeypatch.setattr(Versioned, name, getattr(Versioned, name))
    Versioned.over = threading.Event()
    yield Versioned
    Versioned.over.set()


def downloads():
    return [t for t in threading.enumerate() if t.name.startswith("download-")]


def test_a_large_file_is_fetched_in_parts_and_each_byte_once(versioned):
    with open_url("versioned://films/a") as file:
        assert downloads()
        file.seek(-100, os.SEEK_END)
        assert file.read() == DATA[-100:]
        file.seek(0)
        assert file.read() == DATA
    assert versioned.received == len(DATA)
    assert not downloads()


def test_of_a_part_of_a_video_little_more_is_fetched(versioned, monkeypatch):
    monkeypatch.setattr(parts, "_AHEAD", 64 << 10)
    with open_url("versioned://films/a", whole=False) as file:
        file.seek(-100, os.SEEK_END)
        assert file.read() == DATA[-100:]
    assert versioned.received < len(DATA) / 3


def test_a_lost_connection_is_retried_where_it_broke(versioned):
    versioned.errors = [ConnectionResetError(), TimeoutError(), ConnectionResetError()]
    with open_url("versioned://films/a") as file:
        assert file.read() == DATA
    assert versioned.received == len(DATA)


@pytest.mark.parametrize("other", [DATA[::-1], DATA[:-1]])
def test_a_file_that_is_replaced_is_an_error(versioned, monkeypatch, other):
    own = versioned.cat_file

    def replaced(self, path, start=None, end=None, **options):
        if start > len(DATA) // 2:
            versioned.data = other
        return own(self, path, start, end)

    monkeypatch.setattr(versioned, "cat_file", replaced)
    with (
        open_url("versioned://films/a") as file,
        pytest.raises(SourceReadError, match="films/a changed while it was read"),
    ):
        file.read()


def test_a_piece_that_is_too_short_is_an_error(versioned, monkeypatch):
    monkeypatch.setattr(versioned, "cat_file", lambda self, path, start, end: DATA[start : end - 1])
    with pytest.raises(SourceReadError, match="in 4 attempts: the body is incomplete"):
        open_url("versioned://films/a").read()


def test_a_package_that_hangs_ends_at_the_deadline_and_at_the_close(versioned):
    versioned.hangs = True
    begin = time.monotonic()
    file = open_url("versioned://films/a", limits=Limits(max_download_seconds=0.5))
    with file, pytest.raises(LimitError, match="max_download_seconds"):
        file.read()
    file = open_url("versioned://films/a")
    file.close()
    assert not downloads()
    assert time.monotonic() - begin < 15


def test_hdfs_is_read_in_parts_through_arrow(monkeypatch, small_parts, tmp_path):
    """The file system of Arrow is that of HDFS but for Hadoop's library, which needs a cluster."""
    kind = fsspec.get_filesystem_class("hdfs").__mro__[1]

    class Local(kind):
        protocol = "hdfs"
        cachable = False

        def __init__(self, **options):
            super().__init__(pyarrow.fs.LocalFileSystem())

    monkeypatch.setattr(fsspec_file, "file_system", lambda url: (Local(), f"{tmp_path}/a.mp4"))
    (tmp_path / "a.mp4").write_bytes(DATA)
    with open_url("hdfs://name-node/a.mp4") as file:
        assert downloads()
        assert file.read() == DATA
    with open_url("hdfs://name-node/a.mp4") as file:
        file.seek(0, io.SEEK_END)
        (tmp_path / "a.mp4").write_bytes(DATA[::-1])
        os.utime(tmp_path / "a.mp4", (1, 1))
        file.seek(0)
        with pytest.raises(SourceReadError, match="changed while it was read"):
            file.read()
