"""A part of a video in the trace of a choice."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Part:
    """Consecutive candidates, how many keyframes they give, and how these are chosen.

    A selector sets the first fields; the last three are added for `Keyframes.explain()`.
    """

    start: int
    """first candidate"""
    stop: int
    """one past the last candidate"""
    places: int
    """the most keyframes that it gives: its budget"""
    why: str = ""
    """what the selector did here, and why"""
    top: float | None = None
    """the mean of the best max_num_frames scores, where all scores of the video go from 0 to 1"""
    mean: float | None = None
    """the mean of these scores"""
    deviation: float | None = None
    """their standard deviation"""
    parts: tuple["Part", ...] = ()
    """what it was divided into; empty where it was not"""
    times: tuple[float, float] = (0.0, 0.0)
    """of its first and last candidate, in seconds from the start of the video"""
    eligible: int = 0
    """how many of its candidates may be chosen"""
    frames: tuple[int, ...] = ()
    """the candidates that the selector chose here"""

    @property
    def leaves(self) -> Iterator["Part"]:
        """The parts that were not divided, from left to right."""
        return (part for part in self.all_parts if not part.parts)

    @property
    def all_parts(self) -> Iterator["Part"]:
        """Itself, and all parts of it, each before its own."""
        yield self
        for part in self.parts:
            yield from part.all_parts

    def of_all(self, places: Sequence[int] | npt.NDArray[np.intp]) -> "Part":
        """Return it for a selector that was given only some of all candidates: `places`."""
        return replace(
            self,
            start=int(places[self.start]),
            stop=int(places[self.stop - 1]) + 1,
            parts=tuple(part.of_all(places) for part in self.parts),
        )

    def filled(
        self,
        chosen: Sequence[int],
        timestamps: Sequence[float],
        eligible: npt.NDArray[np.bool_],
    ) -> "Part":
        """Return it with times, and with its share of the chosen and the eligible candidates."""
        return replace(
            self,
            times=(timestamps[self.start], timestamps[self.stop - 1]),
            eligible=int(eligible[self.start : self.stop].sum()),
            frames=tuple(index for index in chosen if self.start <= index < self.stop),
            parts=tuple(part.filled(chosen, timestamps, eligible) for part in self.parts),
        )
