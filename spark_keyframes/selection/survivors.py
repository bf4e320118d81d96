"""Which candidates can still be selected, and which scores are too close to decide."""

import heapq
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from spark_keyframes.selection.base import Bracket


class Survivors:
    """The candidates that can still be selected, updated as their scores come in.

    Holding only these bounds the memory of a video of any length. For AKS that is at most
    max_num_frames * (all_depth + 1) frames, twice that with a margin.

    Args:
        brackets: what `Selector.brackets` returned.
        count: the number of candidates.
        margin: scores this close may be in the wrong order. A bracket then keeps up to twice its
            places, as long as the scores are that close to its last place.
    """

    def __init__(self, brackets: Iterable[Bracket], count: int, *, margin: float = 0.0) -> None:
        self.count = count
        self._margin = margin
        brackets = list(brackets)
        self._places = [bracket.places for bracket in brackets]
        self._stops = [bracket.stop for bracket in brackets]
        # For AKS, each row of disjoint brackets is a depth.
        rows = [n for n, b in enumerate(brackets) if n == 0 or b.start < brackets[n - 1].stop]
        self._rows = [
            (first, [bracket.start for bracket in brackets[first:last]])
            for first, last in pairwise([*rows, len(brackets)])
        ]
        # Each heap has the next candidate to drop at its root.
        self._best: list[list[tuple[float, int]]] = [[] for _ in self._places]
        self._near: list[list[tuple[float, int]]] = [[] for _ in self._places]
        # In how many brackets each candidate still has a place.
        self._seats: dict[int, int] = {}

    def add(self, index: int, score: float) -> list[int]:
        """Add a score; return the candidates (perhaps this one) that can no longer be selected."""
        # One extra seat for now: one bracket may drop it before another takes it.
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
        """Add the candidate to the bracket; return those that leave it."""
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


def contested(
    choose: Callable[[npt.NDArray[np.float64]], list[int]],
    scores: npt.NDArray[np.float64],
    tolerance: float,
    min_score: float | None = None,
) -> list[int]:
    """Return the candidates whose selection could change with scores off by up to `tolerance`.

    Scoring these again, exactly, makes the selection that of exact scores nearly everywhere.

    Args:
        choose: the indices that are selected from scores.
        scores: float64 of shape (N,), finite.
        tolerance: of each score.
        min_score: what `choose` leaves out below; candidates as close to it as that are contested.

    Returns:
        Indices, ascending.
    """
    chosen = choose(scores)
    perturbed = scores + tolerance
    perturbed[chosen] -= 2 * tolerance
    close = set() if min_score is None else _near(scores, min_score, tolerance)
    return sorted(close | set(chosen).symmetric_difference(choose(perturbed)))


def _near(scores: npt.NDArray[np.float64], value: float, distance: float) -> set[int]:
    return set(np.flatnonzero(np.abs(scores - value) <= distance).tolist())
