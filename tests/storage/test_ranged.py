"""Downloads of large files in parts over several connections, from real servers on loopback."""

import gc
import hashlib
import io
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_keyframes.errors import HttpStatusError, LimitError, NotAVideoError, SourceReadError
from spark_keyframes.limits import Limits
from spark_keyframes.storage import open_url
from spark_keyframes.storage.download import parts, ranged
from spark_keyframes.video import candidate_frames
from tests.storage.range_server import RangeServer

BLOCK = 4 << 10
DATA = hashlib.shake_256(b"video").digest(50 * BLOCK + 123)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    """Divides all sizes by 64, so that 200 KB are many parts."""
    monkeypatch.setattr(parts, "BLOCK", BLOCK)
    monkeypatch.setattr("spark_keyframes.storage.http.http_storage.BLOCK", BLOCK)
    monkeypatch.setattr("spark_keyframes.storage.tos.tos_storage.BLOCK", BLOCK)
    monkeypatch.setattr(ranged, "FIRST_PART", 4 * BLOCK)
    monkeypatch.setattr(parts, "FIRST_PART", 4 * BLOCK)
    monkeypatch.setattr(parts, "_READER_PART", 2 * BLOCK)


@pytest.fixture
def web(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with RangeServer(DATA) as server:
        yield server


def downloads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith("download-")]


def read(url: str) -> bytes:
    with open_url(url) as file:
        return file.read()


def test_a_large_file_is_fetched_in_parts_and_each_byte_once(web, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with open_url(web.url) as file:
        assert file.read() == DATA
        assert list(tmp_path.iterdir()) == []  # a killed task leaves nothing
        assert file.read(1) == b""
        assert not file.writable()
    assert web.ranges[0] == (0, 4 * BLOCK)
    assert sum(stop - start for start, stop in web.ranges) == len(DATA)
    assert not downloads()


def test_a_small_file_takes_one_request(web):
    web.data = DATA[: 4 * BLOCK]
    assert read(web.url) == web.data
    assert len(web.ranges) == 1
    assert not downloads()


def test_an_empty_file_has_no_range(web):
    web.data = b""
    assert read(web.url) == b""


@settings(deadline=None)  # the server may be slow on a busy machine
@given(
    size=st.integers(1, len(DATA)),
    steps=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 20 * BLOCK)), max_size=8),
)
def test_any_reads_equal_those_of_a_local_file(size, steps):
    with RangeServer(DATA[:size]) as server, open_url(server.url) as file:
        local = io.BytesIO(DATA[:size])
        for where, count in steps:
            position = int(where * size)
            assert file.seek(position) == local.seek(position)
            assert file.read(count) == local.read(count)
            assert file.tell() == local.tell()
        assert file.seek(-1, io.SEEK_END) == local.seek(-1, io.SEEK_END)
        assert file.read() == local.read()
        assert sum(stop - start for start, stop in server.ranges) <= size


def test_a_jump_to_the_end_does_not_wait_for_earlier_parts(web):
    web.hold = lambda start, stop: 0 < start < 40 * BLOCK
    with open_url(web.url) as file:
        file.seek(-100, io.SEEK_END)
        assert file.read() == DATA[-100:]
        web.hold = None
        file.seek(0)
        assert file.read() == DATA


@pytest.mark.parametrize("without", ["ranges", "tag", "strong tag", "length"])
def test_a_server_without_reliable_parts_is_read_in_one_request(web, without):
    web.without = without
    with open_url(web.url) as file:
        assert not downloads()
        assert file.read() == DATA
    assert web.ranges[-1] == (0, len(DATA))


def test_a_body_that_breaks_off_is_continued_there(web):
    broken = []

    def send(start: int, stop: int) -> int | None:
        if start == 8 * BLOCK or not start:
            broken.append(start)
            return BLOCK + 100
        return None

    web.cut = send
    assert read(web.url) == DATA
    assert broken == [0, 8 * BLOCK]
    assert (BLOCK + 100, 4 * BLOCK) in web.ranges
    assert any(start == 9 * BLOCK + 100 for start, _ in web.ranges)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_transient_statuses_are_retried(web, status):
    web.refuse = [(lambda start: start >= 8 * BLOCK, status)] * 3
    assert read(web.url) == DATA


