"""Counts of the packets given to a decoder and of the frames that it returned."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import av

from spark_keyframes.video.packet_reader import index_of
from spark_keyframes.video.packet_table import PacketTable
from spark_keyframes.video.timeline import Timeline


@dataclass
class Counters:
    """Counts of one video so far. Not thread-safe: each thread needs its own, see `for_thread`."""

    timeline: Timeline | None = None
    """Timeline of the video; None if only decoding tells which frames there are."""
    decoded: int = 0
    """Packets given to the decoder, counted each time."""
    failed: int = 0
    """Packets that the decoder refused while decoding in sequence, which then continues."""
    frames: int = 0
    """Frames that the decoder returned, counted each time."""
    doubtful: int = 0
    """Those of them that it returned while decoding in sequence."""
    was_returned: bytearray = field(default_factory=bytearray, repr=False)
    """For each frame of the timeline, 1 if the decoder returned it at least once. Without a
    timeline, for each packet; also 1 where only decoding tells the frames. May be empty."""

    def __post_init__(self) -> None:
        if self.timeline is not None and not self.was_returned:
            self.was_returned = bytearray(len(self.timeline))

    @property
    def skipped(self) -> int:
        """Known frames that were never returned: not needed, damaged, or not reached."""
        return self.was_returned.count(0)

    def count_frames(self, pictures: Sequence[av.VideoFrame]) -> None:
        """Count frames that the decoder returned."""
        self.frames += len(pictures)
        for picture in pictures:
            if self.timeline is not None and picture.pts is not None:
                frame_id = self.timeline.id_at(picture.pts)
                if frame_id is not None:
                    self.was_returned[frame_id] = 1
            elif self.was_returned and (index := index_of(picture)) is not None:
                self.was_returned[index] = 1

    def expect(self, table: PacketTable) -> None:
        """Expect the frames of the sound stretches of a video without a timeline."""
        self.was_returned = bytearray(b"\1") * len(table)
        for index in table.presented:
            self.was_returned[index] = 0

    def no_longer_expect(self, packets: Iterable[int]) -> None:
        """Note that only decoding tells which of these packets hold a frame, of a video without a
        timeline."""
        for index in packets:
            self.was_returned[index] = 1

    def for_thread(self) -> Counters:
        """Return counters for one thread; pass them to `add` when it is done."""
        return Counters(self.timeline, was_returned=self.was_returned)

    def add(self, part: Counters) -> None:
        """Add the counts of one thread; `was_returned` is shared already."""
        self.decoded += part.decoded
        self.failed += part.failed
        self.frames += part.frames
        self.doubtful += part.doubtful
