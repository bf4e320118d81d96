"""Decoding several GOPs at a time: same frames, same order, bounded memory, no threads left."""

from __future__ import annotations

import functools
import io
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import pytest

from spark_keyframes.errors import ParameterError, SourceReadError
from spark_keyframes.video import run_pool
from spark_keyframes.video.av_video import AvVideo

from .clips import H264, clip, clip_named, number_in
from .reference import digest

FRAMES, GOP = 90, 5
FRAME_BYTES = 96 * 64 * 3 // 2

decode_run = run_pool.decode_run


@functools.cache
def many_gops() -> bytes:
    return clip("libx264", "mp4", frames=FRAMES, gop=GOP, options=H264)


def open_many(threads: int, data: bytes | None = None) -> AvVideo:
    return AvVideo(io.BytesIO(data or many_gops()), threads=threads)


def every_frame(video: AvVideo) -> list[tuple[int, bytes]]:
    return [(frame.frame_id, digest(frame._picture)) for frame in video.candidates(1000.0)]


def decoders() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("decode-")]


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    yield
    assert decoders() == []


@pytest.fixture
def no_space(monkeypatch: pytest.MonkeyPatch) -> None:
    """No frame may be queued, so that each thread waits with its first frame."""
    monkeypatch.setattr(run_pool, "_AHEAD_BYTES", 0)
    # A thread that nobody wakes would make a test fail.
    monkeypatch.setattr(run_pool, "_POLL_SECONDS", 60.0)


def wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end, "the condition never became true"
        time.sleep(0.001)


@pytest.mark.parametrize("threads", [2, 5, 40])
@pytest.mark.parametrize("ahead", [0, 3 * FRAME_BYTES, 2**30])
def test_several_threads_return_the_frames_of_one_thread(
    threads: int, ahead: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_pool, "_AHEAD_BYTES", ahead)
    with open_many(1) as one, open_many(threads) as many:
        expected = every_frame(one)
        assert [frame_id for frame_id, _ in expected] == list(range(FRAMES))
        for _ in range(3):
            assert every_frame(many) == expected
        assert [f.frame_id for f in many.frames([88, 3, 40])] == [3, 40, 88]
        assert many.counters.decoded >= 3 * FRAMES
        assert many.counters.frames >= 3 * FRAMES


def test_every_thread_knows_the_rotation_from_the_container() -> None:
    with AvVideo(io.BytesIO(clip_named("h264 turned")), threads=3) as video:
        frames = list(video.candidates(1.0))
    assert [(f.width, f.height) for f in frames] == [(64, 96)] * 4


def test_two_gops_are_decoded_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    both = threading.Barrier(2, timeout=20)

    def together(codec: Any, packets: Any, run: Any, *rest: Any) -> Iterator[Any]:
        if run.start < 2 * GOP:
            both.wait()
        return decode_run(codec, packets, run, *rest)

    monkeypatch.setattr(run_pool, "decode_run", together)
    with open_many(2) as video:
        assert len(every_frame(video)) == FRAMES


def test_at_most_one_gop_per_thread_is_decoded_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    lock, at_work, most = threading.Lock(), 0, 0

    def counted(*args: Any) -> Iterator[Any]:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        yield from decode_run(*args)
        with lock:
            at_work -= 1

    monkeypatch.setattr(run_pool, "decode_run", counted)
    with open_many(3) as video:
        frames = video.candidates(1000.0)
        for _ in frames:
            names = decoders()
            assert set(names) <= {"decode-0", "decode-1", "decode-2"}
            assert len(names) == len(set(names))
    assert most <= 3


