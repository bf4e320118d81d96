"""The packets of a video stream without their data."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from av.packet import Packet
from av.video.stream import VideoStream

from spark_keyframes.video.frame_order import DecodingTimes
from spark_keyframes.video.header_parts import Span
from spark_keyframes.video.timeline import Timeline

RANDOM_ACCESS, SHOWN, MUST_DECODE, KEYFRAME = 1, 2, 4, 8
"""Bits of `PacketTable.flags`."""

Reach = Literal["all", "window", "times"]
"""How far packets are read: all; up to the end of the window, where that shows; or all of them
without their data, which is hidden."""


@dataclass
class PacketTable:
    """All packets of a video stream in decode order, without their data."""

    time_base: Fraction
    pts: array[int] = field(default_factory=lambda: array("q"))
    """Presentation timestamps in units of `time_base`; 0 if a packet has none."""
    flags: bytearray = field(default_factory=bytearray)
    """For each packet: whether decoding may start, whether it is shown, `may_skip`, and whether it
    is flagged as a keyframe."""
    presented: Sequence[int] = ()
    """Index of the packet of each frame, by frame id."""
    timeline: Timeline | None = None
    """None if only decoding tells which frames there are."""
    sequential_reason: str = ""
    """Why there is no timeline, so that the video is decoded in sequence; otherwise empty."""
    kept: list[Packet[VideoStream]] | None = None
    """The packets themselves; None if they are too large to keep."""
    decoding_times: DecodingTimes | None = None
    """Times of the frames if the file stores no presentation timestamps."""
    gop_starts: Sequence[int] = ()
    """Indexes of the packets where decoding may start."""
    reach: Reach = "all"
    """How far packets were read."""
    has_presentation_times: bool = True
    """False if a part of the packets does not tell whether the times are those of decoding."""
    places: array[int] = field(default_factory=lambda: array("q"))
    """Of packets without data: where each begins and ends in the file, by turns."""

    def __len__(self) -> int:
        return len(self.pts)

    def span(self, index: int) -> Span:
        """Return where a packet without data is in the file."""
        return self.places[2 * index], self.places[2 * index + 1]

    def add_place(self, packet: Packet[VideoStream]) -> None:
        """Note where the next packet is; -1 if that is not known."""
        start = -1 if packet.pos is None else packet.pos
        self.places.extend((start, start + packet.size))

    def may_start(self, index: int) -> bool:
        """Return whether decoding may start at this packet."""
        return bool(self.flags[index] & RANDOM_ACCESS)

    def refuse_start(self, index: int) -> None:
        """Note that decoding may not start at this packet."""
        self.flags[index] &= ~RANDOM_ACCESS
        self.find_starts()

    def must_decode(self, index: int) -> None:
        """Note that the decoder must not skip this packet."""
        self.flags[index] |= MUST_DECODE

    def is_keyframe(self, frame_id: int) -> bool:
        """Return whether the packet of a frame is flagged as a keyframe."""
        return bool(self.flags[self.presented[frame_id]] & KEYFRAME)

    def mark_keyframe(self, index: int, *, is_keyframe: bool) -> None:
        """Correct the flag of a packet that was read without its data."""
        self.flags[index] = self.flags[index] & ~KEYFRAME | KEYFRAME * is_keyframe

    def find_starts(self) -> None:
        """Set `gop_starts` by the packets' flags."""
        # An array, because a list of integers takes 40 bytes for each.
        self.gop_starts = array("q", (i for i, f in enumerate(self.flags) if f & RANDOM_ACCESS))

    def may_skip(self, index: int) -> bool:
        """Return whether the decoder may skip this packet if it holds a non-reference frame."""
        return not self.flags[index] & MUST_DECODE

    def gop_of(self, index: int) -> int:
        """Return the number of the GOP that holds the packet."""
        return bisect_right(self.gop_starts, index) - 1
