"""Totals of many videos, estimated from some of them, with the range that chance leaves."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

# Of Student's distribution, for 1, 2, … degrees of freedom: 95 % are within so many errors.
_STUDENT = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23)
_NORMAL = 2.0


@dataclass(frozen=True)
class Estimate:
    """A number, and how far off it may be: 95 of 100 such ranges have the true one in them."""

    value: float
    spread: float = 0.0
    """half of the range; 0: it is exact; infinite: one value says nothing of others"""

    def __mul__(self, other: "Estimate | float") -> "Estimate":
        """Return the product; of two estimates the relative errors add as squares."""
        if not isinstance(other, Estimate):
            return Estimate(self.value * other, self.spread * abs(other))
        value = self.value * other.value
        if not value:
            return Estimate(0.0)
        relative = math.hypot(self.spread / self.value, other.spread / other.value)
        return Estimate(value, value * relative)

    def __add__(self, other: "Estimate") -> "Estimate":
        """Return the sum of two estimates whose errors are independent."""
        return Estimate(self.value + other.value, math.hypot(self.spread, other.spread))


NOTHING = Estimate(0.0)


def total(
    values: Sequence[float], known: Sequence[float], all_known: float, shares: Sequence[float]
) -> Estimate:
    """Return the total of something over all videos, from those that were chosen.

    It is in proportion to another number whose total is known: bytes, or 1 for each video.

    Args:
        values: of the chosen videos.
        known: the other number, of the same videos.
        all_known: its total over all videos.
        shares: with which probability each was chosen.
    """
    weighted = sum(x / p for x, p in zip(known, shares, strict=True))
    if not weighted:
        return NOTHING
    rate = sum(y / p for y, p in zip(values, shares, strict=True)) / weighted
    variance = sum(
        (1 - p) * ((y - rate * x) / p) ** 2 for y, x, p in zip(values, known, shares, strict=True)
    )
    return Estimate(rate * all_known, _NORMAL * math.sqrt(variance) * all_known / weighted)


def spread_out(weights: Sequence[float], count: int) -> dict[int, float]:
    """Choose up to `count` of some videos for measurements, a heavier one more likely.

    Returns:
        The place of each in `weights`, and how much of all weights its measurement stands for.
    """
    if len(weights) <= count:
        return {place: weight for place, weight in enumerate(weights) if weight}
    step = sum(weights) / count
    chosen: dict[int, float] = {}
    reached, wanted = 0.0, step / 2
    for place, weight in enumerate(weights):
        reached += weight
        while wanted < reached:
            chosen[place] = chosen.get(place, 0.0) + step
            wanted += step
    return chosen


def rate(tops: Sequence[float], bottoms: Sequence[float], weights: Sequence[float]) -> Estimate:
    """Return what a unit takes, such as a second of video, from a few measurements.

    Args:
        tops: what each of them took.
        bottoms: how many units each had.
        weights: how much each stands for.
    """
    each = [
        (top / bottom, weight)
        for top, bottom, weight in zip(tops, bottoms, weights, strict=True)
        if bottom and weight
    ]
    if not each:
        return NOTHING
    weighed, count = sum(weight for _, weight in each), len(each)
    value = sum(one * weight for one, weight in each) / weighed
    if count == 1:
        return Estimate(value, math.inf if value else 0.0)
    squares = sum((weight * (one - value)) ** 2 for one, weight in each)
    error = math.sqrt(squares * count / (count - 1)) / weighed
    quantile = _STUDENT[count - 2] if count - 2 < len(_STUDENT) else _NORMAL
    return Estimate(value, quantile * error)
