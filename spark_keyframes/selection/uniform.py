"""Selects frames at equal distances, whatever their scores: the baseline to compare with."""

from collections.abc import Iterator
from dataclasses import dataclass

from spark_keyframes.selection.base import (
    Bracket,
    Scores,
    Selector,
    checked_scores,
    equal_slices,
)


@dataclass(frozen=True)
class Uniform(Selector):
    """The middle candidate of each of k equal slices of the video."""

    reads_scores = False
    rule = "the middle of each of as many equal slices of the video, whatever the scores"

    def select(self, scores: Scores, k: int) -> list[int]:
        """See Selector.select."""
        return [bracket.start for bracket in self.brackets(len(checked_scores(scores)), k)]

    def brackets(self, count: int, k: int) -> Iterator[Bracket]:
        """See Selector.brackets."""
        for start, stop in equal_slices(count, k):
            middle = (start + stop - 1) // 2
            yield Bracket(middle, middle + 1, 1)
