"""Keeps the candidates that can still be selected, within a bound on memory."""

import threading
from collections.abc import Collection, Mapping
from typing import Any, Literal

from spark_keyframes.video.interface import RgbFrame, Video


class ByteBudget:
    """A number of bytes that the videos of an engine share. Safe for use by several threads."""

    def __init__(self, limit: int) -> None:
        self._left = limit
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Take `size` bytes if as many are left; return whether they were."""
        with self._lock:
            if size > self._left:
                return False
            self._left -= size
            return True

    def give_back(self, size: int) -> None:
        """Return what `take` took."""
        with self._lock:
            self._left += size


class FrameCache:
    """The candidates of one video that are kept, within a budget that all videos share.

    A candidate that does not fit the budget is decoded again if needed. Any thread may drop one.

    Args:
        budget: the bytes for all videos.
        keep: "frames" in the decoder, at full size, for images; "inputs" of the module here, to
            score them again; or nothing.
    """

    def __init__(self, budget: ByteBudget, *, keep: Literal["frames", "inputs", "nothing"]) -> None:
        self.keeps_frames = keep == "frames"
        self.inputs: dict[int, Any] = {}
        """results of the module's `preprocess`, by the candidate's index"""
        self._keeps_inputs = keep == "inputs"
        self._budget = budget
        self.frames: dict[int, tuple[Video, int, int]] = {}
        """kept by the decoder, by the candidate's index: its video, the frame id and its bytes"""

    def add(self, index: int, video: Video, picture: RgbFrame, inputs: Any) -> None:
        """Keep a candidate if the budget allows it."""
        if self.keeps_frames:
            if self._budget.take(picture.nbytes):
                self.frames[index] = video, picture.frame_id, picture.nbytes
            else:
                video.release([picture.frame_id])
        elif self._keeps_inputs:
            size = getattr(inputs, "nbytes", None)
            if isinstance(size, int) and self._budget.take(size):
                self.inputs[index] = inputs

    def drop(self, index: int) -> None:
        """Free a candidate, if it is kept."""
        if (kept := self.frames.pop(index, None)) is not None:
            video, frame_id, size = kept
            video.release([frame_id])
            self._budget.give_back(size)
        if (inputs := self.inputs.pop(index, None)) is not None:
            self._budget.give_back(inputs.nbytes)

    def renumber(self, indices: Mapping[int, int]) -> None:
        """Give the candidates other indices: the new one by the old one."""
        self.frames = {indices[index]: frame for index, frame in self.frames.items()}
        self.inputs = {indices[index]: inputs for index, inputs in self.inputs.items()}

    def keep_only(self, indices: Collection[int]) -> None:
        """Free all others."""
        for index in {*self.frames, *self.inputs}.difference(indices):
            self.drop(index)

    def clear(self) -> None:
        """Free all."""
        self.keep_only(())
