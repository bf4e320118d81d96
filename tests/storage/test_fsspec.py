"""Other schemes: memory:// comes with fsspec, s3 is one whose package is not installed here."""

import importlib.util
import sys

import pytest

from spark_keyframes.errors import (
    ParameterError,
    SourceNotFoundError,
    SourceReadError,
    StorageWriteError,
    UnsupportedSchemeError,
)
from spark_keyframes.storage import check_writable, open_url, retry, write_url

fsspec = pytest.importorskip("fsspec")


def test_an_object_comes_back_as_it_went():
    write_url("memory://bucket/勺 子/a.jpg", b"image", content_type="image/jpeg")
    with open_url("memory://bucket/勺 子/a.jpg") as file:
        assert file.read() == b"image"
        assert file.seekable()
        assert not file.writable()


def test_folders_are_made_where_the_file_system_has_them(tmp_path):
    write_url(f"local://{tmp_path}/new/a.jpg", b"image", content_type="image/jpeg")
    assert (tmp_path / "new" / "a.jpg").read_bytes() == b"image"


class Shaky(fsspec.get_filesystem_class("memory")):
    """Loses the connection for as often as `errors` says."""

    protocol = "shaky"
    cachable = False
    errors = []

    def pipe_file(self, path, value, mode="overwrite", **options):
        if self.errors:
            raise self.errors.pop()
        super().pipe_file(path, value, mode=mode, **options)


@pytest.fixture
def shaky(monkeypatch):
    fsspec.register_implementation("shaky", Shaky, clobber=True)
    monkeypatch.setattr(Shaky, "errors", [])
    return Shaky


def test_a_lost_connection_is_tried_again(shaky):
    shaky.errors = [ConnectionResetError(), fsspec.exceptions.FSTimeoutError()]
    write_url("shaky://bucket/a.jpg", b"image", content_type="image/jpeg")
    assert shaky.errors == []
    with open_url("shaky://bucket/a.jpg") as file:
        assert file.read() == b"image"


@pytest.mark.parametrize("error", [PermissionError("no"), ValueError("no"), ConnectionError("no")])
def test_what_is_not_mended_is_an_error_of_ours(shaky, monkeypatch, error):
    monkeypatch.setattr(retry, "UPLOAD_SECONDS", 0.0)
    shaky.errors = [error, error]
    with pytest.raises(StorageWriteError, match="could not store shaky://bucket/a.jpg: .*no"):
        write_url("shaky://bucket/a.jpg", b"image", content_type="image/jpeg")
    assert len(shaky.errors) == 1


def test_a_missing_object():
    with pytest.raises(SourceNotFoundError, match="memory://bucket/nope"):
        open_url("memory://bucket/nope")


def test_a_folder_is_an_error_of_ours(tmp_path):
    with pytest.raises(SourceReadError, match="could not read local://"):
        open_url(f"local://{tmp_path}")


@pytest.mark.parametrize("scheme", ["nonsense", "tos2"])
def test_an_unknown_scheme(scheme):
    for act in (open_url, check_writable):
        with pytest.raises(UnsupportedSchemeError, match=f"unknown scheme {scheme}://.*tos://"):
            act(f"{scheme}://bucket/a?secret")


@pytest.mark.skipif(importlib.util.find_spec("s3fs") is not None, reason="s3fs is installed")
def test_a_scheme_whose_package_is_missing_names_it():
    with pytest.raises(UnsupportedSchemeError, match=r"s3://bucket/a; Install s3fs") as caught:
        open_url("s3://bucket/a?secret")
    assert caught.value.stage == "open"
    with pytest.raises(UnsupportedSchemeError) as caught:
        write_url("s3://bucket/a", b"", content_type="image/jpeg")
    assert caught.value.stage == "upload"


def test_without_fsspec_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(UnsupportedSchemeError, match=r"pip install 'spark_keyframes\[fsspec\]'"):
        open_url("s3://bucket/a")


def test_an_output_folder_needs_a_bucket():
    check_writable("memory://bucket/keyframes")
    with pytest.raises(ParameterError, match="must name a bucket"):
        check_writable("memory://")
