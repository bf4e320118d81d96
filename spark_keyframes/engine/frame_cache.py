"""What is kept of a video's candidates while they can still be selected."""

import threading
from typing import TYPE_CHECKING

from spark_keyframes.video import RgbFrame, Video

if TYPE_CHECKING:
    import torch


class ByteBudget:
    """Memory that the tasks of an engine share for frames which can still be selected."""

    def __init__(self, limit: int) -> None:
        self._left = limit
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Take `size` bytes if there are as many left."""
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
    """The candidates of one video that are held, within a budget that videos share.

    Where images are wanted, the decoder holds the frames at full size. Where none are, CLIP's small
    pictures are held here, for a second look. What there is no room for is decoded again. One
    thread holds, and any may forget what it is done with.
    """

    def __init__(self, budget: ByteBudget, *, images: bool) -> None:
        self.images = images
        self.pixels: dict[int, torch.Tensor] = {}
        """CLIP's small pictures, by the candidate's index"""
        self._budget = budget
        self._frames: dict[int, tuple[Video, int, int]] = {}
        """what the decoder holds, by the candidate's index: its video, frame id and bytes"""

    def hold(self, index: int, video: Video, picture: RgbFrame, pixels: "torch.Tensor") -> None:
        """Keep a candidate if there is room."""
        fits = self._budget.take(picture.nbytes if self.images else pixels.nbytes)
        if not fits:
            video.release([picture.frame_id])
        elif self.images:
            self._frames[index] = video, picture.frame_id, picture.nbytes
        else:
            self.pixels[index] = pixels

    def has_frame(self, index: int) -> bool:
        """Whether the decoder need not decode it again."""
        return index in self._frames

    def forget(self, index: int) -> None:
        """Let go of a candidate, if it is held."""
        if (held := self._frames.pop(index, None)) is not None:
            video, frame_id, size = held
            video.release([frame_id])
            self._budget.give_back(size)
        if (pixels := self.pixels.pop(index, None)) is not None:
            self._budget.give_back(pixels.nbytes)

    def clear(self) -> None:
        """Let go of all."""
        for index in [*self._frames, *self.pixels]:
            self.forget(index)