def test_a_server_that_allows_few_connections_is_read_over_fewer(web):
    web.most_at_once = 2
    assert read(web.url) == DATA


def test_a_server_that_fails_later_is_an_error_of_reading(web):
    web.refuse = [(lambda start: start >= 8 * BLOCK, 502)] * 1000
    with open_url(web.url + "?secret") as file:
        assert file.read(8 * BLOCK) == DATA[: 8 * BLOCK]
        for _ in range(2):
            with pytest.raises(HttpStatusError, match=r"status 502 .* in 4 attempts") as caught:
                file.read(1)
    assert "secret" not in str(caught.value)
    assert not downloads()


@pytest.mark.parametrize("size", [len(DATA), len(DATA) - 1, 10])
def test_a_file_that_changes_is_an_error(web, size):
    other = DATA[::-1][:size]
    web.replace = lambda start: other if start >= 12 * BLOCK else None
    with open_url(web.url + "?secret") as file:
        with pytest.raises(SourceReadError, match="changed while it was read") as caught:
            file.read()
        assert "secret" not in str(caught.value)
        file.seek(0)
        assert file.read(4 * BLOCK) == DATA[: 4 * BLOCK]


def test_a_reader_whose_request_fails_leaves_it_to_the_other_threads(web):
    web.hold = lambda start, stop: 0 < start < 40 * BLOCK
    web.refuse = [(lambda start: start >= 40 * BLOCK, 404)] * 10_000
    with open_url(web.url, limits=Limits(max_download_seconds=0.5)) as file:
        file.seek(-100, io.SEEK_END)
        with pytest.raises(LimitError, match="max_download_seconds"):
            file.read()
    assert 10_000 - len(web.refuse) <= 1


def test_a_missing_file_is_an_error_of_opening(web):
    web.refuse = [(lambda start: True, 404)]
    with pytest.raises(HttpStatusError, match="status 404"):
        open_url(web.url)
    assert len(web.ranges) == 0


@pytest.mark.parametrize("position", [4 * BLOCK, 40 * BLOCK], ids=["read ahead", "jump"])
@pytest.mark.parametrize("where", ["before the answer", "in the body", "in the first body"])
def test_closing_interrupts_all_waits(web, where, position):
    web.hold_in_body = where != "before the answer"
    web.hold = lambda start, stop: start > 0 or where == "in the first body"
    file = open_url(web.url)
    errors = []

    def wait() -> None:
        try:
            file.seek(position)
            file.read(1)
        except ValueError as error:
            errors.append(error)

    reader = threading.Thread(target=wait)
    reader.start()
    web.held.wait(10)
    file.close()  # while the server still holds back its answers
    reader.join(10)
    assert not reader.is_alive()
    assert "closed" in str(errors[0])
    assert not downloads()
    with pytest.raises(ValueError, match="closed"):
        file.read(1)


def test_an_unclosed_file_is_closed_by_the_garbage_collector(web):
    web.hold = lambda start, stop: start > 0
    file = open_url(web.url)
    assert downloads()
    del file
    gc.collect()
    assert not downloads()


def test_an_unclosed_file_does_not_keep_python_from_ending(web):
    web.hold = lambda start, stop: start > 0
    web.data = bytes(6 << 20)
    program = (
        "from spark_keyframes.storage import open_url\n"
        f"keep = [open_url({web.url!r})]\n"
        "keep.append(keep)\n"
        "print('open')\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], timeout=60, capture_output=True, text=True, check=True
    )
    assert run.stdout == "open\n"


