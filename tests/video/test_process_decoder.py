"""Decoding in child processes: the same pictures, whatever happens to the processes."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from spark_keyframes.errors import DecoderCrashedError, LimitError, ParameterError, SourceReadError
from spark_keyframes.limits import Limits
from spark_keyframes.video.interface import RgbFrame
from spark_keyframes.video.process import ProcessDecoder
from spark_keyframes.video.process.decode_process import DecodeProcess
from spark_keyframes.video.process.process_decoder import ProcessVideo
from spark_keyframes.video.process.process_pool import process_pool
from spark_keyframes.video.process.shared_memory import create_shared_memory, map_shared_memory
from spark_keyframes.video.thread_decoder import ThreadDecoder

from .clips import H264, clip, clip_named, number_in

KINDS = (
    "h264 mp4",
    "h264 open GOP ts",
    "vp9 webm",
    "h264 turned",
    "h264 ts from 10 s",
    "mpeg4 avi",
    "hevc 10 bit",
)

Seen = tuple[int, float, bytes, int]


@pytest.fixture
def decoder() -> Iterator[ProcessDecoder]:
    with ProcessDecoder(2) as opened:
        yield opened


def seen(picture: RgbFrame) -> Seen:
    return picture.frame_id, picture.timestamp, picture.rgb.tobytes(), picture.nbytes


def child_of(video: ProcessVideo) -> DecodeProcess:
    assert video._process is not None
    return video._process


def kill(video: ProcessVideo, number: signal.Signals = signal.SIGKILL) -> None:
    os.kill(child_of(video).pid, number)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("prefetch", [True, False])
def test_pictures_are_those_of_threads(name: str, prefetch: bool) -> None:
    data = clip_named(name)

    def all_of(decoder: ThreadDecoder | ProcessDecoder) -> list[object]:
        with decoder, decoder.open(io.BytesIO(data)) as video:
            candidates = [seen(picture) for picture in video.candidates(5.0, hold=True)]
            ids = [candidate[0] for candidate in candidates]
            video.release(ids[::2])
            held = [seen(picture) for picture in video.frames_by_id(ids)]
            again = [seen(picture) for picture in video.frames_by_id([1, 2, 30])]
            count = video.candidate_count(5.0)
        took = video.frames_decoded, video.frames_skipped, video.decoded_again
        return [candidates, held, again, count, took]

    assert all_of(ProcessDecoder(2, prefetch=prefetch)) == all_of(ThreadDecoder(2))


def test_a_process_serves_one_video_after_another(decoder: ProcessDecoder) -> None:
    pids = set()
    for name in KINDS:
        with decoder.open(io.BytesIO(clip_named(name))) as video:
            pids.add(child_of(video).pid)
            assert next(video.candidates(1.0, hold=True)).frame_id == 0
    assert len(pids) == 1


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
@pytest.mark.parametrize("after", [0, 1, 7])
def test_where_a_process_dies_another_goes_on(
    decoder: ProcessDecoder, number: signal.Signals, after: int
) -> None:
    file = io.BytesIO(clip_named("h264 mp4"))
    with decoder.open(file) as video:
        expected = [seen(picture) for picture in video.candidates(5.0, hold=False)]
    with decoder.open(file) as video:
        first = child_of(video).pid
        got = []
        for picture in video.candidates(5.0, hold=True):
            got.append(seen(picture))
            if len(got) == after + 1:
                kill(video, number)
        assert got == expected
        assert child_of(video).pid != first
        assert [seen(picture) for picture in video.frames_by_id([0, 5, 10])] == expected[:3]
    assert not is_running(first)
    assert 0 < video.decoded_again <= 3, "what the first held is decoded once more"


def test_what_a_dead_process_held_is_decoded_again(decoder: ProcessDecoder) -> None:
    with decoder.open(io.BytesIO(clip_named("h264 mp4"))) as video:
        expected = [seen(picture) for picture in video.candidates(5.0, hold=True)]
        kill(video)
        assert [seen(picture) for picture in video.frames_by_id([0, 10, 20])] == expected[:5:2]
    assert video.decoded_again == 3


def test_a_video_that_kills_two_processes_is_given_up(decoder: ProcessDecoder) -> None:
    with decoder.open(io.BytesIO(clip_named("h264 mp4"))) as video:
        candidates = video.candidates(5.0, hold=True)
        next(candidates)
        kill(video, signal.SIGSEGV)
        assert [next(candidates).frame_id for _ in range(5)] == [5, 10, 15, 20, 25]
        kill(video, signal.SIGABRT)
        with pytest.raises(
            DecoderCrashedError, match="by SIGSEGV; so did the next one: .* SIGABRT"
        ):
            list(candidates)
    with decoder.open(io.BytesIO(clip_named("h264 mp4"))) as video:
        assert len(list(video.candidates(5.0, hold=True))) == 18


def test_processes_that_are_killed_together_cost_no_video() -> None:
    file = io.BytesIO(clip_named("h264 mp4"))
    with (
        ProcessDecoder(2, limits=Limits(max_decode_seconds=20)) as decoder,
        decoder.open(file) as video,
        decoder.open(file) as other,
    ):
        idle = child_of(other)
        other.close()
        candidates = video.candidates(5.0, hold=False)
        next(candidates)
        # One that dies, but slowly: it looks alive, and never answers.
        os.kill(idle.pid, signal.SIGSTOP)
        kill(video, signal.SIGSEGV)
        assert len(list(candidates)) == 17
        assert idle.is_usable
        os.kill(idle.pid, signal.SIGCONT)


def test_an_idle_process_that_was_killed_is_replaced(decoder: ProcessDecoder) -> None:
    with decoder.open(io.BytesIO(clip_named("h264 mp4"))) as video:
        pid = child_of(video).pid
    os.kill(pid, signal.SIGKILL)
    with decoder.open(io.BytesIO(clip_named("h264 mp4"))) as video:
        assert len(list(video.candidates(5.0, hold=True))) == 18


def test_a_process_that_hangs_is_ended_by_the_clock() -> None:
    with ProcessDecoder(1, limits=Limits(max_decode_seconds=3.0)) as decoder:
        video = decoder.open(io.BytesIO(clip_named("h264 mp4")))
        with video:
            candidates = video.candidates(5.0, hold=True)
            next(candidates)
            pid = child_of(video).pid
            kill(video, signal.SIGSTOP)
            with pytest.raises(LimitError, match=r"longer than 3 s, which is max_decode_seconds"):
                list(candidates)
        assert not is_running(pid)


def test_memory_is_limited() -> None:
    large = clip("libx264", "mp4", options=H264, frames=3, size=(3840, 2160))
    limits = Limits(max_decode_bytes=40 * 2**20)
    with (
        ProcessDecoder(1, limits=limits) as decoder,
        decoder.open(io.BytesIO(large)) as video,
        pytest.raises(LimitError, match="max_decode_bytes"),
    ):
        list(video.candidates(25.0, hold=True))
    with ProcessDecoder(1) as decoder, decoder.open(io.BytesIO(large)) as video:
        assert len(list(video.candidates(25.0, hold=True))) == 3


def test_errors_of_the_child_are_raised_as_they_are(decoder: ProcessDecoder) -> None:
    with decoder.open(io.BytesIO(clip_named("h264 mp4"))) as video:
        with pytest.raises(ParameterError, match="no frame 90; frame ids go from 0 to 89"):
            list(video.frames_by_id([90]))
        with pytest.raises(ParameterError, match="fps must be greater than 0"):
            video.candidate_count(0.0)
        assert len(list(video.candidates(5.0, hold=True))) == 18, "it goes on"


def test_errors_of_the_file_are_raised_as_they_are(decoder: ProcessDecoder) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 5000:
                raise SourceReadError("the connection was lost")
            return super().read(min(size or 0, 4096))

    with pytest.raises(SourceReadError, match="connection was lost"):
        decoder.open(Broken(clip_named("h264 mp4")))


def test_a_file_on_disk_is_read_by_the_process_itself(
    decoder: ProcessDecoder, tmp_path: Path
) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(clip_named("h264 mp4"))
    with path.open("rb") as file, decoder.open(file) as video:
        assert video._server is None
        kill(video)
        assert [number_in(p.rgb) for p in video.candidates(5.0, hold=True)] == list(range(0, 90, 5))


def test_closing_the_decoder_ends_who_waits_for_it() -> None:
    decoder = ProcessDecoder(1)
    video = decoder.open(io.BytesIO(clip_named("h264 mp4")))
    kill(video, signal.SIGSTOP)
    caught: list[Exception] = []

    def wait() -> None:
        try:
            with video:
                list(video.candidates(5.0, hold=True))
        except RuntimeError as error:
            caught.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.2)
    decoder.close()
    thread.join(10)
    assert not thread.is_alive()
    assert "closed" in str(caught[0])
    with pytest.raises(RuntimeError, match="closed"):
        decoder.open(io.BytesIO(clip_named("h264 mp4")))


def test_iterators_that_are_left_early_cost_nothing(decoder: ProcessDecoder) -> None:
    with decoder.open(io.BytesIO(clip_named("h264 mp4"))) as video:
        for fps in (1.0, 5.0, 25.0):
            assert next(video.candidates(fps, hold=True)).frame_id == 0
        assert [p.frame_id for p in video.frames_by_id([3, 4])] == [3, 4]
        assert video.candidate_count(1.0) == 4


def test_many_videos_at_a_time() -> None:
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
    assert not process_pool().thread_counts.counts.any(), "no thread is at work any more"


def test_a_dead_process_leaves_no_slot_taken(decoder: ProcessDecoder) -> None:
    video = decoder.open(io.BytesIO(clip_named("h264 mp4")))
    with video:
        next(video.candidates(5.0, hold=True))
        assert process_pool().thread_counts.counts.sum() >= 1
        kill(video)
    assert not process_pool().thread_counts.counts.any()


@pytest.mark.parametrize("state", ["idle", "stopped", "at work"])
def test_processes_do_not_outlive_a_killed_engine(state: str) -> None:
    code = """
