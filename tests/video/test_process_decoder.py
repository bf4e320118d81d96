"""A ProcessDecoder returns the same frames, counts and errors as a ThreadDecoder."""

from __future__ import annotations

import io
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from spark_keyframes.errors import DecodeError, NoFramesError, ParameterError, SourceReadError
from spark_keyframes.video import (
    Ahead,
    CentreCrop,
    Frame,
    Window,
    candidate_frames,
    open_source,
)
from spark_keyframes.video.process import ProcessDecoder, handed_file
from spark_keyframes.video.process.link import Link
from spark_keyframes.video.process.process_pool import process_pool
from spark_keyframes.video.process.serve import Session
from spark_keyframes.video.process.shared_memory import create_shared_memory, map_shared_memory
from spark_keyframes.video.process.shared_thread_slots import ThreadCounts
from spark_keyframes.video.thread_decoder import ThreadDecoder

from .clips import H264, clip, clip_named, number_in
from .decode_processes import decoder, kill, process_of, seen

__all__ = ["decoder"]  # a fixture

KINDS = (
    "h264 mp4",
    "h264 open GOP ts",
    "vp9 webm",
    "h264 turned",
    "h264 ts from 10 s",
    "mpeg4 avi",
    "msmpeg4v3 avi",
    "hevc 10 bit",
)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("prefetch", [True, False])
def test_frames_and_counts_equal_those_of_a_thread_decoder(name: str, prefetch: bool) -> None:
    data = clip_named(name)

    def all_of(decoder: ThreadDecoder | ProcessDecoder) -> list[object]:
        with decoder, decoder.open(io.BytesIO(data)) as video:
            candidates = [seen(picture) for picture in video.candidates(5.0, hold=True)]
            ids = [candidate[0] for candidate in candidates]
            video.release(ids[::2])
            held = [seen(picture) for picture in video.frames_by_id(ids)]
            again = [seen(picture) for picture in video.frames_by_id([1, 2, 30])]
            count = video.candidate_count(5.0)
        counts = video.frames_decoded, video.frames_skipped, video.decoded_again
        return [candidates, held, again, count, counts]

    assert all_of(ProcessDecoder(2, prefetch=prefetch)) == all_of(ThreadDecoder(2))


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("hold", [True, False])
@pytest.mark.parametrize("at_once", [1, 4, 64])
def test_candidates_that_are_decoded_with_the_opening(name: str, hold: bool, at_once: int) -> None:
    data = clip_named(name)

    def all_of(decoder: ThreadDecoder | ProcessDecoder) -> list[object]:
        with decoder.open(io.BytesIO(data), ahead=Ahead(5.0, hold)) as video:
            count = video.candidate_count(5.0)
            candidates = [seen(picture) for picture in video.candidates(5.0, hold=hold)]
            duration = video.duration
        counts = video.frames_decoded, video.frames_skipped, video.decoded_again
        return [count, candidates, duration, counts]

    with ThreadDecoder(2) as threads, ProcessDecoder(2) as processes:
        processes.pictures_at_once = at_once
        assert all_of(processes) == all_of(threads)
    assert not process_pool().thread_counts.counts.any(), "all threads have ended"


@pytest.mark.parametrize("hold", [True, False])
@pytest.mark.parametrize("taken", [0, 1, 5, 18])
def test_something_else_is_asked_than_was_decoded_with_the_opening(hold: bool, taken: int) -> None:
    """Without `hold`, the process closes the video after the last candidate."""
    data = clip_named("h264 mp4")

    def all_of(decoder: ThreadDecoder | ProcessDecoder) -> list[object]:
        with decoder.open(io.BytesIO(data), ahead=Ahead(5.0, hold)) as video:
            candidates = video.candidates(5.0, hold=hold)
            found: list[object] = [seen(next(candidates)) for _ in range(taken)]
            found += [seen(picture) for picture in video.frames_by_id([1, 5, 30])]
            found += [*video.candidate_times(2.0), video.candidate_count(2.0)]
            found += [seen(picture) for picture in video.candidates(2.0, hold=hold)]
        return found

    with ThreadDecoder(1) as threads, ProcessDecoder(1) as processes:
        assert all_of(processes) == all_of(threads)


def test_a_window_without_candidates() -> None:
    data, window = clip_named("h264 mp4"), Window(0.5, 0.6)
    with ProcessDecoder(1) as decoder:
        for ahead in (None, Ahead(1.0, hold=False)):
            with decoder.open(io.BytesIO(data), window=window, ahead=ahead) as video:
                assert list(video.candidates(1.0, hold=False)) == []
                assert video.candidate_count(1.0) == 0


def test_no_message_is_needed_to_close_a_video_whose_candidates_were_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[str] = []
    with ProcessDecoder(1) as decoder:
        with decoder.open(
            io.BytesIO(clip_named("h264 mp4")), ahead=Ahead(5.0, hold=False)
        ) as video:
            process = process_of(video)
            assert len(list(video.candidates(5.0, hold=False))) == 18
            monkeypatch.setattr(process, "send", lambda command, *_, **__: sent.append(command))
        monkeypatch.undo()
        assert not sent
        assert video.frames_decoded > 18
        assert process.is_usable


