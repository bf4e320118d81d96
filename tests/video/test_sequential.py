"""Frames with unreliable timestamps get times that never decrease."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace

import pytest

from spark_keyframes.video.sequential import MonotonicTimes


def times_of(stamps: list[int | None], *, has_pts: bool = True, duration: int = 0) -> list[float]:
    """Return the times in seconds of a 25 fps stream with a time base of 1 ms."""
    stream = SimpleNamespace(
        time_base=Fraction(1, 1000), average_rate=Fraction(25), guessed_rate=None
    )
    times = MonotonicTimes(stream, has_pts=has_pts)  # type: ignore[arg-type]
    found = []
    for stamp in stamps:
        pts, dts = (stamp, 999) if has_pts else (999, stamp)
        picture = SimpleNamespace(pts=pts, dts=dts, duration=duration)
        found.append(float(times.time_of(picture) / 1000))  # type: ignore[arg-type]
    return found


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


def test_without_presentation_times_a_frame_has_the_time_at_which_it_leaves_the_decoder() -> None:
    assert times_of([80, 120, 5160], has_pts=False) == pytest.approx([0, 0.04, 5.08])


@pytest.mark.parametrize(("duration", "step"), [(20, 0.02), (0, 0.04)])
def test_the_last_frames_leave_the_decoder_without_a_time(duration: int, step: float) -> None:
    times = times_of([80, 120, None, None], has_pts=False, duration=duration)
    assert times == pytest.approx([0, 0.04, 0.04 + step, 0.04 + 2 * step])
