"""Adaptive Keyframe Sampling: frames that match the text, spread over the video.

Xi Tang et al., "Adaptive Keyframe Sampling for Long Video Understanding", CVPR 2025,
arXiv 2502.21271. Written from the description of the method.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from spark_keyframes.checks import check_integer, check_number
from spark_keyframes.selection.base import Bracket, Floats, Scores, Selector, best, normalised
from spark_keyframes.selection.part import Part


def aks(
    scores: Scores,
    *,
    max_num_frames: int = 32,
    t1: float = 0.8,
    t2: float = -100,
    all_depth: int = 5,
) -> list[int]:
    """Return the indices of min(max_num_frames, len(scores)) keyframes, ascending.

    Scores are min-max normalised. The sequence is halved again and again, until a segment has a
    clear peak, is `all_depth` deep, or may give only one frame. Each final segment then gives its
    best frames; of equal scores the earlier wins.

    The result is the original's where max_num_frames is a multiple of 2**all_depth and there are
    more candidates than that. Elsewhere the original loses the fractions of max_num_frames /
    2**depth: all frames for fewer than 32 at the default depth. Here none is lost: an odd frame
    goes to the half with the higher best score.

    Source: Tang et al., Adaptive Keyframe Sampling, CVPR 2025, arXiv 2502.21271.

    Args:
        scores: one number per candidate, in order of presentation, all finite.
        max_num_frames: frames to select, at least 1.
        t1: a segment has a clear peak if the mean of its top max_num_frames normalised scores
            exceeds its mean by more than this. Lower: more segments stay whole, and relevance
            counts for more. Higher: frames spread more evenly. Normalised scores lie in [0, 1], so
            the default 0.8 is met by next to no real video: 0.1 to 0.3 makes a difference.
        t2: … and if the standard deviation of its normalised scores exceeds this.
        all_depth: deepest split, at least 0; 0 selects the best frames wherever they are.

    Raises:
        SelectionError: `scores` is empty or holds NaN or infinity.
        ParameterError: max_num_frames or all_depth is out of range.
    """
    check_integer("max_num_frames", max_num_frames, 1, "it is the number of keyframes per video")
    return AKS(t1=t1, t2=t2, all_depth=all_depth).select(scores, max_num_frames)


_ALL = "all that may be chosen"
_NONE = "none may be chosen"
_DEEP = "not halved, as all_depth is reached"
_ONE = "not halved, as it gives one frame"
_PEAK = "not halved"
_HALVED = "halved"
_ODD = "; odd frame to the half with the best score"
_FEW = "; what one half cannot give, the other does"


class _Segment(NamedTuple):
    """Consecutive candidates, and what was done with them."""

    start: int
    stop: int
    budget: int
    """how many keyframes it gives"""
    end: str
    """whether it was halved, or why not"""
    share: str = ""
    """what decided how its halves share the budget, if they cannot share it equally"""
    halves: tuple["_Segment", ...] = ()

    @property
    def leaves(self) -> Iterator["_Segment"]:
        """Those that were not halved, from left to right."""
        if not self.halves:
            yield self
        for half in self.halves:
            yield from half.leaves


@dataclass(frozen=True)
class AKS(Selector):
    """Adaptive Keyframe Sampling as a selector; see `aks`."""

    t1: float = 0.8
    t2: float = -100
    all_depth: int = 5
    needs_eligible = needs_first = True

    def __post_init__(self) -> None:
        check_integer("all_depth", self.all_depth, 0, "0 means no split at all")
        check_number("t1", self.t1, "use e.g. 0.8")
        check_number("t2", self.t2, "use e.g. -100")

    def select(
        self,
        scores: Scores,
        k: int,
        *,
        eligible: npt.NDArray[np.bool_] | None = None,
        first: Scores | None = None,
    ) -> list[int]:
        """Select as `aks` does; see Selector.select.

        Segments and normalisation are those of all candidates, and a half of a segment holds as
        many frames as are eligible. What one half cannot use goes to the other.
        """
        if eligible is None:
            eligible = np.ones(len(scores), bool)
        # Below all others, so that they come last where the best are taken.
        ranked = np.where(eligible, normalised(scores), -1.0)
        found = self.segments(scores, k, eligible=eligible, first=first)
        return sorted(index for segment in found for index in best(ranked, *segment))

    def segments(
        self,
        scores: Scores,
        k: int,
        *,
        eligible: npt.NDArray[np.bool_] | None = None,
        first: Scores | None = None,
    ) -> list[Bracket]:
        """See Selector.segments."""
        leaves = self._tree(scores, k, eligible, first)[0].leaves
        return [Bracket(each.start, each.stop, each.budget) for each in leaves if each.budget]

    def explain(
        self,
        scores: Scores,
        k: int,
        *,
        eligible: npt.NDArray[np.bool_] | None = None,
        first: Scores | None = None,
    ) -> Part:
        """See Selector.explain. The parts are the segments, and all that they were halves of."""
        tree, values = self._tree(scores, k, eligible, first)

        def part(segment: _Segment) -> Part:
            inside = values[segment.start : segment.stop]
            top, mean = _top_and_mean(inside, k)
            deviation = float(np.std(inside))
            why = self._why(segment, top - mean, deviation)
            halves = tuple(map(part, segment.halves))
            places = segment.budget
            return Part(segment.start, segment.stop, places, why, top, mean, deviation, halves)

        return part(tree)

    def _tree(
        self,
        scores: Scores,
        k: int,
        eligible: npt.NDArray[np.bool_] | None,
        first: Scores | None,
    ) -> tuple["_Segment", Floats]:
        """Return the video, halved again and again, and the scores that decide on peaks."""
        values = normalised(scores if first is None else first)
        if eligible is None:
            eligible = np.ones(len(values), bool)
        # These decide which half gets an odd frame.
        ranked = np.where(eligible, values, -1.0) if first is None else values
        before = np.concatenate([[0], np.cumsum(eligible)])  # eligible ones, by index

        def segment(start: int, stop: int, budget: int, depth: int) -> _Segment:
            inside = int(before[stop] - before[start])
            if inside <= budget:
                return _Segment(start, stop, inside, _ALL if inside else _NONE)
            if depth >= self.all_depth:
                return _Segment(start, stop, budget, _DEEP)
            if budget == 1:
                return _Segment(start, stop, budget, _ONE)
            if self._has_peak(values[start:stop], k):
                return _Segment(start, stop, budget, _PEAK)
            middle = start + (stop - start) // 2
            wanted = self._left_budget(ranked, start, middle, stop, budget)
            most, others = before[middle] - before[start], before[stop] - before[middle]
            left = int(min(max(wanted, budget - others), most))
            halves = (
                segment(start, middle, left, depth + 1),
                segment(middle, stop, budget - left, depth + 1),
            )
            share = "" if left == wanted else _FEW
            if not share and budget % 2:
                share = _ODD
            return _Segment(start, stop, budget, _HALVED, share, halves)

        return segment(0, len(values), k, 0), values

    def _has_peak(self, segment: Floats, k: int) -> bool:
        top, mean = _top_and_mean(segment, k)
        return bool(top - mean > self.t1 and np.std(segment) > self.t2)

    def _why(self, segment: "_Segment", peak: float, deviation: float) -> str:
        """Return what was done with a segment, and why."""
        if segment.end not in (_PEAK, _HALVED):
            return segment.end
        why = f"{segment.end}, as top − mean = {peak:.3f}"
        if not peak > self.t1:
            why += f" ≤ t1={self.t1:g}"
        elif segment.end == _HALVED:
            why += f" > t1={self.t1:g}, but deviation = {deviation:.3f} ≤ t2={self.t2:g}"
        elif self.t2 < 0:  # any deviation is above it
            why += f" > t1={self.t1:g}"
        else:
            why += f" > t1={self.t1:g}, and deviation = {deviation:.3f} > t2={self.t2:g}"
        return why + segment.share

    @staticmethod
    def _left_budget(
        values: npt.NDArray[np.float64], start: int, middle: int, stop: int, budget: int
    ) -> int:
        half, odd = divmod(budget, 2)
        left_is_better = values[start:middle].max() >= values[middle:stop].max()
        return half + 1 if odd and left_is_better else half

    def brackets(self, count: int, k: int) -> Iterator[Bracket]:
        """See Selector.brackets. A segment at depth d gives at most k / 2**d frames, rounded up."""
        level = [(0, count)]
        places = k
        for depth in range(self.all_depth + 1):
            yield from (Bracket(start, stop, places) for start, stop in level if start < stop)
            if places == 1 or depth == self.all_depth:
                return
            places = (places + 1) // 2
            level = [
                half
                for start, stop in level
                for middle in [start + (stop - start) // 2]
                for half in ((start, middle), (middle, stop))
            ]


def _top_and_mean(segment: Floats, k: int) -> tuple[float, float]:
    """Return the mean of the k best, and that of all."""
    # The original code takes the top k at every depth, not as many as the segment's budget.
    return float(np.mean(np.sort(segment)[::-1][:k])), float(np.mean(segment))
