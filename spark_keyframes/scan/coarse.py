"""Scans one video coarsely: frames to look at, from the times of its candidates and its GOPs."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Self

from spark_keyframes.errors import DecodeError
from spark_keyframes.scan.plan import Gop, ScanPlan, budget_of, why_not
from spark_keyframes.selection import Choice
from spark_keyframes.selection.seen import Seen
from spark_keyframes.video.interface import FrameTime, RgbFrame, Video


class CoarseScan:
    """Says which frames of a video to look at, until the budget is used or no other can win.

    Args:
        candidates: of the video, in order.
        starts: the first frames of the GOPs that hold them, in order.
        choice: chooses the keyframes; its selector is one of `BY_SCORES_ALONE`.
        share: the share of the candidates that may be scored.
        texts: the number of texts.
    """

    def __init__(
        self,
        candidates: Sequence[FrameTime],
        starts: Sequence[FrameTime],
        choice: Choice,
        *,
        share: float,
        texts: int,
    ) -> None:
        self._ids = [frame.frame_id for frame in candidates]
        self.places = {frame_id: place for place, frame_id in enumerate(self._ids)}
        """The index of each candidate, by frame id."""
        self._starts = starts
        self._times = {frame.frame_id: frame.timestamp for frame in (*starts, *candidates)}
        self._choice = choice
        gops = _gops(candidates, starts)
        most = choice.second_look or choice.k
        budget = budget_of(share, len(candidates), most)
        self._plan = ScanPlan(
            [frame.timestamp for frame in candidates],
            gops,
            selector=choice.selector,
            places=sorted({choice.k, most}),
            budget=budget,
            texts=texts,
        )
        first = [starts[gop].frame_id for gop in self._plan.first]
        guides = sum(frame_id not in self.places for frame_id in first)
        self.why_not = why_not(gops, len(candidates), share=share, least=most, guides=guides)
        """Why all candidates have to be looked at; empty if a part can be."""

    @classmethod
    def of(cls, video: Video, fps: float, choice: Choice, *, share: float, texts: int) -> Self:
        """Return the scan of an open video; for the other arguments see the class."""
        if video.candidate_count(fps) is None:
            unknown = cls([], [], choice, share=share, texts=texts)
            unknown.why_not = "only decoding tells which frames it has"
            return unknown
        candidates, starts = video.candidate_times(fps), video.gop_times(fps)
        return cls(list(candidates), list(starts), choice, share=share, texts=texts)

    def run(self, look: Callable[[Sequence[int]], Mapping[int, Sequence[float]]]) -> list[Choice]:
        """Look at frames; return what chooses among the candidates of them, for each text.

        Args:
            look: returns the scores of frames by id, one for each text. It is given increasing ids:
                first those of the codec's keyframes, of which some may be no candidates, then
                those of unseen candidates.
        """
        keyframes = {self._starts[gop].frame_id: gop for gop in self._plan.first}
        scores = look(list(keyframes))
        while True:
            self._plan.learn(
                {self.places[i]: of for i, of in scores.items() if i in self.places},
                {keyframes[i]: of for i, of in scores.items() if i not in self.places},
            )
            unseen = [self._ids[place] for place in self._plan.next()]
            if not unseen:
                return self._choices()
            scores = look(unseen)

    def as_planned(self, frames: Iterable[RgbFrame]) -> Iterator[RgbFrame]:
        """Yield frames that are looked at.

        Raises:
            DecodeError: one has another time than its packet had: ids are not those of the plan.
        """
        for frame in frames:
            planned = self._times[frame.frame_id]
            if frame.timestamp != planned:
                raise DecodeError(
                    f"frame {frame.frame_id} was planned at {planned:.3f} s, and decoding shows "
                    f"it at {frame.timestamp:.3f} s"
                )
            yield frame

    def _choices(self) -> list[Choice]:
        return [
            replace(self._choice, selector=Seen(self._choice.selector, self._plan.seen, expected))
            for expected in self._plan.expected()
        ]


def _gops(candidates: Sequence[FrameTime], starts: Sequence[FrameTime]) -> list[Gop]:
    ids = [frame.frame_id for frame in starts]
    gops = [bisect_right(ids, frame.frame_id) for frame in candidates]
    first = [place for place, gop in enumerate(gops) if place == 0 or gop > gops[place - 1]]
    bounds = pairwise([*first, len(candidates)])
    return [
        Gop(start.timestamp, range(begin, end))
        for start, (begin, end) in zip(starts, bounds, strict=True)
    ]
