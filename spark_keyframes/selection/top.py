"""The best-scored frames, wherever they are."""

from collections.abc import Iterator
from dataclasses import dataclass

from spark_keyframes.selection.base import (
    Bracket,
    Scores,
    best,
    check_max_num_frames,
    checked_scores,
)


@dataclass(frozen=True)
class Top:
    """The max_num_frames best-scored candidates; neighbours of a peak often look the same."""

    max_num_frames: int = 32

    def __post_init__(self) -> None:
        check_max_num_frames(self.max_num_frames)

    def select(self, scores: Scores) -> list[int]:
        """See Selector.select."""
        values = checked_scores(scores)
        return sorted(best(values, 0, len(values), self.max_num_frames))

    def brackets(self, count: int) -> Iterator[Bracket]:
        """See Selector.brackets."""
        yield Bracket(0, count, self.max_num_frames)
