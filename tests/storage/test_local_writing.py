"""Atomic writes of local files, with and without the unnamed files of Linux."""

import os
import resource
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from spark_keyframes.errors import StorageWriteError
from spark_keyframes.storage import atomic, open_url, write_url


@pytest.fixture(autouse=True, params=["unnamed", "named"])
def way(request, monkeypatch):
    if request.param == "named":
        monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    elif not hasattr(os, "O_TMPFILE"):
        pytest.skip("this system has no unnamed files")
    return request.param


def write(path: Path, data: bytes) -> None:
    write_url(str(path), data, content_type="image/jpeg")


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_writing_creates_folders_replaces_and_leaves_nothing_else(tmp_path):
    url = (tmp_path / "new folder" / "a.jpg").as_uri()
    write_url(url, b"one", content_type="image/jpeg")
    write_url(url, b"two", content_type="image/jpeg")
    with open_url(url) as file:
        assert file.read() == b"two"
    assert names_in(tmp_path / "new folder") == ["a.jpg"]


def test_the_permissions_of_a_new_file_follow_the_umask(tmp_path):
    umask = os.umask(0o027)
    try:
        write(tmp_path / "a.jpg", b"")
    finally:
        os.umask(umask)
    assert (tmp_path / "a.jpg").stat().st_mode & 0o777 == 0o640


def test_a_file_with_the_same_content_is_not_written_again(tmp_path):
    write(tmp_path / "a.jpg", b"one")
    before = (tmp_path / "a.jpg").stat()
    write(tmp_path / "a.jpg", b"one")
    after = (tmp_path / "a.jpg").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    write(tmp_path / "a.jpg", b"uno")
    assert (tmp_path / "a.jpg").read_bytes() == b"uno"


def test_an_open_file_keeps_its_content_when_it_is_replaced(tmp_path):
    write(tmp_path / "a.jpg", b"one")
    with (tmp_path / "a.jpg").open("rb") as old:
        write(tmp_path / "a.jpg", b"two")
        assert old.read() == b"one"


def test_a_folder_at_the_path_is_an_error(tmp_path):
    (tmp_path / "a.jpg").mkdir()
    with pytest.raises(StorageWriteError, match=r"could not store .*a\.jpg: Is a directory"):
        write(tmp_path / "a.jpg", b"data")
    assert names_in(tmp_path) == ["a.jpg"]


def test_a_named_pipe_at_the_path_is_replaced(tmp_path):
    os.mkfifo(tmp_path / "a.jpg")
    write(tmp_path / "a.jpg", b"data")
    assert (tmp_path / "a.jpg").read_bytes() == b"data"


@pytest.mark.parametrize("already", [True, False])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, already):
    """A limit on the file size stands for a full disk."""
    if already:
        write(tmp_path / "a.jpg", b"old")
    before = names_in(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))
    try:
        with pytest.raises(StorageWriteError, match=r"a\.jpg: File too large; free space there"):
            write(tmp_path / "a.jpg", bytes(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert names_in(tmp_path) == before
    assert not already or (tmp_path / "a.jpg").read_bytes() == b"old"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux")
def test_a_full_disk_is_an_error_with_advice(tmp_path, monkeypatch):
    full = Path("/dev/full")
    monkeypatch.setattr(atomic, "_new_file", lambda temporary: full.open("r+b", buffering=0))
    with pytest.raises(StorageWriteError, match=r"No space left on device; free space there, or"):
        write(tmp_path / "a.jpg", b"data")
    assert names_in(tmp_path) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_an_error_with_advice(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StorageWriteError, match="Permission denied; the user that runs the tasks"):
        write(tmp_path / "a.jpg", b"data")


def test_concurrent_writers_never_mix_their_data(tmp_path):
    """Like speculative tasks, but with different bytes, so that mixed files can be detected."""
    texts = [bytes([number]) * 100_000 for number in range(8)]

    def go_on(text):
        for _ in range(20):
            write(tmp_path / "a.jpg", text)
            assert (tmp_path / "a.jpg").read_bytes() in texts

    with ThreadPoolExecutor(len(texts)) as pool:
        list(pool.map(go_on, texts))
    assert names_in(tmp_path) == ["a.jpg"]


PROGRAM = """
import os, sys
way, path = sys.argv[1:]
if way == "named":
    del os.O_TMPFILE
from spark_keyframes.storage import write_url
write_url(path, bytes(1 << 30), content_type="")
"""


def test_a_killed_process_leaves_at_most_a_temporary_file(tmp_path, way):
    program = [sys.executable, "-c", PROGRAM, way, str(tmp_path / "a.jpg")]
    process = subprocess.Popen(program)
    deadline = time.monotonic() + 20
    while not has_begun(process.pid, tmp_path):
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
    process.send_signal(signal.SIGKILL)
    process.wait()
    left = names_in(tmp_path)
    assert "a.jpg" not in left
    if way == "unnamed":
        assert left == []
    else:
        assert [name[-4:] for name in left] == [".tmp"]


def has_begun(pid: int, folder: Path) -> bool:
    """Return whether the process is writing: it has a file open in the folder."""
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            if str(link.readlink()).startswith(str(folder)):
                return True
        except OSError:
            continue
    return False
