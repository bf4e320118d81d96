"""The best frame of each of equal slices of the video."""

from collections.abc import Iterator
from dataclasses import dataclass

from spark_keyframes.selection.base import (
    Bracket,
    Scores,
    best,
    check_max_num_frames,
    checked_scores,
    equal_slices,
)


@dataclass(frozen=True)
class Bin:
    """The best-scored candidate of each of max_num_frames equal slices of the video."""

    max_num_frames: int = 32

    def __post_init__(self) -> None:
        check_max_num_frames(self.max_num_frames)

    def select(self, scores: Scores) -> list[int]:
        """See Selector.select."""
        values = checked_scores(scores)
        return [
            index
            for start, stop in equal_slices(len(values), self.max_num_frames)
            for index in best(values, start, stop, 1)
        ]

    def brackets(self, count: int) -> Iterator[Bracket]:
        """See Selector.brackets."""
        for start, stop in equal_slices(count, self.max_num_frames):
            yield Bracket(start, stop, 1)
