"""Output folders of fsspec: no bucket is created, and what is wrong is told at the start."""

import threading
import time

import pytest

from spark_keyframes.engine import ImageWriter
from spark_keyframes.errors import BucketNotFoundError, StorageWriteError
from spark_keyframes.storage import check_accepted, retry, write_url
from spark_keyframes.storage.fsspec import fsspec_storage

fsspec = pytest.importorskip("fsspec")
stores = pytest.importorskip("tests.storage.fsspec_stores")


@pytest.fixture(autouse=True)
def nothing_accepted(monkeypatch):
    monkeypatch.setattr(fsspec_storage, "_accepted", set())
    for kind in (stores.Buckets, stores.Server):
        fsspec.register_implementation(kind.protocol, kind, clobber=True)
        monkeypatch.setattr(kind, "store", {})
        monkeypatch.setattr(kind, "pseudo_dirs", [""])
    monkeypatch.setattr(stores.Buckets, "buckets", {"films"})
    monkeypatch.setattr(stores.Buckets, "error", None)


def test_a_bucket_that_does_not_exist_is_not_created():
    said = "no bucket or container 'nobucket', got buckets://nobucket/x; correct its name"
    with pytest.raises(BucketNotFoundError, match=said) as caught:
        ImageWriter("buckets://nobucket/x", ".jpg").check()
    assert ".spark_keyframes_check" not in str(caught.value)
    with pytest.raises(BucketNotFoundError, match=r"nobucket/x/a\.jpg"):
        write_url("buckets://nobucket/x/a.jpg", b"image", content_type="image/jpeg")
    assert stores.Buckets.buckets == {"films"}
    assert stores.Buckets.store == {}


def test_one_empty_object_is_written_once_in_a_process():
    check_accepted("buckets://films/new folder/")
    ((path, stored),) = stores.Buckets.store.items()
    assert (path, stored.getvalue()) == ("/films/new folder/.spark_keyframes_check", b"")
    stores.Buckets.error = PermissionError("not asked again")
    check_accepted("buckets://films/new folder/")


def test_folders_on_a_server_are_made():
    write_url("server://films/films/a/b.jpg", b"image", content_type="image/jpeg")
    check_accepted("server://films/films/c/d")
    assert sorted(stores.Server.store) == ["/films/a/b.jpg", "/films/c/d/.spark_keyframes_check"]


@pytest.mark.parametrize("error", [PermissionError("denied"), OSError("Unable to load libhdfs")])
def test_what_cannot_be_written_is_told_before_the_first_video(error):
    stores.Buckets.error = error
    said = rf"could not store buckets://films/x: \w+: {error}"
    with pytest.raises(StorageWriteError, match=said):
        check_accepted("buckets://films/x")


@pytest.mark.parametrize("error", [ConnectionResetError(), TimeoutError()])
def test_a_transient_failure_is_left_to_the_uploads(error):
    stores.Buckets.error = error
    check_accepted("buckets://films/x")
    stores.Buckets.error = None
    assert stores.Buckets.store == {}
    check_accepted("buckets://films/x")
    assert len(stores.Buckets.store) == 1


def test_a_package_that_hangs_does_not_stop_the_start(monkeypatch):
    over = threading.Event()
    monkeypatch.setattr(stores.Buckets, "pipe_file", lambda self, path, value: over.wait(20))
    monkeypatch.setattr(fsspec_storage, "_CHECK_SECONDS", 0.2)
    begin = time.monotonic()
    check_accepted("buckets://films/x")
    assert time.monotonic() - begin < 15
    over.set()


def test_hdfs_without_its_library_is_told_at_the_start(monkeypatch, tmp_path):
    """As a worker without Hadoop's native library: nothing has been decoded by then."""
    monkeypatch.setattr(retry, "UPLOAD_SECONDS", 0.0)
    for name in ("HADOOP_HOME", "ARROW_LIBHDFS_DIR", "JAVA_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    with pytest.raises(StorageWriteError, match=r"could not store hdfs://none\.invalid/x: \w+:"):
        ImageWriter("hdfs://none.invalid/x", ".jpg").check()
