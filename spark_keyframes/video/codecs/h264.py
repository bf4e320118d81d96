"""H.264: whether pictures are frames or fields, in a stream that may have both.

Broadcasts, cameras and `fake-interlaced` of x264 allow fields in the sequence parameter set, but
most of their pictures are frames. The header of each slice says so. Containers flag too many
packets as keyframes, as with intra refresh; the packets tell where decoding may start.

References: ITU-T H.264 7.3.2.1.1, 7.3.2.2, 7.3.3, D.1; ISO/IEC 14496-15 5.3.3.1 for avcC.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from spark_keyframes.video.bits import Bits
from spark_keyframes.video.codecs.bitstream import length_size_of, nal_units
from spark_keyframes.video.codecs.facts import FIELDS, PacketFacts

IDR, _SEI, _SPS, _PPS = 5, 6, 7, 8
SLICES = range(1, 6)
"""Kinds of NAL units that hold a picture, one of them an IDR picture."""
_CHROMA_PROFILES = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}
_RECOVERY_POINT = 6

_Field = tuple[int, int, bool, bool]
"""Of a picture: whether it is a frame (-1), a top (0) or a bottom field (1); its frame_num; whether
it is a reference; whether it is an IDR picture."""
_FRAME = -1


@dataclass(frozen=True)
class Slices:
    """Fields of a sequence parameter set that tell the layout of slice headers."""

    number_bits: int
    """Bits of frame_num."""
    has_planes: bool
    may_have_fields: bool
    count_type: int
    """How the order of pictures is coded, pic_order_cnt_type."""
    count_bits: int
    """Bits of pic_order_cnt_lsb, if it is of type 0."""


class H264:
    """Reads the packets of a stream, one after another."""

    def __init__(self, extradata: bytes | None) -> None:
        """Read the parameter sets of the container."""
        self._length_size = length_size_of("h264", extradata)
        self._sequences: dict[int, Slices] = {}
        self._pictures: dict[int, int] = {}
        """By id of the picture parameter set: that of its sequence parameter set."""
        self._first: _Field | None = None
        """A field whose frame is not complete."""
        self.may_have_fields = False
        """Whether the parameters so far allow fields."""
        for unit in _header_units(extradata or b""):
            self.read_parameters(unit)

    def facts(self, data: memoryview | bytes, *, is_keyframe: bool) -> PacketFacts:
        """Return the properties of the next packet in decode order."""
        if not is_keyframe and not self.may_have_fields:
            return PacketFacts()
        is_recovery = is_idr = False
        pictures: list[_Field] | None = []
        for unit in nal_units(data, self._length_size):
            kind = unit[0] & 31 if unit else 0
            if kind == _SEI:
                is_recovery |= _is_exact_recovery_point(unit)
            elif kind in (_SPS, _PPS):
                self.read_parameters(unit)
            elif kind in SLICES:
                is_idr |= kind == IDR
                if not self.may_have_fields:
                    break
                pictures = self._with_picture_of(unit, pictures)
                if pictures is None or pictures[-1][0] == _FRAME:
                    break
        begins_gop = is_keyframe and (is_recovery or is_idr)
        facts = PacketFacts(is_random_access=begins_gop, is_reset=begins_gop and is_idr)
        return self._as_fields(facts, pictures) if self.may_have_fields else facts

    def _as_fields(self, facts: PacketFacts, pictures: list[_Field] | None) -> PacketFacts:
        """Add what the pictures of a packet are: a frame, two fields of one, or a single field."""
        first, self._first = self._first, None
        if not pictures:
            return replace(facts, problem=FIELDS)
        if len(pictures) == 1 and pictures[0][0] != _FRAME:
            if first is not None and _are_pair(first, pictures[0]) and not facts.is_random_access:
                return replace(facts, is_shown=False, continues=True)
            self._first = pictures[0]
            return replace(facts, is_first_field=True, problem="" if first is None else FIELDS)
        is_frame = len(pictures) == 1 or (len(pictures) == 2 and _are_pair(*pictures))
        return replace(facts, problem="" if is_frame and first is None else FIELDS)

    def _with_picture_of(
        self, unit: memoryview, pictures: list[_Field] | None
    ) -> list[_Field] | None:
        """Add the picture of a slice, if it is its first slice; None if it cannot be read."""
        bits = Bits(unit[:64])
        try:
            first_macroblock, _, number, parity = self.slice_head(bits)
        except (EOFError, KeyError):
            return None
        if first_macroblock == 0 and pictures is not None:
            kind = unit[0] & 31
            return [*pictures, (parity, number, bool(unit[0] & 96), kind == IDR)]
        return pictures or None

    def slice_head(self, bits: Bits) -> tuple[int, Slices, int, int]:
        """Read the head of a slice: its first macroblock, its sequence, frame_num and parity.

        Raises:
            EOFError: it ends before.
            KeyError: its parameters are not known.
        """
        first_macroblock = bits.ue()
        bits.ue()
        sequence = self._sequences[self._pictures[bits.ue()]]
        bits.u(2 * sequence.has_planes)
        number = bits.u(sequence.number_bits)
        is_field = sequence.may_have_fields and bits.u(1)
        return first_macroblock, sequence, number, bits.u(1) if is_field else _FRAME

    def read_parameters(self, unit: memoryview) -> None:
        """Read a parameter set; other units do not matter."""
        if not unit:
            return
        try:
            if unit[0] & 31 == _SPS:
                number, slices = _sequence_parameters(unit)
                self._sequences[number] = slices
                self.may_have_fields |= slices.may_have_fields
            elif unit[0] & 31 == _PPS:
                bits = Bits(unit)
                number = bits.ue()
                self._pictures[number] = bits.ue()
        except EOFError:
            self.may_have_fields = True


def _are_pair(first: _Field, second: _Field) -> bool:
    """Return whether FFmpeg takes two fields for one frame."""
    return (
        {first[0], second[0]} == {0, 1}
        and first[1] == second[1]
        and first[2] == second[2]
        and not second[3]
    )


def _header_units(extradata: bytes) -> Iterator[memoryview]:
    """Yield the parameter sets of an avcC, or of a header with start codes."""
    view = memoryview(extradata)
    if not extradata or extradata[0] != 1:
        yield from nal_units(view, 0)
        return
    position = 5
    for mask in (31, 255):
        count = view[position] & mask if position < len(view) else 0
        position += 1
        for _ in range(count):
            size = int.from_bytes(view[position : position + 2], "big")
            yield view[position + 2 : position + 2 + size]
            position += 2 + size


def _is_exact_recovery_point(unit: memoryview) -> bool:
    """Return whether an SEI message says that decoding from this frame on is exact."""
    bits = Bits(unit)
    try:
        while True:
            kind = size = 0
            while (byte := bits.u(8)) == 255:
                kind += 255
            kind += byte
            while (byte := bits.u(8)) == 255:
                size += 255
            size += byte
            if kind == _RECOVERY_POINT:
                recovery_frame_count, exact_match = bits.ue(), bits.u(1)
                return recovery_frame_count == 0 and exact_match == 1
            bits.u(8 * size)
    except EOFError:
        return False


def _sequence_parameters(unit: memoryview) -> tuple[int, Slices]:
    """Return the id of a sequence parameter set, and what it tells."""
    bits = Bits(unit)
    profile = bits.u(8)
    bits.u(16)
    number = bits.ue()
    has_planes = False
    if profile in _CHROMA_PROFILES:
        chroma_format = bits.ue()
        if chroma_format == 3:
            has_planes = bool(bits.u(1))
        bits.ue()
        bits.ue()
        bits.u(1)
        if bits.u(1):
            _skip_scaling_lists(bits, 12 if chroma_format == 3 else 8)
    number_bits = bits.ue() + 4
    count_type, count_bits = bits.ue(), 0
    if count_type == 0:
        count_bits = bits.ue() + 4
    elif count_type == 1:
        bits.u(1)
        bits.se()
        bits.se()
        for _ in range(bits.ue()):
            bits.se()
    bits.ue()
    bits.u(1)
    bits.ue()
    bits.ue()
    may_have_fields = not bits.u(1)
    return number, Slices(number_bits, has_planes, may_have_fields, count_type, count_bits)


def _skip_scaling_lists(bits: Bits, count: int) -> None:
    for index in range(count):
        if not bits.u(1):
            continue
        last = following = 8
        for _ in range(16 if index < 6 else 64):
            if following:
                following = (last + bits.se()) % 256
            last = following or last
