"""Plans which candidates of a video are looked at, where not all of them are.

Pure: numbers in, numbers out. The codec's keyframes are scored first. Then the selector chooses on
a curve that is optimistic where nothing is known, and the GOPs of the unseen candidates that it
chooses are looked at next. That goes on until it chooses none, or the budget is used.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from spark_keyframes.scan.curve import Curve
from spark_keyframes.selection import Selector
from spark_keyframes.selection.base import best, checked_segments, choose

ROUNDS = 4
"""Rounds after the keyframes. More of them stay with the best segments and leave others without a
look; fewer learn less. benchmarks/scan.py measures what is kept."""
_LOOKS = 16
"""Looks after the keyframes. The last uses what is left of the budget, because each look reads a
large file from its start."""
_KEYFRAMES = 0.5
"""The most of the budget that goes to keyframes: short GOPs have more of them than that."""
_FEWEST_GOPS = 12
"""Fewer give nothing to choose from."""


@dataclass(frozen=True)
class Gop:
    """Consecutive candidates that are decoded together, and the keyframe before them."""

    keyframe: float
    """Seconds from the start of the video."""
    candidates: range
    """Indices; at least one."""


def budget_of(share: float, count: int, least: int) -> int:
    """Return how many frames may be scored: this share of the candidates, and at least `least`."""
    # A share such as 0.1 is a little more than a tenth: 0.1 * 30 must not give 4.
    return min(count, max(math.ceil(round(share * count, 6)), least))


def why_not(gops: Sequence[Gop], count: int, *, share: float, least: int, guides: int = 0) -> str:
    """Return why all candidates have to be looked at; empty if a part can be.

    Args:
        gops: that hold candidates.
        count: the number of candidates.
        share: of the candidates, that may be scored.
        least: how many of them have to be scored whatever the share.
        guides: the number of keyframes to score that are no candidates.
    """
    if not count:
        return "it has no candidate"
    if budget_of(share, count, 1) >= count:
        return f"scan_budget allows for all {count} candidates"
    if least >= count:
        return f"{least} candidates have to be scored, and it has {count}"
    if least + guides >= count:
        return (
            f"{least} candidates and {guides} keyframes that are none would be scored, and it has "
            f"{count} candidates"
        )
    if len(gops) < _FEWEST_GOPS:
        gop = "GOP" if len(gops) == 1 else "GOPs"
        return f"its candidates are in {len(gops)} {gop}, fewer than {_FEWEST_GOPS}"
    return ""


class ScanPlan:
    """Says which GOPs to look at next, by the scores that it was told.

    Args:
        times: of all candidates, in seconds, increasing.
        gops: of the video, from the left; each candidate is in one.
        selector: chooses the keyframes.
        places: how many candidates the selector will choose; several if it is asked several times.
        budget: the most frames to score, keyframes that are no candidates included. It is exceeded
            where the selector would choose fewer than it may.
        texts: the number of texts, each with scores of its own.
    """

    def __init__(
        self,
        times: Sequence[float],
        gops: Sequence[Gop],
        *,
        selector: Selector,
        places: Sequence[int],
        budget: int,
        texts: int = 1,
    ) -> None:
        self._gops = gops
        self._selector = selector
        self._places = places
        self._left = budget
        self._seen = np.zeros(len(times), bool)
        self._gop_of = np.repeat(range(len(gops)), [len(gop.candidates) for gop in gops])
        self._curves = [Curve(times) for _ in range(texts)]
        self.first = self._spread(max(1, int(_KEYFRAMES * budget)))
        """The GOPs whose keyframes are scored first."""
        self._looks = 0
        rest = max(budget - len(self.first), 1)
        self._round, self._least = math.ceil(rest / ROUNDS), math.ceil(rest / _LOOKS)

    def _spread(self, most: int) -> list[int]:
        """Return the numbers of all GOPs, or of as many as that at equal distances."""
        count = len(self._gops)
        if count <= most:
            return list(range(count))
        return sorted({(2 * place + 1) * count // (2 * most) for place in range(most)})

    def learn(
        self,
        candidates: Mapping[int, Sequence[float]],
        keyframes: Mapping[int, Sequence[float]] | None = None,
    ) -> None:
        """Take scores that were found, one for each text.

        Args:
            candidates: by the index of the candidate.
            keyframes: by the number of the GOP; of those that are no candidates.
        """
        others = keyframes or {}
        for number, curve in enumerate(self._curves):
            curve.learn(
                {index: scores[number] for index, scores in candidates.items()},
                {self._gops[gop].keyframe: scores[number] for gop, scores in others.items()},
            )
        self._seen[list(candidates)] = True
        self._left -= len(candidates) + len(others)

    def next(self) -> list[int]:
        """Return the candidates to look at now, ascending.

        They are whole GOPs, but for the last of all, and for what the selector needs to choose as
        many as it may. A look that would be small also has GOPs that the selector may choose next.
        """
        gains: dict[int, float] = {}
        for curve in self._curves:
            for index, gain in self._gains(curve).items():
                gop = int(self._gop_of[index])
                gains[gop] = max(gain, gains.get(gop, gain))
        needed = self._needed()
        self._looks += 1
        most = least = self._left
        if self._looks < _LOOKS:
            most = min(self._round, self._left - len(needed))
            least = min(self._least, most)
        found: list[int] = []
        for gop in self._best_first(gains):
            if len(found) >= (most if gop in gains else least):
                break
            unseen = [index for index in self._gops[gop].candidates if not self._seen[index]]
            found += sorted(unseen, key=lambda index: index not in needed)
        rest = needed - {*found}
        found = found[: max(self._left - len(rest), 0)]
        if not found or len(found) + len(rest) >= self._left:  # the last round
            found += rest
        return sorted(found)

    def _best_first(self, gains: Mapping[int, float]) -> Iterator[int]:
        """Yield the GOPs that may gain something, then others that would be looked at soon."""
        yield from sorted(gains, key=lambda gop: (-gains[gop], gop))
        if not gains:
            return
        hoped = np.max([curve.optimistic() for curve in self._curves], axis=0)
        hoped[self._seen] = -np.inf
        best = np.full(len(self._gops), -np.inf)
        np.maximum.at(best, self._gop_of, hoped)
        yield from (
            int(gop)
            for gop in np.argsort(-best, kind="stable")
            if gop not in gains and np.isfinite(best[gop])
        )

    def _needed(self) -> set[int]:
        """Return unseen candidates without which the selector would choose fewer than of all."""
        have = self._seen.copy()
        for curve, places in product(self._curves, self._places):
            scores, hoped = curve.expected(), curve.optimistic()
            chosen = choose(self._selector, scores, places, looked_at=have)
            missing = min(places, len(have)) - len(chosen)
            if missing <= 0:
                continue
            unseen = np.where(have, -np.inf, hoped)
            more: list[int] = []
            for start, stop, of_part in checked_segments(self._selector, hoped, places):
                room = min(of_part, stop - start) - int(have[start:stop].sum())
                more += best(unseen, start, stop, max(room, 0))
            have[sorted(more, key=lambda index: -hoped[index])[:missing]] = True
        return {int(index) for index in np.flatnonzero(have & ~self._seen)}

    def _gains(self, curve: Curve) -> dict[int, float]:
        """Return what each unseen candidate, if chosen, may add to the scores of the chosen."""
        hoped, most = curve.optimistic(), max(self._places)
        new = [i for i in choose(self._selector, hoped, most) if not self._seen[i]]
        if not new:
            return {}
        known = np.where(self._seen, hoped, curve.least)
        had: list[int] = []
        if self._seen.any():
            had = choose(self._selector, known, most, looked_at=self._seen)
        gains = dict.fromkeys(new, 0.0)
        for start, stop, places in checked_segments(self._selector, hoped, most):
            here = [float(known[index]) for index in had if start <= index < stop]
            low = min(here) if len(here) >= places else curve.least
            gains |= {i: float(hoped[i]) - low for i in new if start <= i < stop}
        return gains

    @property
    def seen(self) -> npt.NDArray[np.intp]:
        """The candidates whose scores are known, ascending."""
        return np.flatnonzero(self._seen)

    def expected(self) -> list[npt.NDArray[np.float64]]:
        """Return the scores of all candidates for each text, as expected where they are unseen."""
        return [curve.expected() for curve in self._curves]
