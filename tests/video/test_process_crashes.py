"""Decode processes that crash, hang or exceed their memory fail at most their own video."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from spark_keyframes.errors import DecoderCrashedError, LimitError
from spark_keyframes.limits import Limits
from spark_keyframes.video import Ahead
from spark_keyframes.video.process import ProcessDecoder
from spark_keyframes.video.process.expected_pictures import AT_ONCE
from spark_keyframes.video.process.process_pool import process_pool

from .clips import H264, clip, clip_named
from .decode_processes import decoder, is_running, kill, process_of, seen, wait_until

__all__ = ["decoder"]  # a fixture


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
@pytest.mark.parametrize("after", [0, 1, 7])
def test_another_process_continues_after_a_crash(
    decoder: ProcessDecoder, number: signal.Signals, after: int
) -> None:
    file = io.BytesIO(clip_named("h264 mp4"))
    with decoder.open(file) as video:
        expected = [seen(picture) for picture in video.candidates(5.0, hold=False)]
    with decoder.open(file) as video:
        first = process_of(video).pid
        got = []
        for picture in video.candidates(5.0, hold=True):
            got.append(seen(picture))
            if len(got) == after + 1:
                kill(video, number)
        assert got == expected
        assert process_of(video).pid != first
        assert [seen(picture) for picture in video.frames_by_id([0, 5, 10])] == expected[:3]
    assert not is_running(first)
    assert 0 < video.decoded_again <= 3, "frames held by the first process are decoded again"


@pytest.mark.parametrize("hold", [True, False])
@pytest.mark.parametrize("at_once", [1, 7])
@pytest.mark.parametrize("after", [0, 3, 10])
def test_another_process_continues_with_what_was_asked_for_with_the_opening(
    decoder: ProcessDecoder, after: int, at_once: int, hold: bool
) -> None:
    decoder.pictures_at_once = at_once
    file, got = io.BytesIO(clip_named("h264 mp4")), []
    with decoder.open(file, ahead=Ahead(5.0, hold=hold)) as video:
        first = process_of(video).pid
        for picture in video.candidates(5.0, hold=hold):
            got.append(picture.frame_id)
            if len(got) == after + 1:
                kill(video)
    assert got == list(range(0, 90, 5))
    wait_until(lambda: not is_running(first))  # or the next test may get it


def test_held_frames_of_a_crashed_process_are_decoded_again(decoder: ProcessDecoder) -> None:
    with decoder.open(io.BytesIO(clip_named("h264 mp4"))) as video:
        expected = [seen(picture) for picture in video.candidates(5.0, hold=True)]
        kill(video)
        assert [seen(picture) for picture in video.frames_by_id([0, 10, 20])] == expected[:5:2]
    assert video.decoded_again == 3


def test_a_video_fails_after_two_crashes(decoder: ProcessDecoder) -> None:
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


def test_a_video_survives_two_processes_that_were_killed_from_outside(
    decoder: ProcessDecoder,
) -> None:
    with decoder.open(io.BytesIO(clip_named("h264 mp4"))) as video:
        candidates = video.candidates(5.0, hold=True)
        ids = [next(candidates).frame_id]
        for number in (signal.SIGKILL, signal.SIGTERM):
            kill(video, number)
            ids += [next(candidates).frame_id for _ in range(5)]
        assert ids == list(range(0, 55, 5))
        kill(video)
        with pytest.raises(
            DecoderCrashedError, match="SIGKILL; so did the next one: .* SIGTERM; and the next: "
        ):
            list(candidates)


def test_a_crash_counts_beside_a_signal_from_outside(decoder: ProcessDecoder) -> None:
    with decoder.open(io.BytesIO(clip_named("h264 mp4"))) as video:
        candidates = video.candidates(5.0, hold=True)
        for number in (signal.SIGSEGV, signal.SIGKILL):
            next(candidates)
            kill(video, number)
            assert [next(candidates).frame_id for _ in range(5)]
        kill(video, signal.SIGSEGV)
        with pytest.raises(DecoderCrashedError, match="SIGSEGV; so did the next one: .* SIGKILL"):
            list(candidates)


def test_a_process_that_does_not_read_blocks_no_command() -> None:
    with (
        ProcessDecoder(1, limits=Limits(max_decode_seconds=2.0)) as decoder,
        decoder.open(io.BytesIO(clip_named("h264 mp4"))) as video,
    ):
        kill(video, signal.SIGSTOP)
        with pytest.raises(LimitError, match="max_decode_seconds"):
            list(video.frames_by_id(range(1_000_000)))  # 8 MB, more than a socket holds


def test_a_command_may_be_long(decoder: ProcessDecoder) -> None:
    with decoder.open(io.BytesIO(clip_named("h264 mp4"))) as video:
        video.release(range(500_000))
        assert [picture.frame_id for picture in video.frames_by_id([5, 6])] == [5, 6]


def test_a_killed_process_that_does_not_end_blocks_no_other_video(
    decoder: ProcessDecoder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A process that waits for a dead file server ends when that answers, SIGKILL or not."""

    def wait(timeout: float | None = None) -> int:
        assert timeout is not None
        raise subprocess.TimeoutExpired("serve", timeout)

    with decoder.open(io.BytesIO(clip_named("h264 mp4"))) as video:
        process = process_of(video)
        monkeypatch.setattr(process._process, "wait", wait)
        monkeypatch.setattr(process._process, "poll", lambda: None)
        process.kill()
    assert "was killed, but does not end yet" in caplog.text
    with decoder.open(io.BytesIO(clip_named("h264 mp4"))) as other:
        assert process_of(other).pid != process.pid
        assert len(list(other.candidates(5.0, hold=True))) == 18
    monkeypatch.undo()
    wait_until(lambda: process.has_ended)


