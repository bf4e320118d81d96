"""The packets of a video stream without their data."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

from av.packet import Packet
from av.video.stream import VideoStream

from spark_keyframes.video.codecs.facts import needed_of
from spark_keyframes.video.frame_order import DecodingTimes
from spark_keyframes.video.header_parts import Span
from spark_keyframes.video.interface import FrameTime
from spark_keyframes.video.timeline import Timeline

RANDOM_ACCESS, SHOWN, MUST_DECODE, KEYFRAME, RESET, FIRST_FIELD, CONTINUES = (
    1 << bit for bit in range(7)
)
"""Bits of `PacketTable.flags`."""

_KEPT_FRAMES = 32
"""Behind so many frames, a decoder refers to none of those before."""
_LEFT_FRAMES = 24
"""The same of one that is reset there. It makes up for damage with what its memory still holds."""

Reach = Literal["all", "window", "times"]
"""How far packets are read: all; up to the end of the window, where that shows; or all of them
without their data, which is hidden."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """The frames that are shown from one packet where decoding may start up to another.

    Leading frames of the next stretch's first packet belong to it.
    """

    start: int
    """Index of its first packet, which is the first frame shown."""
    stop: int
    """Index of the first packet of the next stretch, or the number of packets."""
    frames: Sequence[int]
    """Index of the packet of each frame, in the order of presentation; empty if only decoding
    tells."""
    reason: str = ""
    """Why only decoding tells its frames; otherwise empty."""


@dataclass
class PacketTable:
    """All packets of a video stream in decode order, without their data."""

    time_base: Fraction
    pts: array[int] = field(default_factory=lambda: array("q"))
    """Presentation timestamps in units of `time_base`; 0 if a packet has none."""
    flags: bytearray = field(default_factory=bytearray)
    """For each packet: whether decoding may start, whether it is shown, `may_skip`, whether it is
    flagged as a keyframe, and whether the decoder forgets all that was before."""
    presented: Sequence[int] = ()
    """Index of the packet of each frame, by frame id."""
    timeline: Timeline | None = None
    """None if only decoding tells which frames there are."""
    sequential_reason: str = ""
    """Why there is no timeline, so that the video is decoded in sequence; otherwise empty."""
    stretches: Sequence[Stretch] = ()
    """If only parts of the video must be decoded in sequence: all parts, in order."""
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
    states: array[int] = field(default_factory=lambda: array("I"))
    """What each packet reads and writes, see codecs/facts.py; empty if the codec does not tell."""
    places: array[int] = field(default_factory=lambda: array("q"))
    """Of packets without data: where each begins and ends in the file, by turns."""
    _numbers: array[int] = field(default_factory=lambda: array("q"), repr=False)
    """See `number_of`."""

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

    def resets(self, index: int) -> bool:
        """Return whether the decoder forgets all packets before this one, and returned them."""
        return bool(self.flags[index] & RESET)

    def last_of(self, index: int) -> int:
        """Return the last packet of the frame whose first packet this is."""
        following = index + 1
        has_more = following < len(self) and self.flags[following] & CONTINUES
        return following if has_more else index

    def is_shown(self, index: int) -> bool:
        """Return whether the packet holds a frame that is shown."""
        return bool(self.flags[index] & SHOWN)

    def refuse_start(self, index: int) -> None:
        """Note that decoding may not start at this packet."""
        self.flags[index] &= ~RANDOM_ACCESS
        self.find_starts()

    def refuse_open_starts(self, failed: int | None) -> bool:
        """Let decoding start only where it needs no leading frames, if it `failed` at other starts.

        FFmpeg's H.264 decoder takes it for damage if later frames tell it to forget leading frames
        that it did not get.

        Returns:
            Whether that leaves fewer starts.
        """
        if failed is None or not self.may_start(failed) or self.resets(failed):
            return False
        for index in self.gop_starts[1:]:
            if not self.resets(index):
                self.flags[index] &= ~RANDOM_ACCESS
        self.find_starts()
        return not self.may_start(failed)

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

    def gop_times(self, frame_ids: Iterable[int]) -> Iterator[FrameTime]:
        """Yield the frames where decoding may start, the last up to each of these, each once.

        The ids increase. A frame before all starts is one itself.
        """
        timeline = self.timeline
        if timeline is None:
            return
        at = [timeline.id_at(self.pts[index]) for index in self.gop_starts]
        starts = sorted(frame_id for frame_id in at if frame_id is not None)
        found: dict[int, None] = {}
        for frame_id in frame_ids:
            place = bisect_right(starts, frame_id)
            found[starts[place - 1] if place else frame_id] = None
        for start in found:
            yield FrameTime(start, timeline.seconds(start), self.is_keyframe(start))

    def may_skip(self, index: int) -> bool:
        """Return whether the decoder may skip this packet if it holds a non-reference frame."""
        return not self.flags[index] & MUST_DECODE

    def needed_of(self, start: int, wanted: Collection[int]) -> Sequence[bool] | None:
        """Return which packets from `start` on the decoder must get for the wanted ones.

        `start` is a packet where decoding may start. None if the codec does not tell.
        """
        if not self.states:
            return None
        states = self.states[start : max(wanted) + 1]
        return needed_of(states, {index - start for index in wanted})

    def gop_of(self, index: int) -> int:
        """Return the number of the GOP that holds the packet."""
        return bisect_right(self.gop_starts, index) - 1

    def start_before(self, index: int) -> int:
        """Return where to start so that the decoder is as if it had decoded all before a packet.

        That is at least one GOP earlier, for decoders take from there what a damaged frame lacks.
        """
        gop = bisect_right(self.gop_starts, index - 1) - 1
        while gop > 0:
            start = self.gop_starts[gop]
            if index - start >= (_LEFT_FRAMES if self.resets(start) else _KEPT_FRAMES):
                break
            gop -= 1
        return self.gop_starts[gop] if gop >= 0 else 0

    def behind_leading(self, start: int) -> int:
        """Return the first packet behind the leading ones of a packet where decoding may start."""
        index = self.last_of(start) + 1
        # Where recordings are joined at a keyframe, the times of all that follows may be earlier.
        while (
            index < len(self)
            and self.pts[index] < self.pts[start]
            and not self.flags[index] & (RANDOM_ACCESS | KEYFRAME)
        ):
            index += 1
        return index

    def has_leading(self, start: int) -> bool:
        """Return whether frames of a GOP have times before that of its first packet."""
        following = self.gop_of(start) + 1
        stop = self.gop_starts[following] if following < len(self.gop_starts) else len(self)
        return any(self.pts[index] < self.pts[start] for index in range(start + 1, stop))

    def number_of(self, index: int) -> int:
        """Return the place of a packet in `presented`; -1 if it is not there."""
        if len(self._numbers) != len(self):
            self._numbers = array("q", [-1]) * len(self)
            for number, presented in enumerate(self.presented):
                self._numbers[presented] = number
        return self._numbers[index]

    def set_stretches(self, stretches: Sequence[Stretch]) -> None:
        """Set the stretches, and number the frames of the sound ones in `presented`."""
        self.stretches = stretches
        self.presented = array("q", (i for stretch in stretches for i in stretch.frames))
