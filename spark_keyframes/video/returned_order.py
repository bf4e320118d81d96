"""In which order the decoder returns the frames of a video that is odd somewhere."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from statistics import median_low

import numpy as np
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream
from numpy.typing import NDArray

from spark_keyframes.video.codecs.picture_order import (
    MISSING,
    UNREADABLE,
    OrderReader,
    mpeg12_is_b_frame,
    order_reader_of,
)
from spark_keyframes.video.packet_table import CONTINUES, PacketTable
from spark_keyframes.video.problems import Problems

_COUNT_BITS = 40


def usual_step(steps: Iterable[int]) -> int:
    """Return the step between the places of most frames that follow each other."""
    return median_low([step for step in steps if step > 0] or [1])


def low_median(values: NDArray[np.int64]) -> int:
    """Return the lower one of the two values in the middle, of at least one value."""
    middle = (len(values) - 1) // 2
    return int(np.partition(values, middle)[middle])


class ReturnedOrder:
    """The place of each packet's frame among those that the decoder returns.

    Args:
        codec: of the stream, with the parameters of the container.
        table: of all packets.
        packets: all of them once more.
        problems: gets those of packets whose place cannot be read, or before which one is missing.
    """

    def __init__(
        self,
        codec: VideoCodecContext,
        table: PacketTable,
        packets: Iterable[Packet[VideoStream]],
        problems: Problems,
    ) -> None:
        self._table = table
        self._problems = problems
        self._places = array("q", [0]) * len(table)
        read = order_reader_of(codec)
        if read is not None:
            self._place_by_count(read, packets)
        elif codec.name in {"mpeg1video", "mpeg2video"}:
            self._place_by_kind(mpeg12_is_b_frame(memoryview(packet)) for packet in packets)
        elif codec.name == "mpeg4":
            self._place_by_kind(not state >> 16 for state in table.states)
        else:
            self._place_by_kind(True for _ in range(len(table)))

    def __getitem__(self, index: int) -> int:
        """Return the place of a packet that is shown; it grows by the same step."""
        return self._places[index]

    def are_apart(self, index: int, later: int) -> bool:
        """Return whether the decoder returns all frames up to a packet before a later one.

        Then the step between their places may be any.
        """
        return self._places[index] >> _COUNT_BITS != self._places[later] >> _COUNT_BITS

    def is_regular(self, frames: Sequence[int]) -> bool:
        """Return whether frames come in this order, and none is missing, as far as they tell."""
        places = np.frombuffer(self._places, np.int64)[np.asarray(frames, np.int64)]
        steps = np.diff(places)
        are_apart = np.diff(places >> _COUNT_BITS) > 0
        growing = steps[steps > 0]
        is_sound = are_apart | (steps == low_median(growing)) if len(growing) else are_apart
        return not self._problems and bool(is_sound.all())

    def _frames(self) -> Iterator[bool]:
        """Yield for each packet whether it begins a frame that is shown."""
        table = self._table
        for index, flags in enumerate(table.flags):
            yield table.is_shown(index) and not flags & CONTINUES

    def _place_by_count(self, read: OrderReader, packets: Iterable[Packet[VideoStream]]) -> None:
        begun, flags = 0, self._table.flags
        for index, (packet, is_frame) in enumerate(zip(packets, self._frames(), strict=False)):
            # Frames that an edit list hides have numbers, too.
            place = None if flags[index] & CONTINUES else read(memoryview(packet))
            if place is not None:
                begun += place.begins
                # The count may be less than 0.
                self._places[index] = (2 * begun + 1 << _COUNT_BITS - 1) + place.count
            if is_frame and (place is None or not place.is_next):
                self._problems.add(index, UNREADABLE if place is None else MISSING)

    def _place_by_kind(self, are_b_frames: Iterable[bool | None]) -> None:
        """Place frames of a decoder that holds back the last one that is no B-frame."""
        place, held = 0, -1
        for index, (is_b, is_frame) in enumerate(zip(are_b_frames, self._frames(), strict=False)):
            if is_frame and is_b is None:
                self._problems.add(index, UNREADABLE)
            if not is_frame or is_b is None:
                continue
            returned = index if is_b else held
            held = held if is_b else index
            if returned >= 0:
                self._places[returned] = place
                place += 1
        if held >= 0:
            self._places[held] = place
