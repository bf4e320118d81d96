"""What a selector is, and what follows from it: which frames can still be selected."""

import heapq
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from spark_keyframes.errors import ParameterError, SelectionError

Scores = Sequence[float] | npt.NDArray[np.floating]


class Bracket(NamedTuple):
    """Some consecutive candidates, and how many of the best of them could be selected for it."""

    start: int
    """first candidate"""
    stop: int
    """one past the last candidate"""
    places: int
    """candidates that can be selected because they are among the best of this bracket"""


class Selector(Protocol):
    """Chooses keyframes among candidates by their scores.

    A selector is a frozen dataclass: hashable, picklable, equal by its parameters.
    """

    def select(self, scores: Scores) -> list[int]:
        """Indices of the selected candidates, ascending: min(max_num_frames, len(scores)) of them.

        Raises SelectionError where `scores` is empty or holds NaN or infinity.
        """
        ...

    def brackets(self, count: int) -> Iterator[Bracket]:
        """The competitions among `count` candidates, known before any score is.

        A candidate can be selected only if it is among the best `places` of at least one bracket
        that holds it; of equal scores the earlier is better.
        """
        ...


def checked_scores(scores: Scores) -> npt.NDArray[np.float64]:
    """Scores as a vector of float64, or SelectionError where nothing can be selected from them."""
    values = np.asarray(scores, dtype=np.float64)
    if values.ndim != 1 or values.size == 0:
        raise SelectionError(
            f"scores must be a sequence of at least one number, got shape {values.shape}; "
            "a video without candidates has no keyframes to select"
        )
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        raise SelectionError(
            f"scores must be finite, got {values[bad[0]]} for candidate {bad[0]} "
            f"({bad.size} of {values.size} are not finite); "
            'a model in half precision can overflow: try dtype="float32"'
        )
    return values


def check_max_num_frames(max_num_frames: int) -> None:
    """Raise ParameterError unless `max_num_frames` is a whole number of at least 1."""
    if isinstance(max_num_frames, bool) or not isinstance(max_num_frames, int):
        raise ParameterError(f"max_num_frames must be a whole number, got {max_num_frames!r}")
    if max_num_frames < 1:
        raise ParameterError(
            f"max_num_frames must be at least 1, got {max_num_frames}; "
            "it is the number of keyframes to select per video"
        )


def best(values: npt.NDArray[np.float64], start: int, stop: int, places: int) -> list[int]:
    """Indices of the `places` highest values in [start, stop), the earlier first where equal."""
    order = np.argsort(-values[start:stop], kind="stable")
    return [start + int(i) for i in order[:places]]


def equal_slices(count: int, slices: int) -> Iterator[tuple[int, int]]:
    """Cut range(count) into min(count, slices) runs whose lengths differ by one at most."""
    slices = min(count, slices)
    for number in range(slices):
        yield number * count // slices, (number + 1) * count // slices


class Survivors:
    """The candidates that a selector can still select, while their scores come in.

    Holding only these bounds the memory of a video of any length. For AKS that is at most
    max_num_frames * (all_depth + 1) frames.
    """

    def __init__(self, selector: Selector, count: int) -> None:
        self.count = count
        # Each bracket is a heap whose root is the candidate to give up next.
        self._brackets = list(selector.brackets(count))
        self._heaps: list[list[tuple[float, int]]] = [[] for _ in self._brackets]
        self._seats: dict[int, int] = {}
        self._containing = _brackets_by_candidate(self._brackets, count)

    def add(self, index: int, score: float) -> list[int]:
        """Take in a score; return the candidates (perhaps this one) that are out of the race."""
        # A bracket may turn the new candidate away before another takes it in.
        self._seats[index] = 1
        touched = [index]
        for bracket in self._containing[index]:
            heap, places = self._heaps[bracket], self._brackets[bracket].places
            self._seats[index] += 1
            heapq.heappush(heap, (score, -index))
            if len(heap) > places:
                loser = -heapq.heappop(heap)[1]
                self._seats[loser] -= 1
                touched.append(loser)
        self._seats[index] -= 1
        out = [i for i in dict.fromkeys(touched) if self._seats.get(i) == 0]
        for i in out:
            del self._seats[i]
        return out

    def __contains__(self, index: int) -> bool:
        return index in self._seats

    def __len__(self) -> int:
        return len(self._seats)


def _brackets_by_candidate(brackets: list[Bracket], count: int) -> list[list[int]]:
    containing: list[list[int]] = [[] for _ in range(count)]
    for number, bracket in enumerate(brackets):
        for index in range(bracket.start, bracket.stop):
            containing[index].append(number)
    return containing
