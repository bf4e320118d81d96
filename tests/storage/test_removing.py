"""Objects are removed one by one, in all storages that can be written."""

import pytest

from spark_keyframes.errors import (
    BucketNotFoundError,
    CredentialsError,
    StorageWriteError,
    UnsupportedSchemeError,
)
from spark_keyframes.storage import remove_url, write_url


def stored(url):
    write_url(url, b"image", content_type="image/jpeg")
    return url


def test_a_local_file_is_removed(tmp_path):
    remove_url(stored(str(tmp_path / "a.jpg")))
    remove_url(f"file://{tmp_path}/none.jpg")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_not_removed(tmp_path):
    with pytest.raises(StorageWriteError, match="could not remove .*: Is a directory"):
        remove_url(str(tmp_path))


def test_an_object_in_tos_is_removed(tos):
    remove_url(stored("tos://bucket/a.jpg"))
    assert tos.objects == {}
    remove_url("tos://bucket/none.jpg")


def test_a_refusal_to_remove_says_so(tos):
    with pytest.raises(BucketNotFoundError):
        remove_url("tos://mistyped/a.jpg")
    stored("tos://bucket/a.jpg")
    tos.denied.add("a.jpg")
    with pytest.raises(CredentialsError, match=r"TOS refused to remove tos://bucket/a\.jpg") as e:
        remove_url("tos://bucket/a.jpg")
    assert e.value.stage == "upload"


def test_a_busy_tos_is_asked_again(tos):
    stored("tos://bucket/a.jpg")
    tos.faults.extend([503] * 4)
    remove_url("tos://bucket/a.jpg")
    assert tos.objects == {}


def test_an_object_in_s3_is_removed(s3):
    s3.put("films", "b.jpg")
    remove_url(stored("s3a://films/a.jpg"))
    assert s3.keys("films") == ["b.jpg"]
    remove_url("s3://films/none.jpg")
    with pytest.raises(BucketNotFoundError):
        remove_url("s3://mistyped/a.jpg")


def test_an_object_of_fsspec_is_removed():
    fsspec = pytest.importorskip("fsspec")
    remove_url(stored("memory://bucket/a.jpg"))
    remove_url("memory://bucket/a.jpg")
    assert not fsspec.filesystem("memory").exists("/bucket/a.jpg")


@pytest.mark.parametrize("url", ["https://host/a.jpg", "data:image/jpeg;base64,"])
def test_read_only_schemes_refuse(url):
    with pytest.raises(UnsupportedSchemeError, match="cannot write to"):
        remove_url(url)