def test_wrong_thread_counts_are_repaired(decoder: ProcessDecoder) -> None:
    counts = process_pool().thread_counts.counts
    with (
        decoder.open(io.BytesIO(clip_named("h264 mp4"))) as video,
        decoder.open(io.BytesIO(clip_named("h264 mp4"))) as other,
    ):
        first = process_of(video)
        other.close()  # its process is idle
        counts[:] = [2**31 - 1, -(2**31)] * (len(counts) // 2)
        assert len(list(video.candidates(5.0, hold=True))) == 18
    assert not is_running(first.pid), "its own count is not 0, so it does not obey"
    assert not counts.any()


def test_processes_that_are_killed_together_fail_no_video() -> None:
    file = io.BytesIO(clip_named("h264 mp4"))
    with (
        ProcessDecoder(2, limits=Limits(max_decode_seconds=20)) as decoder,
        decoder.open(file) as video,
        decoder.open(file) as other,
    ):
        decoder.pictures_at_once = 1
        idle = process_of(other)
        other.close()
        candidates = video.candidates(5.0, hold=False)
        next(candidates)
        # An idle process that is ending slowly: it still exists, but never answers.
        os.kill(idle.pid, signal.SIGSTOP)
        kill(video, signal.SIGSEGV)
        assert len(list(candidates)) == 17
        assert idle.is_usable
        os.kill(idle.pid, signal.SIGCONT)


def test_an_idle_process_that_was_killed_is_replaced(decoder: ProcessDecoder) -> None:
    with decoder.open(io.BytesIO(clip_named("h264 mp4"))) as video:
        pid = process_of(video).pid
    os.kill(pid, signal.SIGKILL)
    with decoder.open(io.BytesIO(clip_named("h264 mp4"))) as video:
        assert len(list(video.candidates(5.0, hold=True))) == 18


def test_a_process_that_hangs_is_killed_after_max_decode_seconds() -> None:
    with ProcessDecoder(1, limits=Limits(max_decode_seconds=3.0)) as decoder:
        decoder.pictures_at_once = 1
        video = decoder.open(io.BytesIO(clip_named("h264 mp4")))
        with video:
            candidates = video.candidates(5.0, hold=True)
            next(candidates)
            pid = process_of(video).pid
            kill(video, signal.SIGSTOP)
            with pytest.raises(LimitError, match=r"longer than 3 s, which is max_decode_seconds"):
                list(candidates)
        assert not is_running(pid)


@pytest.mark.parametrize("hold", [True, False])
def test_a_longer_video_takes_no_more_memory(decoder: ProcessDecoder, hold: bool) -> None:
    """Of pictures as large as these, one fits into a buffer; the next waits for its turn."""
    data = clip("mpeg4", "mp4", frames=110, size=(1280, 720))
    decoder.pictures_at_once = AT_ONCE
    used = []
    with decoder.open(io.BytesIO(data), ahead=Ahead(25.0, hold=hold)) as video:
        for picture in video.candidates(25.0, hold=hold):
            video.release([picture.frame_id])
            if picture.frame_id in (40, 100):
                used.append(resident(process_of(video).pid))
    assert used[1] < used[0] + 40 * 2**20, "60 pictures take 83 MB"


def resident(pid: int) -> int:
    pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


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


def test_a_picture_without_memory_is_a_limit_too() -> None:
    """The codec has what it needs, and 25 MB for the picture that the engine shares are missing."""
    large = clip("libx264", "mp4", options=H264, frames=1, size=(3840, 2160))
    ends = []
    for megabytes in range(36, 64, 4):
        limits = Limits(max_decode_bytes=megabytes * 2**20)
        try:
            with (
                ProcessDecoder(1, limits=limits) as decoder,
                decoder.open(io.BytesIO(large)) as video,
            ):
                ends.append(str(len(list(video.candidates(25.0, hold=True)))))
        except Exception as error:  # noqa: BLE001 -- compared
            ends.append(type(error).__name__)
    assert "LimitError" in ends
    assert set(ends) <= {"LimitError", "1"}, ends


def test_closing_the_decoder_ends_a_thread_that_waits_for_a_frame() -> None:
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


def test_the_slots_of_a_killed_process_are_released(decoder: ProcessDecoder) -> None:
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
    wait_until(lambda: not is_running(pid))


def test_a_process_at_work_does_not_outlive_an_engine_that_forked() -> None:
    code = """
import io, os, time
from spark_keyframes.video.process import ProcessDecoder
from tests.video.clips import clip_named
decoder = ProcessDecoder(1)
video = decoder.open(io.BytesIO(clip_named("h264 mp4")))
next(video.candidates(25.0, hold=True))
forked = os.fork()
if forked:
    assert len(list(video.candidates(25.0, hold=True))) == 90
    print(video._process.pid, forked, flush=True)
time.sleep(60)
"""
    engine = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert engine.stdout is not None
    pid, forked = map(int, engine.stdout.readline().split())
    assert is_running(pid)
    engine.kill()
    engine.wait()
    engine.stdout.close()
    try:
        wait_until(lambda: not is_running(pid))
        assert is_running(forked)
    finally:
        os.kill(forked, signal.SIGKILL)


def test_the_log_says_why_a_process_cannot_start(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spark_keyframes.video.process.process_pool._pool", None)
    monkeypatch.setattr(
        "spark_keyframes.video.process.decode_process._PROGRAM", ("-m", "not_installed")
    )
    with ProcessDecoder(1) as decoder, pytest.raises(DecoderCrashedError, match="exit code 1"):
        decoder.open(io.BytesIO(clip_named("h264 mp4")))
    assert "No module named not_installed" in caplog.text


@pytest.mark.slow
def test_a_process_that_used_much_memory_decodes_no_other_video(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("spark_keyframes.video.process.process_pool._pool", None)
    large = clip("libx264", "mp4", options=H264, frames=3, size=(3840, 2160))
    limits = Limits(max_decode_bytes=400 * 2**20)
    pids = []
    with ProcessDecoder(1, limits=limits) as small:
        for data in (clip_named("h264 mp4"), large, clip_named("h264 mp4")):
            with small.open(io.BytesIO(data)) as video:
                pids.append(process_of(video).pid)
                assert len(list(video.candidates(25.0, hold=True))) in (3, 90)
                assert not video._exits, "no video was given to a process that is about to end"
    assert pids[0] == pids[1] != pids[2]