def test_a_full_temporary_disk_is_an_error_of_reading(web, monkeypatch):
    def full(*args: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(parts.os, "pwrite", full)
    with open_url(web.url) as file, pytest.raises(SourceReadError, match="no room for .*TMPDIR"):
        file.read()


# The same with the real SDK of TOS.


def test_a_large_object_is_fetched_in_parts(tos):
    tos.objects["bucket", "a"] = DATA
    assert read("tos://bucket/a") == DATA
    assert {answer[3] for answer in tos.answers} == {206}
    assert tos.requests == len(set(tos.ranges)) > 4
    assert not downloads()


@pytest.mark.parametrize("fault", [503, "reset", "truncate"])
def test_a_part_of_an_object_survives_transient_failures(tos, fault):
    tos.objects["bucket", "a"] = DATA
    tos.faults.extend(["none", fault, "none", fault])
    with open_url("tos://bucket/a") as file:
        assert file.read() == DATA


def test_parts_with_a_wrong_checksum_are_an_error(tos):
    tos.objects["bucket", "a"] = DATA
    tos.faults.extend(["none", "none", "corrupt"])
    with (
        open_url("tos://bucket/a") as file,
        pytest.raises(SourceReadError, match="the checksum of tos://bucket/a differs"),
    ):
        file.read()


def test_an_object_that_is_replaced_is_an_error(tos):
    tos.objects["bucket", "a"] = DATA
    tos.faults.extend(["none", "none", "replaced"])
    with open_url("tos://bucket/a") as file, pytest.raises(SourceReadError, match="changed while"):
        file.read()


# Videos that are decoded by FFmpeg.


def draw(path: Path, **options: str) -> bytes:
    noise = np.random.default_rng(0)
    with av.open(str(path), "w", container_options=options) as output:
        stream = output.add_stream("libx264", rate=10, options={"g": "10"})
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for _ in range(60):
            image = noise.integers(0, 256, (96, 128, 3), dtype=np.uint8)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        output.mux(stream.encode(None))
    return path.read_bytes()


def pixels(source: str | bytes) -> list[tuple[int, bytes]]:
    return [(f.frame_id, f.to_rgb().tobytes()) for f in candidate_frames(source, fps=1)]


@pytest.mark.parametrize(
    "options", [{}, {"movflags": "faststart"}], ids=["index at the end", "at the start"]
)
def test_the_frames_equal_those_of_the_local_bytes(web, tmp_path, options):
    web.data = draw(tmp_path / "a.mp4", **options)
    assert len(web.data) > 20 * BLOCK
    assert pixels(web.url) == pixels(web.data)
    assert sum(stop - start for start, stop in web.ranges) == len(web.data)


@pytest.mark.parametrize("first_part", [4 * BLOCK, 4 << 20], ids=["in parts", "in one"])
def test_parts_without_a_length_that_are_cut_cost_no_frame(web, tmp_path, monkeypatch, first_part):
    monkeypatch.setattr(ranged, "FIRST_PART", first_part)
    web.data = draw(tmp_path / "a.mp4", movflags="faststart")
    web.without = "part length"
    cut = set()

    def once(start: int, stop: int) -> int | None:
        if start in cut or start % BLOCK:  # each first request of a span, but not its continuation
            return None
        cut.add(start)
        return (stop - start) // 3 | 1

    web.cut = once
    assert pixels(web.url) == pixels(web.data)
    assert cut


def test_an_error_during_decoding_is_raised(web, tmp_path):
    web.data = draw(tmp_path / "a.mp4", movflags="faststart")
    web.refuse = [(lambda start: start >= 8 * BLOCK, 403)] * 1000
    with pytest.raises(HttpStatusError, match="status 403.*signed URL may have expired"):
        list(candidate_frames(web.url))
    assert not downloads()


def test_a_file_that_is_no_video_is_not_downloaded_completely(web):
    web.data = b"PK\3\4" + bytes(6 << 20)
    web.hold = lambda start, stop: start >= 2 << 20  # FFmpeg detects the format in the first MB
    with pytest.raises(NotAVideoError, match="ZIP"):
        list(candidate_frames(web.url))
    assert not downloads()
