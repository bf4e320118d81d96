"""Gives any range of a video's packets; packets that are not kept are read in one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import av
from av.packet import Packet
from av.video.stream import VideoStream

NOTHING = 1 << 62
"""For `PacketReader.hold`: an index behind all packets."""


class PacketReader:
    """The packets of a video. `index_of` returns the index of a decoded frame's packet.

    Args:
        kept: all packets; None: they are read.
        read: begins to read all packets. It is called again where packets that are not held are
            wanted once more.
    """

    def __init__(
        self,
        kept: list[Packet[VideoStream]] | None,
        read: Callable[[], Iterable[Packet[VideoStream]]],
    ) -> None:
        self._kept = kept
        self._read = read
        self._source: Iterator[Packet[VideoStream]] | None = None
        self._position = 0
        self._hold_from = NOTHING
        self._held: dict[int, Packet[VideoStream]] = {}

    def hold(self, start: int) -> None:
        """From now on, hold packets that are read from this index on."""
        self._hold_from = start

    def forget(self, stop: int) -> None:
        """Release the held packets before this index."""
        for index in [index for index in self._held if index < stop]:
            del self._held[index]

    def part(self, start: int, stop: int) -> Iterator[Packet[VideoStream]]:
        """Yield the packets from `start` to before `stop`; consume them before the next part."""
        if self._kept is not None:
            for index, packet in enumerate(self._kept[start:stop], start):
                _number(packet, index)
                yield packet
            return
        again = range(start, min(stop, self._position))
        if self._source is None or any(index not in self._held for index in again):
            self._source, self._position, again = iter(self._read()), 0, range(0)
        yield from [self._held[index] for index in again]
        for packet in islice(self._source, max(0, stop - self._position)):
            index, self._position = self._position, self._position + 1
            _number(packet, index)
            if index >= self._hold_from:
                self._held[index] = packet
            if index >= start:
                yield packet


def _number(packet: Packet[VideoStream], index: int) -> None:
    # PyAV keeps it by its address. So it must not be an integer: equal ones are the same object.
    packet.opaque = (index,)


def index_of(picture: av.VideoFrame) -> int | None:
    """Return the index of the packet of a frame; None if its packet has none."""
    opaque = picture.opaque
    return opaque[0] if isinstance(opaque, tuple) else None
