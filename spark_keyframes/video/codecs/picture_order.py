"""Reads from packets in which order the decoder returns their pictures.

Only videos that are odd somewhere are read for it. Their timestamps may tell another order, or hide
that pictures are missing.

References: ITU-T H.264 7.3.3, 7.4.3 and 8.2.1; ITU-T H.265 8.3.1; ITU-T H.262 6.2.3 and 6.1.1.11.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from av.video.codeccontext import VideoCodecContext

from spark_keyframes.video.bits import Bits
from spark_keyframes.video.codecs import hevc_slices
from spark_keyframes.video.codecs.bitstream import length_size_of, nal_units
from spark_keyframes.video.codecs.h264 import H264, IDR, SLICES
from spark_keyframes.video.codecs.hevc_slices import HevcSlices

UNREADABLE = "the order of a picture cannot be read"
MISSING = "pictures are missing, by their numbers"

_HEAD = 512  # bytes of a packet of MPEG-1 or MPEG-2 that are read
_B = 3


@dataclass(frozen=True, slots=True)
class Place:
    """The place of a picture among those that the decoder returns."""

    begins: bool
    """Whether it is behind all that came before it, in decode order."""
    count: int
    """Grows in the order of return, by the same step, up to one that `begins`."""
    is_next: bool = True
    """Whether none is missing before it, in decode order, as far as it tells."""


class OrderReader(Protocol):
    """Reads the packets of a stream in turn."""

    def __call__(self, data: memoryview) -> Place | None:
        """Return the place of the picture of the next packet; None if it cannot be read."""


def order_reader_of(codec: VideoCodecContext) -> OrderReader | None:
    """Return the reader for a stream; None if the decoder returns pictures by their kinds alone."""
    readers: dict[str, Callable[[bytes | None], OrderReader]] = {
        "h264": H264Order,
        "hevc": HevcOrder,
    }
    return readers[codec.name](codec.extradata) if codec.name in readers else None


def mpeg12_is_b_frame(data: memoryview | bytes) -> bool | None:
    """Return whether a packet of MPEG-1 or MPEG-2 holds a B-frame; None if it begins no frame."""
    head = bytes(data[:_HEAD])
    start = head.find(b"\0\0\1\0")
    return head[start + 5] >> 3 & 7 == _B if 0 <= start < len(head) - 5 else None


class _Count:
    """The picture order count, of which pictures only have the lowest bits."""

    def __init__(self) -> None:
        self._before = 0

    def of(self, lowest: int, bits: int, *, is_base: bool) -> int:
        """Return the count; with `is_base`, the following ones are near to it."""
        size = 1 << bits
        nearest = self._before - self._before % size
        step = lowest - self._before % size
        count = lowest + nearest + (step <= -size // 2) * size - (step > size // 2) * size
        if is_base:
            self._before = count
        return count

    def reset(self) -> None:
        """Forget all pictures."""
        self._before = 0


class H264Order:
    """The order of pictures of H.264: by the picture order count of type 0, or as decoded."""

    def __init__(self, extradata: bytes | None) -> None:
        self._length_size = length_size_of("h264", extradata)
        self._parameters = H264(extradata)
        self._count = _Count()
        self._decoded = 0
        self._number: int | None = None
        """frame_num of the last reference picture."""

    def __call__(self, data: memoryview) -> Place | None:
        """Implement `OrderReader`."""
        for unit in nal_units(data, self._length_size):
            kind = unit[0] & 31 if unit else 0
            if kind in SLICES:
                try:
                    return self._place_of(unit, is_idr=kind == IDR)
                except (EOFError, KeyError):
                    return None
            self._parameters.read_parameters(unit)
        return None

    def _place_of(self, unit: memoryview, *, is_idr: bool) -> Place | None:
        bits = Bits(unit[:64])
        _, sequence, number, _ = self._parameters.slice_head(bits)
        is_base = bool(unit[0] & 96)
        before, most = self._number, 1 << sequence.number_bits
        is_next = is_idr or before is None or number == (before + 1) % most
        if is_base:
            self._number = number
        self._decoded += 1
        if is_idr:
            self._count.reset()
            bits.ue()
        if sequence.count_type == 1:
            return None
        if sequence.count_type == 2:
            # The step that encoders use for frames with a count, which a join may bring.
            return Place(is_idr, 2 * self._decoded, is_next)
        lowest = bits.u(sequence.count_bits)
        count = self._count.of(lowest, sequence.count_bits, is_base=is_base)
        return Place(is_idr, count, is_next)


class HevcOrder:
    """The order of pictures of HEVC: by the picture order count."""

    _BLA = (16, 17, 18)
    _DROPPABLE = (*range(6, 10), *range(0, 15, 2))
    """Leading pictures, and those to which none of their temporal layer refer."""

    def __init__(self, extradata: bytes | None) -> None:
        self._slices = HevcSlices(extradata)
        self._count = _Count()

    def __call__(self, data: memoryview) -> Place | None:
        """Implement `OrderReader`."""
        head = self._slices.first_of(data)
        if head is None or not head.is_output:
            return None
        begins = head.kind in hevc_slices.IDR or head.kind in self._BLA
        if begins:
            self._count.reset()
        is_base = head.temporal_layer == 0 and head.kind not in self._DROPPABLE
        return Place(begins, self._count.of(head.lowest, head.count_bits, is_base=is_base))
