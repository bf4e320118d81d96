"""Finds what makes the timestamps of a stream unreliable, and at which packets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Literal

from av.packet import Packet
from av.video.stream import VideoStream

from spark_keyframes.video.packet_table import PacketTable
from spark_keyframes.video.timeline import longest_stay

# A file with more is decoded in sequence, as a whole.
_MOST_PLACES = 1000

NO_KEYFRAME = "the video does not begin with a keyframe"

Extent = Literal["here", "join", "on"]
"""What a problem at a packet touches: its surroundings; the same, but nothing if the packet resets
the decoder, as where recordings are joined; or all that follows."""


@dataclass
class Problems:
    """What makes the timestamps of a stream unreliable."""

    of_stream: set[str] = field(default_factory=set)
    """Those of the whole stream."""
    of_order: set[str] = field(default_factory=set)
    """Those that all timestamps tell together; `find_stretches` looks for the places."""
    places: list[tuple[int, Extent, str]] = field(default_factory=list)
    """Those of single packets: the index, the extent, and what it is."""

    def __bool__(self) -> bool:
        return bool(self.of_stream or self.of_order or self.places)

    def add(self, index: int, reason: str, extent: Extent = "here") -> None:
        """Note a problem at a packet."""
        if len(self.places) < _MOST_PLACES:
            self.places.append((index, extent, reason))
        else:
            self.of_stream.add(reason)

    def reason(self) -> str:
        """Return all problems in words; empty if there is none."""
        of_places = {reason for _, _, reason in self.places}
        return "; ".join(sorted(self.of_stream | self.of_order | of_places))


class Stamps:
    """Looks for timestamps, and for damage, that make the times of frames unreliable."""

    def __init__(self, time_base: Fraction, problems: Problems) -> None:
        self.has_jump = False
        self._problems = problems
        self._most_stay = longest_stay(time_base)
        self._last: int | None = None
        self._index = -1

    def add(self, packet: Packet[VideoStream], *, continues: bool) -> None:
        """Take the next packet in decode order; it may continue the frame of the one before it."""
        self._index += 1
        dts, last = packet.dts, self._last
        if packet.pts is None and not continues:
            self._problems.add(self._index, "a timestamp is missing")
        if packet.is_corrupt:
            # FFmpeg's parsers find the end of a packet in the data of the next one, and may give it
            # the flags of that one.
            self._problems.add(self._index, "a packet is corrupt")
            self._problems.add(self._index + 1, "a packet is corrupt")
        if dts is None:
            return
        if last is not None and dts < last:
            self._problems.add(self._index, "decoding timestamps go backwards", "join")
        self.has_jump |= last is not None and dts - last > self._most_stay
        self._last = dts


def add_problems_of_order(problems: Problems, table: PacketTable, order: Sequence[int]) -> None:
    """Add what the timestamps tell together; `order` are the packets that are shown, by timestamp.

    The table needs its `gop_starts`.
    """
    pts, starts = table.pts, table.gop_starts
    if not order:
        problems.of_stream.add("no packet is shown")
        return
    if not starts:
        problems.of_stream.add(NO_KEYFRAME)
        return
    if starts[0] != 0:
        problems.of_order.add(NO_KEYFRAME)
    if any(pts[a] == pts[b] for a, b in pairwise(order)):
        problems.of_order.add("a timestamp is repeated")
    stops = [*starts[1:], len(pts)]
    first = starts[0]
    # Leading frames of the first keyframe refer to frames that were cut off. Only the decoder
    # knows whether they are shown.
    if min(pts[first : stops[0]]) < pts[first]:
        problems.of_order.add("the first keyframe has leading frames")
    latest = pts[first] - 1
    for start, stop in zip(starts, stops, strict=True):
        if pts[start] <= latest:
            problems.of_order.add("timestamps go backwards")
            return
        latest = max(pts[start:stop])
