"""Lets a selector choose among the candidates of a video that were looked at."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from spark_keyframes.selection.base import (
    Bracket,
    Floats,
    Indices,
    Scores,
    Selector,
    checked_segments,
    choose,
    explained,
)
from spark_keyframes.selection.part import Part


@dataclass(frozen=True, eq=False, repr=False)
class Seen(Selector):
    """A selector that is given the scores of some candidates, and divides the video as by all.

    So the parts of the video are those that they would be if all candidates had been looked at.
    Indices are those of the candidates that were.
    """

    selector: Selector
    """chooses; it needs neither embeddings nor timestamps"""
    places: Indices
    """which of all candidates were looked at, ascending"""
    expected: Floats
    """the scores of all candidates; of the others they are estimates"""
    needs_eligible = needs_first = True

    def __repr__(self) -> str:
        return repr(self.selector)

    def select(
        self,
        scores: Scores,
        k: int,
        *,
        eligible: npt.NDArray[np.bool_] | None = None,
        first: Scores | None = None,
    ) -> list[int]:
        """See Selector.select."""
        every, mask, of_first = self._of_all(scores, eligible, first)
        chosen = choose(self.selector, every, k, looked_at=mask, first=of_first)
        return [int(place) for place in np.searchsorted(self.places, chosen)]

    def segments(
        self,
        scores: Scores,
        k: int,
        *,
        eligible: npt.NDArray[np.bool_] | None = None,
        first: Scores | None = None,
    ) -> list[Bracket]:
        """See Selector.segments."""
        every, mask, of_first = self._of_all(scores, eligible, first)
        found = checked_segments(self.selector, every, k, eligible=mask, first=of_first)
        mapped = ((*self._inside(each.start, each.stop), each.places) for each in found)
        return [Bracket(*each) for each in mapped if each[0] < each[1]]

    def explain(
        self,
        scores: Scores,
        k: int,
        *,
        eligible: npt.NDArray[np.bool_] | None = None,
        first: Scores | None = None,
    ) -> Part:
        """See Selector.explain. Parts without a candidate that was looked at are left out."""
        every, mask, of_first = self._of_all(scores, eligible, first)
        whole = explained(self.selector, every, k, eligible=mask, first=of_first)
        return next(iter(self._parts([whole])))

    def _parts(self, parts: Iterable[Part]) -> Iterable[Part]:
        for part in parts:
            start, stop = self._inside(part.start, part.stop)
            if start < stop:
                yield replace(part, start=start, stop=stop, parts=tuple(self._parts(part.parts)))

    def _inside(self, start: int, stop: int) -> tuple[int, int]:
        first, last = np.searchsorted(self.places, [start, stop])
        return int(first), int(last)

    def _of_all(
        self, scores: Scores, eligible: npt.NDArray[np.bool_] | None, first: Scores | None
    ) -> tuple[Floats, npt.NDArray[np.bool_], Floats | None]:
        """Return the arguments for all candidates, of which those looked at may be eligible."""
        mask = np.zeros(len(self.expected), bool)
        mask[self.places] = True if eligible is None else eligible
        values = np.asarray(scores, np.float64)
        every = self.expected.copy()
        of_first = None
        if first is not None:  # the estimates are of these, and the scores of a second model
            of_first = every.copy()
            of_first[self.places] = first
            every[:] = values.min()
        every[self.places] = values
        return every, mask, of_first