def test_the_wrong_fps_is_an_error_of_the_opening(decoder: ProcessDecoder) -> None:
    with pytest.raises(ParameterError, match="fps must be greater than 0"):
        decoder.open(io.BytesIO(clip_named("h264 mp4")), ahead=Ahead(0.0, hold=True))


def test_an_error_of_the_first_candidates_is_none_of_the_opening(decoder: ProcessDecoder) -> None:
    data = bytearray(clip("libx264", "mp4", options=H264))
    start, stop = data.index(b"mdat") + 4, data.index(b"moov")
    data[start:stop] = bytes(stop - start)
    with decoder.open(io.BytesIO(data), ahead=Ahead(5.0, hold=False)) as video:
        process = process_of(video)
        for _ in range(2):
            with pytest.raises((DecodeError, NoFramesError), match="none of the video's"):
                next(video.candidates(5.0, hold=False))
    assert process.is_usable


def test_the_seconds_of_decoding_are_known_apart_from_those_of_opening(
    decoder: ProcessDecoder,
) -> None:
    data = clip_named("h264 mp4")
    for ahead in (None, Ahead(5.0, hold=False)):
        began = time.monotonic()
        with decoder.open(io.BytesIO(data), ahead=ahead) as video:
            assert (0 < video.seconds_ahead < time.monotonic() - began) == (ahead is not None)


@pytest.mark.parametrize("most", [0, 1 << 20])
def test_small_bytes_are_handed_over_whole(
    most: int, decoder: ProcessDecoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handed_file, "_MOST_COPIED", most)
    data = clip_named("h264 mp4")
    with (
        open_source(data, video_src_type="video_binary") as source,
        decoder.open(source.file) as video,
    ):
        assert (video._handed.server is None) == (len(data) <= most)
        found = [number_in(picture.rgb) for picture in video.candidates(5.0, hold=True)]
        kill(process_of(video))  # the next process gets the bytes again
        found += [number_in(picture.rgb) for picture in video.frames_by_id([5, 30])]
    assert found == [*range(0, 90, 5), 5, 30]
    assert video._handed._copy is None, "closed"


def test_pictures_before_an_error_come_first() -> None:
    link, _ = Link.pair(max_message=1000)
    session = Session(link, ThreadCounts(), 0)
    frames = list(candidate_frames(clip_named("h264 mp4"), fps=5.0))[:3]

    def damaged() -> Iterator[Frame]:
        yield from frames
        raise DecodeError("a frame is damaged")

    session._iterator = damaged()
    answer, memory = session.next(buffer=0, most=64)
    assert [picture["frame_id"] for picture in answer["pictures"]] == [0, 5, 10]
    assert "end" not in answer
    assert memory is not None
    os.close(memory)
    with pytest.raises(DecodeError, match="damaged"):
        session.next(buffer=0, most=64)
    link.close()


def test_one_process_decodes_one_video_after_another(decoder: ProcessDecoder) -> None:
    pids = set()
    for name in KINDS:
        with decoder.open(io.BytesIO(clip_named(name))) as video:
            pids.add(process_of(video).pid)
            assert next(video.candidates(1.0, hold=True)).frame_id == 0
    assert len(pids) == 1


def test_errors_of_the_process_are_raised_as_they_are(decoder: ProcessDecoder) -> None:
    with decoder.open(io.BytesIO(clip_named("h264 mp4"))) as video:
        process = process_of(video)
        with pytest.raises(ParameterError, match="no frame 90; frame ids go from 0 to 89"):
            list(video.frames_by_id([90]))
        with pytest.raises(ParameterError, match="fps must be greater than 0"):
            video.candidate_count(0.0)
        assert len(list(video.candidates(5.0, hold=True))) == 18, "the video is still usable"
        assert process_of(video) is process
    assert process.is_usable
    assert video.frames_decoded >= 18


def test_errors_of_the_file_are_raised_as_they_are(decoder: ProcessDecoder) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 5000:
                raise SourceReadError("the connection was lost")
            return super().read(min(size or 0, 4096))

    with pytest.raises(SourceReadError, match="connection was lost"):
        decoder.open(Broken(clip_named("h264 mp4")))


