"""Candidate k is exactly the frame on screen at start + k/fps, up to the end of the video."""

from __future__ import annotations

from bisect import bisect_right
from fractions import Fraction
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_keyframes.errors import ParameterError
from spark_keyframes.video.timeline import (
    Timeline,
    candidate_step,
    end_of,
    exact_fps,
    is_candidate,
)


def steady(count: int, duration: int, time_base: Fraction, start: int = 0) -> Timeline:
    pts = [start + i * duration for i in range(count)]
    return Timeline(pts, time_base, pts[-1] + duration)


def test_at_25_frames_per_second_every_25th_frame_is_a_candidate() -> None:
    assert steady(100, 1, Fraction(1, 25)).candidate_ids(1.0) == [0, 25, 50, 75]


def test_half_a_candidate_per_second() -> None:
    assert steady(100, 1, Fraction(1, 25)).candidate_ids(0.5) == [0, 50]


def test_29_97_frames_per_second_do_not_drift_within_an_hour() -> None:
    ids = steady(107_892, 1001, Fraction(1, 30000)).candidate_ids(1.0)
    assert ids[:4] == [0, 29, 59, 89]
    assert ids[1800] == 1800 * 30000 // 1001
    assert len(ids) == 3600


@pytest.mark.parametrize("fps", [29.97, 23.976, 0.1, 1 / 3, 5 / 3, 30000 / 1001])
def test_a_float_stands_for_the_nearest_simple_fraction(fps: float) -> None:
    meant = {
        29.97: Fraction(2997, 100),
        23.976: Fraction(2997, 125),
        0.1: Fraction(1, 10),
        1 / 3: Fraction(1, 3),
        5 / 3: Fraction(5, 3),
        30000 / 1001: Fraction(30000, 1001),
    }
    assert exact_fps(fps) == meant[fps]


def test_a_candidate_every_ten_seconds_is_the_frame_that_begins_there() -> None:
    assert steady(1000, 1, Fraction(1, 25)).candidate_ids(0.1) == [0, 250, 500, 750]


def test_times_are_relative_to_the_first_timestamp() -> None:
    for start in (-7, 0, 900_000):
        timeline = steady(75, 3600, Fraction(1, 90_000), start)
        assert timeline.candidate_ids(1.0) == [0, 25, 50]
        assert timeline.seconds(25) == 1.0


def test_a_long_frame_is_a_candidate_once() -> None:
    timeline = Timeline([0, 1, 60, 61], Fraction(1, 10), 62)
    assert timeline.candidate_ids(1.0) == [0, 1, 2]


def test_the_last_frame_is_a_candidate_until_the_end_of_the_video() -> None:
    assert Timeline([0, 9], Fraction(1, 10), 10).candidate_ids(1.0) == [0]
    assert Timeline([0, 9], Fraction(1, 10), 11).candidate_ids(1.0) == [0, 1]


def test_a_last_frame_of_unknown_duration_stays_as_long_as_the_one_before() -> None:
    assert end_of([0, 4, 7], None) == 10
    assert end_of([0, 4, 7], 0) == 10
    assert end_of([0, 4, 7], 5) == 12
    assert end_of([0, 4, 7], 1) == 8
    assert end_of([0, 4], None) == 8
    assert end_of([0, 1], None) == 2
    assert end_of([3], None, frame_duration=4) == 7
    assert end_of([3], None) == 4


def test_above_the_frame_rate_every_frame_is_a_candidate() -> None:
    assert steady(50, 1001, Fraction(1, 30000)).candidate_ids(1e9) == list(range(50))


def test_a_rate_below_the_finest_fraction_is_taken_as_it_is() -> None:
    assert exact_fps(1e-9) == Fraction(1e-9)


def test_a_frame_is_found_by_its_exact_timestamp() -> None:
    timeline = Timeline([0, 4, 7], Fraction(1, 10), 9)
    assert [timeline.id_at(pts) for pts in (0, 4, 7)] == [0, 1, 2]
    assert [timeline.id_at(pts) for pts in (-1, 3, 5, 8)] == [None] * 4


@pytest.mark.parametrize("fps", [0.0, -1.0, float("nan"), float("inf")])
def test_invalid_rates_are_refused(fps: float) -> None:
    with pytest.raises(
        ParameterError, match=r"fps must be greater than 0, got .*; use e\.g\. 0\.5"
    ):
        exact_fps(fps)


@pytest.mark.parametrize("fps", ["1", None, True])
def test_rates_that_are_not_numbers_are_refused(fps: object) -> None:
    with pytest.raises(ParameterError, match="fps must be a number"):
        exact_fps(fps)  # type: ignore[arg-type]


@given(
    gaps=st.lists(st.integers(1, 5000), min_size=1, max_size=60),
    start=st.integers(-100_000, 100_000),
    fps=st.fractions(min_value=Fraction(1, 50), max_value=200, max_denominator=1001),
    ticks=st.sampled_from([1000, 12800, 30000, 90000]),
)
def test_candidates_are_the_frames_on_screen(
    gaps: list[int], start: int, fps: Fraction, ticks: int
) -> None:
    *pts, end = accumulate(gaps, initial=start)
    timeline = Timeline(pts, Fraction(1, ticks), end)
    expected = []
    k = 0
    while (at := start + k / fps * ticks) < end:
        frame = bisect_right(pts, at) - 1
        if frame not in expected[-1:]:
            expected.append(frame)
        k += 1
    step = candidate_step(fps, timeline.time_base)  # type: ignore[arg-type]
    one_by_one = [
        i
        for i, (a, b) in enumerate(zip(pts, [*pts[1:], end], strict=True))
        if is_candidate(a - start, b - start, step)
    ]
    assert timeline.candidate_ids(fps) == expected == one_by_one  # type: ignore[arg-type]
