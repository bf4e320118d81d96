"""Decode threads shared by videos: one each, and for the others what is left."""

from __future__ import annotations

import io

import pytest

from spark_keyframes.video import run_pool
from spark_keyframes.video.av_video import AvVideo
from spark_keyframes.video.thread_slots import ThreadSlots

from .test_run_pool import FRAMES, decoders, every_frame, many_gops, no_room, no_thread_stays, until

__all__ = ["no_room", "no_thread_stays"]  # fixtures


def open_in(slots: ThreadSlots, threads: int = 4) -> AvVideo:
    return AvVideo(io.BytesIO(many_gops()), threads=threads, slots=slots)


def test_slots_are_counted_and_the_first_thread_of_a_video_never_waits() -> None:
    slots = ThreadSlots(2)
    with slots.first_thread(), slots.first_thread():
        assert not slots.try_acquire()
        assert not slots.is_exceeded
        with slots.first_thread():
            assert slots.is_exceeded
    assert slots.try_acquire()
    assert slots.try_acquire()
    assert not slots.try_acquire()
    slots.release()
    assert slots.try_acquire()


@pytest.mark.usefixtures("no_room")
def test_a_video_alone_has_all_slots_and_one_among_many_one_thread() -> None:
    slots = ThreadSlots(3)
    with slots.first_thread(), open_in(slots) as alone:
        next(frames := alone.candidates(1000.0))
        until(lambda: len(decoders()) == 3)
        with slots.first_thread(), open_in(slots) as other:
            next(others := other.candidates(1000.0))
            assert len(decoders()) == 4, "the other video's own thread, and no further one"
            del others
        assert [frame.frame_id for frame in frames] == list(range(1, FRAMES))


@pytest.mark.usefixtures("no_room")
def test_threads_come_and_go_with_what_other_videos_leave_free() -> None:
    slots = ThreadSlots(3)
    with slots.first_thread(), open_in(slots) as video:
        frames = video.candidates(1000.0)
        for _ in range(10):
            next(frames)
        until(lambda: len(decoders()) == 3)
        with slots.first_thread(), slots.first_thread():
            for _ in range(30):
                next(frames)
            until(lambda: len(decoders()) == 1)
        for _ in range(10):
            next(frames)
        until(lambda: len(decoders()) == 3)
        assert len(list(frames)) == FRAMES - 50
    assert slots.try_acquire(), "every slot was given back"


def test_frames_are_the_same_however_slots_come_and_go(monkeypatch: pytest.MonkeyPatch) -> None:
    with AvVideo(io.BytesIO(many_gops())) as one:
        expected = every_frame(one)
    slots = ThreadSlots(4)
    decode_run = run_pool.decode_run
    turns = iter(range(10_000))

    def decode_while_slots_change(*args: object) -> object:
        if next(turns) % 3 == 0:
            with slots.first_thread(), slots.first_thread(), slots.first_thread():
                yield from decode_run(*args)  # type: ignore[arg-type]
        else:
            yield from decode_run(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(run_pool, "decode_run", decode_while_slots_change)
    with open_in(slots) as video:
        for _ in range(5):
            assert every_frame(video) == expected
    assert [slots.try_acquire() for _ in range(5)] == [True] * 4 + [False]