def test_the_process_reads_a_file_on_disk_itself(decoder: ProcessDecoder, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(clip_named("h264 mp4"))
    with path.open("rb") as file, decoder.open(file) as video:
        assert video._handed.server is None
        kill(video)
        assert [number_in(p.rgb) for p in video.candidates(5.0, hold=True)] == list(range(0, 90, 5))


def test_an_iterator_may_be_left_before_its_end(decoder: ProcessDecoder) -> None:
    with decoder.open(io.BytesIO(clip_named("h264 mp4"))) as video:
        for fps in (1.0, 5.0, 25.0):
            assert next(video.candidates(fps, hold=True)).frame_id == 0
        assert [p.frame_id for p in video.frames_by_id([3, 4])] == [3, 4]
        assert video.candidate_count(1.0) == 4


def test_many_videos_at_the_same_time() -> None:
    names = [KINDS[number % len(KINDS)] for number in range(12)]
    results: dict[int, list[int]] = {}

    def one(number: int) -> None:
        with decoder.open(io.BytesIO(clip_named(names[number]))) as video:
            results[number] = [p.frame_id for p in video.candidates(5.0, hold=True)]

    for name in set(names):
        clip_named(name)
    with ProcessDecoder(3) as decoder:
        threads = [threading.Thread(target=one, args=(number,)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(results) == 12
    for number in range(12):
        assert results[number] == results[number % len(KINDS)]
    assert not process_pool().thread_counts.counts.any(), "all threads have ended"


def test_the_process_has_no_credentials_and_no_torch(
    decoder: ProcessDecoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "do-not-tell")
    monkeypatch.setattr("spark_keyframes.video.process.process_pool._pool", None)
    with decoder.open(io.BytesIO(clip_named("h264 mp4"))) as video:
        proc = Path(f"/proc/{process_of(video).pid}")
        assert b"do-not-tell" not in (proc / "environ").read_bytes()
        assert b"SECRET" not in (proc / "environ").read_bytes()
        libraries = (proc / "maps").read_text()
        assert "libavcodec" in libraries
        for unneeded in ("libtorch", "libarrow", "libjvm", "pandas"):
            assert unneeded not in libraries


def test_a_fork_of_the_engine_has_processes_of_its_own(decoder: ProcessDecoder) -> None:
    with decoder.open(io.BytesIO(clip_named("h264 mp4"))) as video:
        pid = process_of(video).pid
    forked = os.fork()
    if not forked:
        with decoder.open(io.BytesIO(clip_named("h264 mp4"))) as video:
            is_good = (
                process_of(video).pid != pid and len(list(video.candidates(5.0, hold=True))) == 18
            )
        os._exit(0 if is_good else 1)
    assert os.waitpid(forked, 0)[1] == 0
    with decoder.open(io.BytesIO(clip_named("h264 mp4"))) as video:
        assert process_of(video).pid == pid


def test_shared_memory_that_could_shrink_is_refused() -> None:
    array = map_shared_memory(create_shared_memory(4096), 4096)
    array[:] = 7
    assert array.sum() == 7 * 4096
    with pytest.raises(ValueError, match="less than 8192"):
        map_shared_memory(create_shared_memory(4096), 8192)
    unsealed = os.memfd_create("test")
    os.ftruncate(unsealed, 4096)
    with pytest.raises(ValueError, match="not sealed"):
        map_shared_memory(unsealed, 4096)


@pytest.mark.slow
def test_the_frame_size_may_grow_beyond_the_buffer(decoder: ProcessDecoder) -> None:
    small = clip("libx264", "mpegts", options=H264, frames=50)
    large = clip(
        "libx264", "mpegts", options=H264, frames=50, size=(1920, 1080), pts=list(range(50, 100))
    )
    with decoder.open(io.BytesIO(small + large)) as video:
        shapes = [picture.rgb.shape for picture in video.candidates(5.0, hold=False)]
    assert set(shapes) == {(64, 96, 3), (1080, 1920, 3)}
    assert np.prod(shapes[-1]) > np.prod(shapes[0])


@pytest.mark.parametrize("name", ["h264 mp4", "h264 turned", "hevc 10 bit", "h264 odd size"])
@pytest.mark.parametrize("is_ahead", [True, False])
def test_only_what_a_model_looks_at_is_converted(
    name: str, is_ahead: bool, decoder: ProcessDecoder
) -> None:
    data, looks_at = clip_named(name), CentreCrop(16, 16, 2)

    def all_of(opened: ThreadDecoder | ProcessDecoder, crop: CentreCrop | None) -> list[object]:
        found: list[object] = []
        ahead = Ahead(5.0, hold=True, looks_at=crop if is_ahead else None)
        with opened.open(io.BytesIO(data), ahead=ahead) as video:
            for picture in video.candidates(5.0, hold=True, looks_at=crop):
                box = looks_at.box(*picture.rgb.shape[:2])
                part = picture.rgb[box.top : box.bottom, box.left : box.right]
                found.append((picture.frame_id, picture.rgb.shape, part.tobytes()))
            found += map(seen, video.frames_by_id([0, 5, 10]))  # whole, as ever
        return found

    expected = all_of(ThreadDecoder(2), None)
    assert all_of(decoder, looks_at) == all_of(ThreadDecoder(2), looks_at) == expected


def test_another_process_looks_at_the_same(decoder: ProcessDecoder) -> None:
    looks_at = CentreCrop(16, 16, 2)
    with decoder.open(io.BytesIO(clip_named("h264 mp4"))) as video:
        pictures = video.candidates(5.0, hold=False, looks_at=looks_at)
        next(pictures)
        kill(video)
        rest = [picture.rgb.copy() for picture in pictures]
    assert len(rest) == 17
    assert rest[-1][:, 40:50].any()
    assert not rest[-1][:, :7].any(), "new memory, to which nothing was written"
