"""Frames at equal distances, whatever their scores: the baseline to compare with."""

from collections.abc import Iterator
from dataclasses import dataclass

from spark_keyframes.selection.base import (
    Bracket,
    Scores,
    check_max_num_frames,
    checked_scores,
    equal_slices,
)


@dataclass(frozen=True)
class Uniform:
    """The middle candidate of each of max_num_frames equal slices of the video."""

    max_num_frames: int = 32

    def __post_init__(self) -> None:
        check_max_num_frames(self.max_num_frames)

    def select(self, scores: Scores) -> list[int]:
        """See Selector.select."""
        return [bracket.start for bracket in self.brackets(len(checked_scores(scores)))]

    def brackets(self, count: int) -> Iterator[Bracket]:
        """See Selector.brackets."""
        for start, stop in equal_slices(count, self.max_num_frames):
            middle = (start + stop - 1) // 2
            yield Bracket(middle, middle + 1, 1)
