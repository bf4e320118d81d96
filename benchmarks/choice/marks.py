"""Marks a choice of frames against the truth, and says how sure the mean of many marks is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks.choice.videos import Video

Floats = npt.NDArray[np.float64]

RESAMPLES = 2000
_Z = 1.96


class Marks(NamedTuple):
    """How good a choice is; each from 0 to 1."""

    events: float
    """The share of the question's events that at least one keyframe shows."""
    precision: float
    """The share of the keyframes that show one of them."""
    spread: float
    """The share of as many equal parts of the video as there are keyframes that hold one."""
    pictures: float
    """The different pictures among the keyframes, of as many as there could be. A still picture
    that comes back is one."""


class Interval(NamedTuple):
    """A mean with its 95 % interval."""

    mean: float
    low: float
    high: float


def mark(video: Video, events: Sequence[tuple[float, float]], indices: Sequence[int]) -> Marks:
    """Return the marks of the chosen candidates."""
    times = video.times
    shown = [[start <= times[i] < end for start, end in events] for i in indices]
    parts = {len(indices) * i // len(times) for i in indices}
    pictures = {video.scenes[video.shot_at(times[i])].seed for i in indices}
    possible = len({scene.seed for scene in video.scenes})
    return Marks(
        events=float(np.mean(np.any(shown, axis=0))) if events else np.nan,
        precision=float(np.mean(np.any(shown, axis=1))) if events else np.nan,
        spread=len(parts) / len(indices),
        pictures=len(pictures) / min(len(indices), possible),
    )


def interval(values: Floats) -> Interval:
    """Return the mean of values from 0 to 1 with Wilson's 95 % interval.

    No such values vary more than zeros and ones of the same mean, for which the interval is made.
    So it is never too narrow, and it has a width also where all values are equal.
    """
    n, mean = len(values), float(np.mean(values))
    centre = (mean + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * np.sqrt(mean * (1 - mean) / n + _Z**2 / (4 * n**2))
    return Interval(mean, max(0.0, float(centre - half)), min(1.0, float(centre + half)))


def difference(values: Floats, others: Floats, seed: int) -> Interval:
    """Return the mean of values - others with its bootstrap 95 % interval (percentiles).

    The values of the same place are of the same video.
    """
    rng = np.random.default_rng(seed)
    each = values - others
    places = rng.integers(len(each), size=(RESAMPLES, len(each)))
    low, high = np.quantile(each[places].mean(axis=1), [0.025, 0.975])
    return Interval(float(each.mean()), float(low), float(high))
