"""Frames with unreliable timestamps get times that never decrease."""

from __future__ import annotations

from fractions import Fraction
from types import SimpleNamespace

import pytest

from spark_keyframes.video.frame_order import DecodingTimes
from spark_keyframes.video.sequential import MonotonicTimes


def times_of(pts: list[int | None], decoding_times: DecodingTimes | None = None) -> list[float]:
    """Return the times in seconds of a 25 fps stream with a time base of 1 ms."""
    stream = SimpleNamespace(
        time_base=Fraction(1, 1000), average_rate=Fraction(25), guessed_rate=None
    )
    times = MonotonicTimes(stream, decoding_times)  # type: ignore[arg-type]
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


@pytest.mark.parametrize(
    ("pts", "expected"),
    [
        # I P B B P, and a gap before the last two.
        ([0, 80, 120, 40, 5160], [0, 0.04, 0.08, 5.08, 5.12]),
        # The first packets gave no frame: the others keep their places.
        ([120, 5120, 5160, 80], [0, 5.0, 5.04, 5.08]),
        # A packet in the middle gave no frame.
        ([0, 120, 5160], [0, 0.08, 5.12]),
        ([0, None, None], [0, 0.04, 0.08]),
    ],
)
def test_decoding_times_apply_in_the_order_of_presentation(
    pts: list[int | None], expected: list[float]
) -> None:
    stored = [0, 40, 80, 120, 5120, 5160]
    assert times_of(pts, DecodingTimes(stored, stored, 1)) == pytest.approx(expected)


def test_a_single_decoding_time() -> None:
    assert times_of([7, 7], DecodingTimes([7], [7], 1)) == pytest.approx([0, 0.001])
