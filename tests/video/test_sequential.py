"""Frames with unreliable timestamps get times that never decrease."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace

import pytest

from spark_keyframes.video.sequential import MonotonicTimes


def times_of(pts: list[int | None], *, trust_pts: bool = True) -> list[float]:
    """Return the times in seconds of a 25 fps stream with a time base of 1 ms."""
    stream = SimpleNamespace(
        time_base=Fraction(1, 1000), average_rate=Fraction(25), guessed_rate=None
    )
    times = MonotonicTimes(stream, trust_pts=trust_pts)  # type: ignore[arg-type]
    return [float(times.time_of(SimpleNamespace(pts=p)) / 1000) for p in pts]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("pts", "expected"),
    [
        ([500, 540, 580], [0, 0.04, 0.08]),
        ([500, None, 580], [0, 0.04, 0.08]),
        ([None, None, None], [0, 0.04, 0.08]),
        ([0, 40, 40, 120], [0, 0.04, 0.04, 0.12]),
        ([0, 80, 40, 120], [0, 0.08, 0.08, 0.12]),
        # Two recordings, joined.
        ([9000, 9040, 0, 40], [0, 0.04, 0.08, 0.12]),
    ],
)
def test_times_never_decrease(pts: list[int | None], expected: list[float]) -> None:
    assert times_of(pts) == pytest.approx(expected)


def test_meaningless_timestamps_are_ignored() -> None:
    assert times_of([7, 3, 900], trust_pts=False) == pytest.approx([0, 0.04, 0.08])
