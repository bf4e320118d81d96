"""Reading local files, and the checks of output folders."""

import os
import tempfile
from pathlib import Path
from urllib.parse import unquote

import pytest

from spark_keyframes.errors import (
    AccessError,
    ParameterError,
    SourceNotFoundError,
    SourceReadError,
    StorageWriteError,
)
from spark_keyframes.limits import Limits
from spark_keyframes.storage import Access, check_accepted, check_writable, open_url
from spark_keyframes.storage.download.meter import Meter
from spark_keyframes.storage.download.temporary import save


def read(url: str) -> bytes:
    with open_url(url) as file:
        return file.read()


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.mark.parametrize("name", ["a b.mp4", "100%.mp4", "%41.mp4", "what?#.mp4", "勺子.mp4"])
def test_urls_are_decoded_and_plain_paths_are_not(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"video")
    assert read(str(path)) == b"video"
    assert read(path.as_uri()) == b"video"
    assert read(path.as_uri().replace("file://", "file://localhost")) == b"video"
    assert read(path.as_uri().replace("file://", "file:")) == b"video"


@pytest.mark.parametrize("name", ["a%20b.mp4", "a b%2F.mp4", "%41%.mp4", "100%25.mp4"])
def test_hadoop_s_form_with_one_slash_is_not_encoded(tmp_path, name):
    (tmp_path / name).write_bytes(b"as it is")
    decoded = tmp_path / unquote(name)
    decoded.parent.mkdir(exist_ok=True)
    decoded.write_bytes(b"decoded")
    assert read(f"file:{tmp_path}/{name}") == b"as it is"
    assert read(f"FILE:{tmp_path}/{name}") == b"as it is"
    assert read(f"file://{tmp_path}/{name}") == b"decoded"
    assert read(f"file:///{tmp_path}/{name}") == b"decoded"
    (tmp_path / name).unlink()
    assert read(f"file:{tmp_path}/{name}") == b"decoded"


def test_the_form_as_it_is_does_not_leave_the_allowed_folders(tmp_path):
    for folder in ("in", "out"):
        (tmp_path / folder).mkdir()
    (tmp_path / "out" / "a.mp4").write_bytes(b"x")
    (tmp_path / "in" / "a%20b.mp4").symlink_to(tmp_path / "out" / "a.mp4")
    (tmp_path / "in" / "a b.mp4").write_bytes(b"y")
    access = Access(allowed_roots=(tmp_path / "in",))
    with pytest.raises(AccessError), open_url(f"file:{tmp_path}/in/a%20b.mp4", access=access):
        pass
    with open_url(f"file://{tmp_path}/in/a%20b.mp4", access=access) as file:
        assert file.read() == b"y"


def test_an_opened_file_is_seekable_and_read_only(tmp_path):
    (tmp_path / "a").write_bytes(b"0123456789")
    with open_url(str(tmp_path / "a")) as file:
        file.seek(5)
        assert file.read() == b"56789"
        assert not file.writable()


def test_another_host_is_refused():
    with pytest.raises(SourceReadError, match="got host 'server'.*three slashes"):
        open_url("file://server/a.mp4")


@pytest.mark.parametrize("name", ["nope.mp4", "file/nope.mp4"])
def test_a_missing_file(tmp_path, name):
    (tmp_path / "file").touch()
    with pytest.raises(SourceNotFoundError, match=r"nope\.mp4.*every machine"):
        open_url(str(tmp_path / name))


def test_a_folder_or_pipe_is_no_video(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceReadError, match="is a folder"):
        open_url(str(tmp_path))
    with pytest.raises(SourceReadError, match="not a regular file"):
        open_url(str(tmp_path / "pipe"))


@pytest.mark.parametrize("name", ["maps", "mem", "environ", "pagemap"])
@pytest.mark.parametrize("scheme", ["", "file://"])
def test_a_file_of_the_system_is_no_video(scheme, name, tmp_path):
    """They are regular files of size 0, but are not empty, or cannot be read."""
    link = tmp_path / "a.mp4"
    link.symlink_to(f"/proc/self/{name}")
    for path in (f"/proc/self/{name}", str(link)):
        with pytest.raises(SourceReadError, match="no file on a disk but one of the system"):
            open_url(f"{scheme}{path}")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tmp_path):
    (tmp_path / "a").write_bytes(b"")
    (tmp_path / "a").chmod(0)
    with pytest.raises(SourceReadError, match="Permission denied"):
        open_url(str(tmp_path / "a"))


@pytest.mark.parametrize("value", ["QUJD" * 100_000, "a\0b", "data:video/mp4;base64 QUJD"])
def test_values_that_are_no_path_are_source_errors(value):
    with pytest.raises((SourceReadError, SourceNotFoundError)) as caught:
        open_url(value)
    assert len(str(caught.value)) < 1000


def test_checking_an_output_folder_creates_nothing(tmp_path):
    check_writable(str(tmp_path / "a" / "b"))
    check_writable((tmp_path / "a" / "b").as_uri())
    assert names_in(tmp_path) == []


def test_the_check_at_the_start_creates_the_folder_and_an_empty_file(tmp_path):
    for place in (str(tmp_path / "a" / "b"), (tmp_path / "a" / "c").as_uri()):
        check_accepted(place)
        check_accepted(place)
    for name in ("b", "c"):
        (path,) = (tmp_path / "a" / name).iterdir()
        assert (path.name, path.read_bytes()) == (".spark_keyframes_check", b"")


def test_an_output_folder_that_cannot_be_made_fails_at_the_start(tmp_path):
    (tmp_path / "file").touch()
    failed = rf"could not store images in {tmp_path}/file/a: Not a directory"
    with pytest.raises(StorageWriteError, match=failed):
        check_accepted(str(tmp_path / "file" / "a"))


def test_a_file_is_no_output_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ParameterError, match="must be a folder"):
        check_writable(str(tmp_path / "file" / "a"))


@pytest.mark.parametrize("place", ["~/frames", "tos:/bucket/frames", "'out'", "out\n", "s3:/b/k"])
def test_a_mistyped_url_is_no_output_folder(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ParameterError, match="output_tos_dir cannot be used, got .*: .*(: |write)"):
        check_writable(place)
    assert names_in(tmp_path) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_output_folder_must_be_writable(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(ParameterError, match="no permission"):
        check_writable(str(tmp_path / "a"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux")
def test_a_full_temporary_disk_is_an_error_with_advice(tmp_path, monkeypatch):
    full = Path("/dev/full")
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda: full.open("r+b", buffering=0))
    url = "http://host/a?secret"
    with pytest.raises(SourceReadError, match=r"no room for http://host/a in .*TMPDIR"):
        save(url, [b"x" * 100_000], Meter(url, Limits()))
