"""Replaces selected frames that repeat another one."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from spark_keyframes.errors import ParameterError
from spark_keyframes.selection.base import Bracket, Floats
from spark_keyframes.selection.products import products

# Times and cosines are rounded numbers: 0.3 - 0.1 is less than 0.2.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Replacement:
    """A frame that was chosen, repeats a better one, and gave way."""

    index: int
    """of the frame, among all candidates"""
    of: int | None = None
    """the keyframe that it repeats; None: it was not eligible itself"""
    cosine: float | None = None
    """of the embeddings of both, where they are too similar; None: they are too close in time"""
    by: int | None = None
    """what took its place; None: every other eligible frame repeats a keyframe"""


@dataclass(frozen=True)
class Repeats:
    """When a frame repeats another: they are too close in time, or look too much alike."""

    min_gap: float = 0.0
    """frames that are closer than this repeat each other, in seconds; 0: none do"""
    max_similarity: float = 1.0
    """frames whose embeddings have a higher cosine repeat each other; 1: none do"""

    def __post_init__(self) -> None:
        if not 0 <= self.min_gap < math.inf:
            raise ParameterError(
                f"min_gap must be at least 0 and finite, got {self.min_gap}; use e.g. 2.0, in "
                "seconds, or 0 for none"
            )
        if not 0 <= self.max_similarity <= 1:
            raise ParameterError(
                f"max_similarity must be from 0 to 1, got {self.max_similarity}; use e.g. 0.95, or "
                "1 for none"
            )

    @property
    def possible(self) -> bool:
        """Whether any frame can repeat another."""
        return self.min_gap > 0 or self.compares_embeddings

    @property
    def compares_embeddings(self) -> bool:
        """Whether it depends on the embeddings."""
        return self.max_similarity < 1

    def is_too_close(self, gap: Any) -> Any:
        """Return whether frames so many seconds apart repeat each other; of numbers or arrays."""
        return gap < self.min_gap - _ROUNDING

    def replacements(
        self,
        chosen: Iterable[int],
        scores: Floats,
        eligible: npt.NDArray[np.bool_],
        segments: Sequence[Bracket],
        *,
        timestamps: Sequence[float],
        embeddings: npt.NDArray[np.float32] | None,
    ) -> list[Replacement]:
        """Return which of `chosen` give way, and to which others; the best first.

        Of two that repeat each other, the one with the higher score stays. The other gives way to
        the best eligible candidate of its segment that repeats none, or else of the whole video.

        Args:
            chosen: indices of candidates.
            scores: of all candidates.
            eligible: which candidates may be chosen.
            segments: where the replacement is looked for first.
            timestamps: of all candidates, where `min_gap` needs them.
            embeddings: of all candidates, where `max_similarity` needs them.
        """
        times = np.asarray(timestamps, np.float64)
        rows = embeddings if self.compares_embeddings else None
        free = eligible.copy()
        kept: list[int] = []

        def keep(index: int) -> None:
            kept.append(index)
            free[index] = False
            if self.min_gap:
                free[self.is_too_close(np.abs(times - times[index]))] = False
            if rows is not None:
                cosines = products(rows, rows[index].astype(np.float64))
                free[cosines > self.max_similarity + _ROUNDING] = False

        def keep_best(start: int, stop: int) -> int | None:
            """Keep the best free candidate of a range; return it, or None if there is none."""
            places = start + np.flatnonzero(free[start:stop])
            if not len(places):
                return None
            best = int(places[scores[places].argmax()])
            keep(best)
            return best

        repeats: list[Replacement] = []
        for index in sorted(chosen, key=lambda index: (-scores[index], index)):
            if free[index]:
                keep(index)
            elif eligible[index]:
                repeats.append(Replacement(index, *self._repeated(index, kept, times, rows)))
            else:
                repeats.append(Replacement(index))
        # All look in their own segments first: what one takes from afar may be in another's.
        repeats = [
            replace(each, by=keep_best(*_segment_of(each.index, segments))) for each in repeats
        ]
        return [
            replace(each, by=keep_best(0, len(scores))) if each.by is None else each
            for each in repeats
        ]

    def _repeated(
        self,
        index: int,
        kept: list[int],
        times: Floats,
        embeddings: npt.NDArray[np.float32] | None,
    ) -> tuple[int, float | None]:
        """Return the keyframe that a frame repeats, and their cosine if that is why."""
        if self.min_gap:
            close = np.flatnonzero(self.is_too_close(np.abs(times[kept] - times[index])))
            if len(close):
                return kept[close[0]], None
        rows = cast(npt.NDArray[np.float32], embeddings)  # else it would repeat none
        cosines = products(rows[kept], rows[index].astype(np.float64))
        return kept[cosines.argmax()], float(cosines.max())


def _segment_of(index: int, segments: Sequence[Bracket]) -> tuple[int, int]:
    found = [each for each in segments if each.start <= index < each.stop]
    return (found[0].start, found[0].stop) if found else (0, 0)
