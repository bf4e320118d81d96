"""Which candidates a second, slower model looks at: the best of each part of the video."""

import numpy as np

from spark_keyframes.selection.base import Bracket, Scores, Selector, best, checked_segments


def shortlist(selector: Selector, scores: Scores, k: int, size: int) -> list[int]:
    """Return the indices of the candidates to look at again, ascending: `size`, or all if fewer.

    Each of the selector's segments gives its best candidates, as many as its share of `size`. Where
    it has fewer, the best of the other segments take their places.

    Args:
        selector: chooses the keyframes later.
        scores: of all candidates, in order of presentation.
        k: the number of keyframes, at most `size`.
        size: how many candidates to look at again.

    Raises:
        SelectionError: the scores are not finite.
        SelectorError: `segments` failed, or returned something else.
    """
    if not len(scores):  # of a window between two candidates
        return []
    values = np.asarray(scores, dtype=np.float64)
    taken = np.zeros(len(values), bool)
    before = 0
    for start, stop, places in checked_segments(selector, scores, k):
        # Rounded so that the shares together are at most `size`, and none is below its places.
        share = (before + places) * size // k - before * size // k
        before += places
        taken[best(values, start, stop, share)] = True
    rest = np.where(taken, -np.inf, values)
    missing = min(size, len(values)) - int(taken.sum())
    taken[best(rest, 0, len(values), missing)] = True
    return [int(index) for index in np.flatnonzero(taken)]


def widened(brackets: list[Bracket], count: int, k: int, size: int) -> list[Bracket]:
    """Return the brackets of `shortlist`, from those of the selector.

    Args:
        brackets: see `Selector.brackets`; none for a selector without them.
        count: the number of candidates.
        k: as for `shortlist`.
        size: as for `shortlist`.
    """
    # The best of all take the places that a segment cannot fill.
    return [Bracket(0, count, size)] + [
        Bracket(start, stop, -(-places * size // k)) for start, stop, places in brackets
    ]
