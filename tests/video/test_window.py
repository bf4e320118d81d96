"""A window of a video has exactly the frames of the whole video that are in it."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spark_keyframes.errors import LimitError, WindowError
from spark_keyframes.limits import Limits
from spark_keyframes.video import needed_packets
from spark_keyframes.video.av_video import AvVideo
from spark_keyframes.video.process import ProcessDecoder
from spark_keyframes.video.process.answers import (
    Count,
    End,
    Fields,
    InvalidAnswerError,
    Pictures,
    count_of,
)
from spark_keyframes.video.process.expected_pictures import ExpectedPictures
from spark_keyframes.video.thread_decoder import ThreadDecoder
from spark_keyframes.video.timeline import Timeline
from spark_keyframes.video.window import Window

from .clips import SEQUENTIAL, clip_named, damaged
from .decode_processes import decoder, kill, seen
from .reference import digest
from .test_any_frame_order import CONTAINERS, STRUCTURES, encoded

__all__ = ["decoder"]  # a fixture

Found = tuple[int, float, bytes]
"""Id, timestamp and hash of a frame."""

_RUNS = int(os.environ.get("WINDOWS", "60"))


@pytest.fixture(scope="module", autouse=True)
def _small_files_are_read_in_parts() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(needed_packets, "LEAST_BYTES", 0)
        yield


def frames_of(data: bytes, fps: float, window: Window = Window(), threads: int = 2) -> list[Found]:
    with AvVideo(io.BytesIO(data), threads=threads, window=window) as video:
        count = video.candidate_count(fps)
        found = [(f.frame_id, f.timestamp, digest(f._picture)) for f in video.candidates(fps)]
        assert count is None or count >= len(found)  # damage may leave fewer
        return found


def within(frames: list[Found], window: Window) -> list[Found]:
    return [frame for frame in frames if window.start <= frame[1] < window.end]


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        (-0.5, None, "start must be at least 0 seconds, got -0.5"),
        (None, -1, "end must be at least 0 seconds, got -1"),
        (2, 2.0, "end must be greater than start, got start 2.0 and end 2.0"),
        (None, 0, "end must be greater than start"),
        (3, 1, "end must be greater than start, got start 3.0 and end 1.0"),
        (math.nan, None, "start must be at least 0 seconds, got nan"),
        (0, Decimal("NaN"), "end must be at least 0 seconds, got nan"),
        (0, Decimal("sNaN"), "end must be a number of seconds that"),
        (math.inf, None, "start must be finite"),
        (-math.inf, None, "start must be at least 0"),
        (10**400, None, "start must be a number of seconds that a double can hold"),
        ("5", None, "start must be a number of seconds, got '5'"),
        (None, True, "end must be a number of seconds, got True"),
    ],
)
def test_bad_windows_are_refused(start: Any, end: Any, message: str) -> None:
    with pytest.raises(WindowError, match=message):
        Window.of(start, end)


def test_any_kind_of_number_makes_a_window() -> None:
    assert Window.of(None, None) == Window(0.0, math.inf)
    assert Window.of(None, None).is_whole
    assert Window.of(0, math.inf).is_whole
    assert Window.of(Decimal("1.5"), 2) == Window.of(np.float32(1.5), Fraction(2)) == Window(1.5, 2)


NAMES = [
    *("h264 mp4", "h264 open GOP ts", "h264 variable rate", "hevc mkv", "vp9 webm", "mpeg2 ps"),
    *("h264 one keyframe", "h264 ts from 10 s", "h264 edit list", "h264 29.97", "h264 fragmented"),
    *("h264 avi", "mpeg4 mp4", "h264 truncated mp4", "h264 lost packets", "ffv1"),
    *("av1 mp4", "flv1", "msmpeg4v3 avi"),
]


@pytest.mark.parametrize("name", NAMES)
def test_windows_have_the_frames_of_the_whole_video(name: str) -> None:
    data = clip_named(name)
    whole = frames_of(data, 3.0)
    times = [time for _, time, _ in whole]
    last = times[-1]
    a, b = last * 0.4, last * 0.7
    windows = [Window(0, a), Window(a, b), Window(b), Window(last), Window(0.0, last)]
    assert sum(map(len, (within(whole, window) for window in windows[:3]))) == len(whole)
    # A timestamp of a result as `start` includes its frame, and as `end` does not.
    windows += [Window(times[1], times[2]), Window(last * 0.41, last * 0.42)]
    for window in windows:
        assert frames_of(data, 3.0, window) == within(whole, window), window
    assert within(whole, Window(times[1], times[2])) == whole[1:2]


@pytest.mark.parametrize("name", ["h264 mp4", "h264 avi"])
@pytest.mark.parametrize("seed", range(6))
def test_damage_is_replaced_as_in_the_whole_video(name: str, seed: int) -> None:
    data = damaged(clip_named(name), seed, size=400)
    whole = frames_of(data, 12.0)
    for number in range(7):
        window = Window(number * 0.5, number * 0.5 + 0.5)
        assert frames_of(data, 12.0, window) == within(whole, window)


def check(structure: dict[str, Any], container: tuple[str, bool], fps: float, cuts: Any) -> None:
    name, decoding_times = container
    if (name == "flv" and structure["codec"] != "libx264") or (
        name == "avi" and structure["codec"] == "libx265"
    ):
        return
    data = encoded(name, **structure, decoding_times=decoding_times)
    whole = frames_of(data, fps)
    with AvVideo(io.BytesIO(data)) as video:
        list(video.candidates(fps))
        duration = video.duration
    assert duration is not None
    assert duration > whole[-1][1]
    edges = sorted({0.0, *(cut * duration for cut in cuts), duration + 5})
    for start, end in pairwise(edges):
        window = Window(start, end)
        assert frames_of(data, fps, window) == within(whole, window), window


cuts = st.lists(st.floats(0.001, 0.999), min_size=1, max_size=3)
rates = st.sampled_from([0.5, 3.0, 10.0, 1000.0])


@settings(max_examples=6, deadline=None)
@given(structure=STRUCTURES, container=CONTAINERS, fps=rates, cuts=cuts)
def test_any_window(
    structure: dict[str, Any], container: tuple[str, bool], fps: float, cuts: list[float]
) -> None:
    check(structure, container, fps, cuts)


@pytest.mark.slow
@settings(max_examples=_RUNS, deadline=None, suppress_health_check=list(HealthCheck))
@given(structure=STRUCTURES, container=CONTAINERS, fps=rates, cuts=cuts)
def test_many_windows(
    structure: dict[str, Any], container: tuple[str, bool], fps: float, cuts: list[float]
) -> None:
    check(structure, container, fps, cuts)


@pytest.mark.parametrize("name", ["h264 mp4", "h264 avi", "h264 ts from 10 s"])
def test_the_duration_is_known(name: str) -> None:
    """90 frames at 25 per second: at once with reliable timestamps, otherwise at the end."""
    data = clip_named(name)
    for make in (ThreadDecoder, ProcessDecoder):
        with make(1) as decoder, decoder.open(io.BytesIO(data)) as video:
            assert video.duration == (None if name in SEQUENTIAL else pytest.approx(3.6))
            list(video.candidates(1.0, hold=False))
            assert video.duration == pytest.approx(3.6)


@pytest.mark.parametrize("name", ["h264 mp4", "h264 avi"])
def test_a_window_behind_the_end_is_an_error(name: str) -> None:
    for make in (ThreadDecoder, ProcessDecoder):
        with make(1) as decoder:
            for start in (3.6, 1e300):
                with (
                    pytest.raises(WindowError, match=r"at or behind the end .* 3\.6 seconds long"),
                    decoder.open(io.BytesIO(clip_named(name)), window=Window(start)) as video,
                ):
                    list(video.candidates(25.0, hold=False))
            window = Window(3.55, 1e300)
            with decoder.open(io.BytesIO(clip_named(name)), window=window) as video:
                assert [p.frame_id for p in video.candidates(25.0, hold=False)] == [89]
            # Frame 89 is on screen, but began before.
            with decoder.open(io.BytesIO(clip_named(name)), window=Window(3.58)) as video:
                assert not list(video.candidates(25.0, hold=False))


def test_a_window_is_the_same_in_a_process(decoder: ProcessDecoder) -> None:
    data, window = clip_named("h264 mp4"), Window(1.0, 2.0)
    with ThreadDecoder(1) as threads, threads.open(io.BytesIO(data), window=window) as video:
        expected = [seen(picture) for picture in video.candidates(5.0, hold=False)]
    assert [frame for frame, *_ in expected] == [25, 30, 35, 40, 45]
    with decoder.open(io.BytesIO(data), window=window) as video:
        assert video.candidate_count(5.0) == 5
        pictures = video.candidates(5.0, hold=True)
        found = [seen(next(pictures)) for _ in range(2)]
        kill(video)  # another process continues in the window
        assert found + [seen(picture) for picture in pictures] == expected
        assert [seen(p) for p in video.frames_by_id([30, 45])] == [expected[1], expected[4]]


@pytest.mark.parametrize(
    "lie",
    [{"duration": value} for value in (math.nan, math.inf, -1.0, "3.6", 5, 1.9)] + [{}],
)
def test_an_end_needs_a_duration_that_can_be(lie: dict[str, object]) -> None:
    expected = ExpectedPictures(Limits(), window=Window(1.0, 3.0))
    picture = {"frame_id": 50, "height": 2, "width": 2, "nbytes": 9, "is_keyframe_packet": False}
    for timestamp in (0.5, 3.0):
        with pytest.raises(InvalidAnswerError, match=f"timestamp {timestamp}"):
            expected.parse(Fields({"pictures": [{**picture, "timestamp": timestamp}]}))
    expected.accept(expected.parse(Fields({"pictures": [{**picture, "timestamp": 2.0}]})))
    with pytest.raises(InvalidAnswerError, match="duration"):
        expected.parse(Fields({"pictures": [], "end": lie}))
    for duration in (3.6, None):
        answer = expected.parse(Fields({"pictures": [], "end": {"duration": duration}}))
        assert answer == Pictures([], End(duration, None))


def test_only_a_window_may_have_no_candidate() -> None:
    none: dict[str, object] = {"pictures": [], "end": {"duration": None}}
    found = ExpectedPictures(Limits(), window=Window(1.0)).parse(Fields(none))
    assert found == Pictures([], End(None, None))
    with pytest.raises(InvalidAnswerError, match="an end after 0 pictures"):
        ExpectedPictures(Limits()).parse(Fields(none))
    assert count_of(Limits(), 1.0, Window(1.0))(Fields({"count": 0})) == Count(0)
    with pytest.raises(InvalidAnswerError, match="count 0"):
        count_of(Limits(), 1.0)(Fields({"count": 0}))


def test_only_the_needed_frames_are_decoded() -> None:
    with AvVideo(io.BytesIO(clip_named("h264 mp4")), window=Window(1.3, 1.5)) as video:
        assert [frame.frame_id for frame in video.candidates(25.0)] == [33, 34, 35, 36, 37]
        # The GOP from frame 30 on.
        assert video.counters.decoded <= 8 + 4
    with AvVideo(io.BytesIO(clip_named("h264 avi")), window=Window(1.3, 1.5)) as video:
        assert [frame.frame_id for frame in video.candidates(25.0)] == [33, 34, 35, 36, 37]
        assert video.counters.decoded <= 38 + 8
        assert video.duration is None


def test_the_length_limit_is_that_of_the_window() -> None:
    limits = Limits(max_video_seconds=1.0)
    for name in ("h264 mp4", "h264 avi"):
        data = clip_named(name)
        with AvVideo(io.BytesIO(data), limits=limits, window=Window(2.0, 3.0)) as video:
            assert len(list(video.candidates(25.0))) == 25
        with pytest.raises(LimitError, match="plays for 2 s, max_video_seconds of limits is 1"):
            AvVideo(io.BytesIO(data), limits=limits, window=Window(1.6))


def test_frames_of_a_timeline_within_a_window() -> None:
    timeline = Timeline(range(0, 9000, 90), Fraction(1, 900), 9000)
    assert list(timeline.within(range(100), Window(0.3, 0.5))) == [3, 4]
    assert list(timeline.within([2, 3, 9], Window(0.2, 0.3))) == [2]
    assert timeline.duration == 10.0
    assert timeline.sound_seconds_in(Window(2.0, 4.5)) == 2.5
    assert timeline.sound_seconds_in(Window(0.01, 0.02)) == 0.0
