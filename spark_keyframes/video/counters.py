"""What decoding took, counted where packets go in and frames come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import av

from spark_keyframes.video.timeline import Timeline


@dataclass
class Counters:
    """What decoding took so far; for one thread, unless it is a `part` of a whole."""

    timeline: Timeline | None = None
    """Of the video; None where only decoding tells which frames there are."""
    decoded: int = 0
    """Packets given to the decoder, however often."""
    failed: int = 0
    """Packets that it refused while decoding in sequence, which goes on after them."""
    frames: int = 0
    """Frames that came out of it, however often."""
    came_out: bytearray = field(default_factory=bytearray, repr=False)
    """Of each frame of the timeline, whether it came out at least once."""

    def __post_init__(self) -> None:
        if self.timeline is not None and not self.came_out:
            self.came_out = bytearray(len(self.timeline))

    @property
    def skipped(self) -> int:
        """Frames of the timeline that never came out: not needed, damaged, or not reached."""
        return self.came_out.count(0)

    def take(self, pictures: Sequence[av.VideoFrame]) -> None:
        """Count what came out."""
        self.frames += len(pictures)
        for picture in pictures:
            if self.timeline is not None and picture.pts is not None:
                frame_id = self.timeline.id_at(picture.pts)
                if frame_id is not None:
                    self.came_out[frame_id] = 1

    def part(self) -> Counters:
        """Counters for a thread of its own, to be added when it is done."""
        return Counters(self.timeline, came_out=self.came_out)

    def add(self, part: Counters) -> None:
        """Count in what a part counted; `came_out` they share."""
        self.decoded += part.decoded
        self.failed += part.failed
        self.frames += part.frames