@pytest.mark.parametrize("gop", [1, GOP, 45])
def test_few_frames_are_queued_even_if_all_are_wanted(
    gop: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {**H264, "tune": "zerolatency"}
    data = clip("libx264", "mp4", gop=gop, options=options)
    with open_many(1, data) as one:
        size = next(one.candidates(1.0)).nbytes
    monkeypatch.setattr(run_pool, "_AHEAD_BYTES", 4 * size)
    with open_many(2, data) as video:
        most = count = 0
        for count, _ in enumerate(video.candidates(1000.0), 1):
            assert video._runs._pool is not None
            if count in (1, 30, 60):
                time.sleep(0.1)
                most = max(most, video._runs._pool._held_bytes)
            assert len([o for o in video._runs._pool._outputs if not o.is_finished]) <= 2
        assert count == FRAMES
        # Four frames for each of two threads, and one of the first GOP, which may exceed the limit.
        assert 8 * size <= most <= 9 * size


def test_a_gop_that_is_too_large_is_read_while_it_is_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("spark_keyframes.video.packets._KEEP_BYTES", 100)
    with open_many(1) as one:
        expected = every_frame(one)
    for limit in (0, 300, 2**20):
        monkeypatch.setattr(run_pool, "_PACKET_BYTES", limit)
        with open_many(3) as video:
            assert video._table.kept is None
            for _ in range(3):
                assert every_frame(video) == expected


def close_iterator(video: AvVideo, frames: Any) -> None:
    frames.close()


def close_video(video: AvVideo, frames: Any) -> None:
    video.close()
    with pytest.raises(RuntimeError, match="was closed"):
        next(frames)


def begin_another(video: AvVideo, frames: Any) -> None:
    assert [f.frame_id for f in video.candidates(1.0)] == [0, 25, 50, 75]
    with pytest.raises(RuntimeError, match="another iterator"):
        next(frames)


def raise_into(video: AvVideo, frames: Any) -> None:
    with pytest.raises(KeyboardInterrupt):
        frames.throw(KeyboardInterrupt)


@pytest.mark.parametrize("how", [close_iterator, close_video, begin_another, raise_into])
@pytest.mark.parametrize("taken", [1, GOP, GOP + 2])
@pytest.mark.usefixtures("no_space")
def test_stopping_early_ends_waiting_threads(how: Callable[..., None], taken: int) -> None:
    video = open_many(3)
    frames = video.candidates(1000.0)
    for _ in range(taken):
        next(frames)
    assert decoders()
    begin = time.monotonic()
    how(video, frames)
    assert decoders() == []
    assert time.monotonic() - begin < 5


def test_stopping_early_ends_threads_that_decode() -> None:
    for _ in range(20):
        video = open_many(4)
        for frame in video.candidates(1000.0):
            assert frame.frame_id == 0
            break
        else:
            pytest.fail("no frames")
        # Python has closed the iterator, which is no longer referenced.
        assert decoders() == []


def test_queued_frames_are_freed_when_the_iterator_is_closed() -> None:
    with open_many(3) as video:
        frames = video.candidates(1000.0)
        next(frames)
        left = video._runs._pool
        assert left is not None
        wait_until(lambda: left._held_bytes > 0)
        frames.close()
        assert not left._outputs


def test_no_thread_starts_before_the_first_frame_is_requested() -> None:
    with open_many(3) as video:
        frames = video.candidates(1000.0)
        assert decoders() == []
        assert next(frames).frame_id == 0
        assert decoders()


def test_one_thread_and_one_gop_need_no_pool() -> None:
    with open_many(1) as video:
        next(video.candidates(1000.0))
        assert video._runs._pool is None
    with open_many(3) as video:
        frames = video.frames([6, 7])
        next(frames)
        assert video._runs._pool is None


@pytest.mark.parametrize("gop", [0, 7, 17])
@pytest.mark.parametrize("keep", [100, 2**20])
def test_a_damaged_gop_gives_the_frames_of_one_thread(
    gop: int, keep: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spark_keyframes.video.packets._KEEP_BYTES", keep)
    with av.open(io.BytesIO(many_gops())) as container:
        packet = [p for p in container.demux(video=0) if p.size][gop * GOP + 2]
    position, size = packet.pos, packet.size
    assert position is not None
    data = bytearray(many_gops())
    data[position + 5 : position + size] = bytes(range(7, 7 + size - 5))
    with open_many(1, bytes(data)) as one, open_many(3, bytes(data)) as many:
        expected = every_frame(one)
        assert one.counters.decoded > FRAMES, "it was not decoded again in sequence"
        assert every_frame(many) == expected
        assert len({frame_id for frame_id, _ in expected}) == len(expected)
        # A second time: the failure leaves no state behind.
        assert every_frame(many) == expected


def test_an_error_is_raised_after_the_frames_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(codec: Any, packets: Any, run: Any, *rest: Any) -> Iterator[Any]:
        if run.start == 3 * GOP:
            raise MemoryError("no memory for GOP 3")
        return decode_run(codec, packets, run, *rest)

    monkeypatch.setattr(run_pool, "decode_run", fails)
    with open_many(3) as video:
        frames = video.candidates(1000.0)
        assert [next(frames).frame_id for _ in range(3 * GOP)] == list(range(3 * GOP))
        with pytest.raises(MemoryError, match="no memory for GOP 3"):
            next(frames)
        assert decoders() == []


@pytest.mark.parametrize("threads", [1, 3])
def test_errors_of_the_file_reach_the_consumer(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Fragile(io.BytesIO):
        is_broken = False

        def read(self, size: int | None = -1, /) -> bytes:
            if self.is_broken and self.tell() > 9000:
                raise SourceReadError("the connection was lost")
            return super().read(size)

    monkeypatch.setattr("spark_keyframes.video.container.BUFFER_SIZE", 1024)
    monkeypatch.setattr("spark_keyframes.video.packets._KEEP_BYTES", 100)
    data = clip("libx264", "matroska", frames=FRAMES, gop=GOP, options=H264)
    file = Fragile(data)
    with AvVideo(file, threads=threads) as video:
        file.is_broken = True
        with pytest.raises(SourceReadError, match="connection was lost"):
            list(video.candidates(1000.0))
        assert decoders() == []


def test_python_exits_while_an_iterator_is_open(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(many_gops())
    code = (
        "from spark_keyframes.video import open_video, run_pool\n"
        "run_pool._AHEAD_BYTES = 0\n"
        f"video = open_video(open({str(path)!r}, 'rb'), threads=3)\n"
        "frames = video.candidates(1000.0)\n"
        "print(next(frames).frame_id)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_frames_are_right_while_others_are_decoded() -> None:
    with open_many(4) as video:
        numbers = [number_in(frame.to_rgb()) for frame in video.candidates(1000.0)]
    assert numbers == list(range(FRAMES))


@pytest.mark.parametrize("threads", [0, -1])
def test_impossible_numbers_of_threads_are_refused(threads: int) -> None:
    with pytest.raises(ParameterError, match=f"threads must be at least 1, got {threads}"):
        open_many(threads)


def test_an_error_between_two_runs_reaches_the_consumer(monkeypatch: pytest.MonkeyPatch) -> None:
    def parts(runs: Any, packets: Any) -> Iterator[Any]:
        yield next(with_packets(runs, packets))
        raise ValueError("the runs overlap")

    with_packets = run_pool.with_packets
    monkeypatch.setattr(run_pool, "with_packets", parts)
    seen = []
    with open_many(2) as video, pytest.raises(ValueError, match="the runs overlap"):
        seen += [frame.frame_id for frame in video.candidates(1000.0)]
