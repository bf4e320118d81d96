"""What a selector is, and what follows from it: which frames can still be selected."""

import heapq
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from spark_keyframes.checks import check_integer
from spark_keyframes.errors import SelectionError

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
        that holds it; of equal scores the earlier is better. They come in rows of disjoint
        brackets, each row from left to right.
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
    check_integer("max_num_frames", max_num_frames, 1, "it is the number of keyframes per video")


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
    max_num_frames * (all_depth + 1) frames, twice that with a margin.

    Arguments:
        selector: who will select.
        count: how many candidates there will be.
        margin: scores this close are too close to call: a bracket then keeps as many again, as
            long as they are that close to its last place.
    """

    def __init__(self, selector: Selector, count: int, *, margin: float = 0.0) -> None:
        self.count = count
        self._margin = margin
        brackets = list(selector.brackets(count))
        self._places = [bracket.places for bracket in brackets]
        self._stops = [bracket.stop for bracket in brackets]
        # Brackets come in rows of disjoint ones, from left to right: the depths of AKS.
        rows = [n for n, b in enumerate(brackets) if n == 0 or b.start < brackets[n - 1].stop]
        self._rows = [
            (first, [bracket.start for bracket in brackets[first:last]])
            for first, last in pairwise([*rows, len(brackets)])
        ]
        # Heaps whose roots are the candidates to give up next: of the best, and of those near.
        self._best: list[list[tuple[float, int]]] = [[] for _ in self._places]
        self._near: list[list[tuple[float, int]]] = [[] for _ in self._places]
        self._seats: dict[int, int] = {}

    def add(self, index: int, score: float) -> list[int]:
        """Take in a score; return the candidates (perhaps this one) that are out of the race."""
        # A seat of its own for now: one bracket may turn it away before another takes it in.
        containing = list(self._brackets_with(index))
        self._seats[index] = 1 + len(containing)
        unseated = [index]
        for bracket in containing:
            unseated += self._compete(bracket, score, index)
        for loser in unseated:
            self._seats[loser] -= 1
        out = [loser for loser in dict.fromkeys(unseated) if self._seats[loser] == 0]
        for loser in out:
            del self._seats[loser]
        return out

    def _brackets_with(self, index: int) -> Iterator[int]:
        for first, starts in self._rows:
            bracket = first + bisect_right(starts, index) - 1
            if bracket >= first and index < self._stops[bracket]:
                yield bracket

    def _compete(self, bracket: int, score: float, index: int) -> list[int]:
        """Enter the candidate into the bracket; return those that leave it."""
        best, near, places = self._best[bracket], self._near[bracket], self._places[bracket]
        heapq.heappush(best, (score, -index))
        if len(best) <= places:
            return []
        heapq.heappush(near, heapq.heappop(best))
        leaving = []
        while near and (len(near) > places or near[0][0] <= best[0][0] - self._margin):
            leaving.append(-heapq.heappop(near)[1])
        return leaving

    def __contains__(self, index: int) -> bool:
        return index in self._seats

    def __len__(self) -> int:
        return len(self._seats)


def contested(selector: Selector, scores: Scores, tolerance: float) -> list[int]:
    """Candidates whose selection could change if scores were off by up to `tolerance`, ascending.

    Scoring these again, exactly, makes the selection that of exact scores nearly everywhere.
    """
    values = checked_scores(scores)
    chosen = set(selector.select(values))
    doubted = values + tolerance
    doubted[list(chosen)] -= 2 * tolerance
    return sorted(chosen.symmetric_difference(selector.select(doubted)))
