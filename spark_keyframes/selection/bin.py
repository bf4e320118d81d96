"""Selects the best frame of each of equal slices of the video."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spark_keyframes.selection.base import (
    Bracket,
    Scores,
    Selector,
    best,
    checked_scores,
    equal_slices,
)


@dataclass(frozen=True)
class Bin(Selector):
    """The best-scored candidate of each of k equal slices of the video."""

    needs_eligible = True
    rule = "the best score of each of as many equal slices of the video"

    def select(
        self, scores: Scores, k: int, *, eligible: npt.NDArray[np.bool_] | None = None
    ) -> list[int]:
        """See Selector.select. A slice without an eligible candidate gives none."""
        values = checked_scores(scores)
        if eligible is None:
            eligible = np.ones(len(values), bool)
        ranked = np.where(eligible, values, -np.inf)
        return [
            index
            for start, stop in equal_slices(len(values), k)
            for index in best(ranked, start, stop, 1)
            if eligible[index]
        ]

    def segments(self, scores: Scores, k: int, **extras: Any) -> list[Bracket]:
        """See Selector.segments."""
        return list(self.brackets(len(scores), k))

    def brackets(self, count: int, k: int) -> Iterator[Bracket]:
        """See Selector.brackets."""
        for start, stop in equal_slices(count, k):
            yield Bracket(start, stop, 1)
