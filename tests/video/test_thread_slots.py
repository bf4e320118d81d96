"""Videos share decode threads: one thread each, and further ones while slots are free."""

from __future__ import annotations

import io

import pytest

from spark_keyframes.video import run_pool
from spark_keyframes.video.av_video import AvVideo
from spark_keyframes.video.thread_slots import ThreadSlots

from .test_run_pool import (
    FRAMES,
    decoders,
    every_frame,
    many_gops,
    no_space,
    no_thread_is_left,
    wait_until,
)

__all__ = ["no_space", "no_thread_is_left"]  # fixtures


def open_in(slots: ThreadSlots, threads: int = 4) -> AvVideo:
    return AvVideo(io.BytesIO(many_gops()), threads=threads, slots=slots)


def test_slots_are_limited_but_the_first_thread_of_a_video_never_waits() -> None:
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


@pytest.mark.usefixtures("no_space")
def test_a_single_video_uses_all_slots_and_a_second_one_gets_one_thread() -> None:
    slots = ThreadSlots(3)
    with slots.first_thread(), open_in(slots) as alone:
        next(frames := alone.candidates(1000.0))
        wait_until(lambda: len(decoders()) == 3)
        with slots.first_thread(), open_in(slots) as other:
            next(others := other.candidates(1000.0))
            assert len(decoders()) == 4, "the first thread of the other video, and no further one"
            del others
        assert [frame.frame_id for frame in frames] == list(range(1, FRAMES))


@pytest.mark.usefixtures("no_space")
def test_the_number_of_threads_follows_the_free_slots() -> None:
    slots = ThreadSlots(3)
    with slots.first_thread(), open_in(slots) as video:
        frames = video.candidates(1000.0)
        for _ in range(10):
            next(frames)
        wait_until(lambda: len(decoders()) == 3)
        with slots.first_thread(), slots.first_thread():
            for _ in range(30):
                next(frames)
            wait_until(lambda: len(decoders()) == 1)
        for _ in range(10):
            next(frames)
        wait_until(lambda: len(decoders()) == 3)
        assert len(list(frames)) == FRAMES - 50
    assert slots.try_acquire(), "every slot was released"


def test_frames_do_not_depend_on_the_free_slots(monkeypatch: pytest.MonkeyPatch) -> None:
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
