"""Selects the best-scored frames, wherever they are."""

from collections.abc import Iterator
from dataclasses import dataclass

from spark_keyframes.selection.base import Bracket, Scores, Selector, best, checked_scores


@dataclass(frozen=True)
class Top(Selector):
    """The k best-scored candidates; neighbours of a peak often look the same."""

    rule = "the best scores, wherever they are"

    def select(self, scores: Scores, k: int) -> list[int]:
        """See Selector.select."""
        values = checked_scores(scores)
        return sorted(best(values, 0, len(values), k))

    def brackets(self, count: int, k: int) -> Iterator[Bracket]:
        """See Selector.brackets."""
        yield Bracket(0, count, k)
