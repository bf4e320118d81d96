"""The scores of a video's candidates, of which only some are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_HOPE = 2.0
"""How many standard deviations of its errors an estimate is raised by."""
_PRIOR = 20
"""How many estimates the assumptions from before the first one count for."""


class Curve:
    """Estimates the scores of unseen candidates from the known ones around them.

    Two estimates are mixed: the last score before the candidate, which is right where keyframes are
    at the cuts, and the straight line to the next one, which is right where scores change slowly.
    How to mix them, and how wrong the result is, is learned from the candidates that were seen
    since.
    """

    def __init__(self, times: Sequence[float]) -> None:
        """Begin without a score; `times` are those of all candidates, in seconds, increasing."""
        self._times = np.asarray(times, np.float64)
        self._scores = np.full(len(self._times), np.nan)
        self._known_times = np.zeros(0)
        self._known = np.zeros(0)
        # Sums over the estimates that were compared with the truth so far.
        self._xx = self._xy = self._yy = 0.0
        self._count = 0

    @property
    def least(self) -> float:
        """The lowest known score."""
        return float(self._known.min())

    def learn(self, scores: Mapping[int, float], keyframes: Mapping[float, float]) -> None:
        """Take the scores of candidates by index, and those of other frames by time."""
        places = np.fromiter(scores, np.intp, len(scores))
        values = np.fromiter(scores.values(), np.float64, len(scores))
        if len(self._known):
            before, line = (estimate[places] for estimate in self._estimates())
            x, y = before - line, values - line
            self._xx, self._xy = self._xx + float(x @ x), self._xy + float(x @ y)
            self._yy, self._count = self._yy + float(y @ y), self._count + len(y)
        self._scores[places] = values
        times = [*self._known_times, *self._times[places], *keyframes]
        order = np.argsort(times, kind="stable")
        self._known_times = np.asarray(times, np.float64)[order]
        self._known = np.asarray([*self._known, *values, *keyframes.values()], np.float64)[order]

    def expected(self) -> Floats:
        """Return the scores, shape (N,); an estimate where a candidate is unseen."""
        before, line = self._estimates()
        share = self._share()
        return self._with_known(share * before + (1 - share) * line)

    def optimistic(self) -> Floats:
        """Return the scores, shape (N,); an estimate on the high side where one is unseen."""
        before, line = self._estimates()
        share = self._share()
        squares = self._yy - 2 * share * self._xy + share**2 * self._xx
        squares += _PRIOR * float(np.var(self._known))
        error = np.sqrt(max(squares, 0.0) / (self._count + _PRIOR))
        return self._with_known(share * before + (1 - share) * line + _HOPE * error)

    def _with_known(self, estimate: Floats) -> Floats:
        return np.where(np.isnan(self._scores), estimate, self._scores)

    def _share(self) -> float:
        """Return by how much the last score before counts, from 0 to 1: least squares."""
        usual = _PRIOR * float(np.var(self._known))
        total = self._xx + usual
        return min(max((self._xy + usual / 2) / total, 0.0), 1.0) if total > 0 else 0.5

    def _estimates(self) -> tuple[Floats, Floats]:
        place = np.searchsorted(self._known_times, self._times, side="right") - 1
        before = self._known[np.maximum(place, 0)]
        return before, np.interp(self._times, self._known_times, self._known)