import io, os, signal, sys, time
from spark_keyframes.video.process import ProcessDecoder
from tests.video.clips import clip_named
decoder = ProcessDecoder(1)
video = decoder.open(io.BytesIO(clip_named("h264 mp4")))
pid = video._process.pid
if sys.argv[1] == "stopped":
    os.kill(pid, signal.SIGSTOP)
if sys.argv[1] == "idle":
    video.close()
print(pid, flush=True)
while True:
    for _ in (video.candidates(25.0, hold=True) if sys.argv[1] == "at work" else [time.sleep(9)]):
        pass
"""
    engine = subprocess.Popen([sys.executable, "-c", code, state], stdout=subprocess.PIPE)
    assert engine.stdout is not None
    pid = int(engine.stdout.readline())
    assert is_running(pid)
    engine.kill()
    engine.wait()
    engine.stdout.close()
    until(lambda: not is_running(pid))


def test_it_knows_no_secret_and_no_torch(
    decoder: ProcessDecoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "do-not-tell")
    monkeypatch.setattr("spark_keyframes.video.process.process_pool._pool", None)
    with decoder.open(io.BytesIO(clip_named("h264 mp4"))) as video:
        proc = Path(f"/proc/{child_of(video).pid}")
        assert b"do-not-tell" not in (proc / "environ").read_bytes()
        assert b"SECRET" not in (proc / "environ").read_bytes()
        libraries = (proc / "maps").read_text()
        assert "libavcodec" in libraries
        for heavy in ("libtorch", "libarrow", "libjvm", "pandas"):
            assert heavy not in libraries


def test_a_fork_of_the_engine_has_processes_of_its_own(decoder: ProcessDecoder) -> None:
    with decoder.open(io.BytesIO(clip_named("h264 mp4"))) as video:
        pid = child_of(video).pid
    forked = os.fork()
    if not forked:
        with decoder.open(io.BytesIO(clip_named("h264 mp4"))) as video:
            is_good = (
                child_of(video).pid != pid and len(list(video.candidates(5.0, hold=True))) == 18
            )
        os._exit(0 if is_good else 1)
    assert os.waitpid(forked, 0)[1] == 0
    with decoder.open(io.BytesIO(clip_named("h264 mp4"))) as video:
        assert child_of(video).pid == pid


def test_memory_that_could_be_taken_away_is_refused() -> None:
    array = map_shared_memory(create_shared_memory(4096), 4096)
    array[:] = 7
    assert array.sum() == 7 * 4096
    with pytest.raises(ValueError, match="less than 8192"):
        map_shared_memory(create_shared_memory(4096), 8192)
    unsealed = os.memfd_create("test")
    os.ftruncate(unsealed, 4096)
    with pytest.raises(ValueError, match="not sealed"):
        map_shared_memory(unsealed, 4096)


def test_pictures_may_be_of_different_sizes(decoder: ProcessDecoder) -> None:
    small = clip("libx264", "mpegts", options=H264, frames=50)
    large = clip(
        "libx264", "mpegts", options=H264, frames=50, size=(1920, 1080), pts=list(range(50, 100))
    )
    with decoder.open(io.BytesIO(small + large)) as video:
        shapes = [picture.rgb.shape for picture in video.candidates(5.0, hold=False)]
    assert set(shapes) == {(64, 96, 3), (1080, 1920, 3)}
    assert np.prod(shapes[-1]) > np.prod(shapes[0])


def test_a_process_that_took_much_memory_serves_no_other_video(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("spark_keyframes.video.process.process_pool._pool", None)
    large = clip("libx264", "mp4", options=H264, frames=3, size=(3840, 2160))
    limits = Limits(max_decode_bytes=400 * 2**20)
    pids = []
    with ProcessDecoder(1, limits=limits) as small:
        for data in (clip_named("h264 mp4"), large, clip_named("h264 mp4")):
            with small.open(io.BytesIO(data)) as video:
                pids.append(child_of(video).pid)
                assert len(list(video.candidates(25.0, hold=True))) in (3, 90)
                assert video._exit_reasons == [], "not given to a process that is about to end"
    assert pids[0] == pids[1] != pids[2]
