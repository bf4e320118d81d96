"""Reads from packets of HEVC what their first slice tells of the order of pictures.

References: ITU-T H.265 7.3.2.2.1, 7.3.2.3.1 and 7.3.6.1; ISO/IEC 14496-15 8.3.3.1 for hvcC.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from spark_keyframes.video.bits import Bits
from spark_keyframes.video.codecs.bitstream import length_size_of, nal_units

_VPS, _SPS, _PPS = 32, 33, 34
_KEYS, IDR = range(16, 24), (19, 20)


@dataclass(frozen=True, slots=True)
class SliceHead:
    """What a slice header tells of its picture."""

    kind: int
    """Type of the NAL unit."""
    temporal_layer: int
    """From 0."""
    lowest: int
    """The lowest bits of the picture order count; 0 of an IDR picture."""
    count_bits: int
    """How many bits these are."""
    is_output: bool


@dataclass(frozen=True, slots=True)
class _Sequence:
    has_separate_planes: bool
    count_bits: int


@dataclass(frozen=True, slots=True)
class _Picture:
    sequence: int
    has_output_flag: bool
    extra_bits: int


class HevcSlices:
    """Keeps the parameter sets of a stream, whose packets are read in decode order."""

    def __init__(self, extradata: bytes | None) -> None:
        header = extradata or b""
        self._length_size = length_size_of("hevc", extradata)
        self._sequences: dict[int, _Sequence] = {}
        self._pictures: dict[int, _Picture] = {}
        for unit in _hvcc_units(header) if self._length_size else nal_units(header, 0):
            self._read_parameters(unit)

    def first_of(self, data: memoryview | bytes) -> SliceHead | None:
        """Return what the first slice of a packet tells; None if it is lost or unreadable."""
        for unit in nal_units(data, self._length_size):
            if len(unit) > 2 and _kind_of(unit) < _VPS and not _layer_of(unit):
                try:
                    return self._head_of(unit)
                except (EOFError, KeyError):
                    return None
            self._read_parameters(unit)
        return None

    def _head_of(self, unit: memoryview) -> SliceHead | None:
        kind, bits = _kind_of(unit), Bits(unit[:64], header_bytes=2)
        if not bits.u(1):
            return None  # not the first slice of its picture
        bits.u(kind in _KEYS)
        picture = self._pictures[bits.ue()]
        sequence = self._sequences[picture.sequence]
        bits.u(picture.extra_bits)
        bits.ue()
        is_output = not picture.has_output_flag or bool(bits.u(1))
        bits.u(2 * sequence.has_separate_planes)
        lowest = 0 if kind in IDR else bits.u(sequence.count_bits)
        return SliceHead(kind, (unit[1] & 7) - 1, lowest, sequence.count_bits, is_output)

    def _read_parameters(self, unit: memoryview) -> None:
        if len(unit) < 3 or _layer_of(unit):
            return
        kind, bits = _kind_of(unit), Bits(unit, header_bytes=2)
        try:
            if kind == _PPS:
                number, sequence = bits.ue(), bits.ue()
                bits.u(1)
                self._pictures[number] = _Picture(sequence, bool(bits.u(1)), bits.u(3))
            elif kind == _SPS:
                number, parameters = _sequence_of(bits)
                self._sequences[number] = parameters
        except EOFError:
            return  # cut off: slices that need it cannot be read


def _sequence_of(bits: Bits) -> tuple[int, _Sequence]:
    """Return the id of a sequence parameter set, and the fields that are needed of it."""
    bits.u(4)
    layers = bits.u(3)
    bits.u(1 + 88 + 8)  # with the general profile and level
    told = [(bits.u(1), bits.u(1)) for _ in range(layers)]
    bits.u(2 * (8 - layers) if layers else 0)
    for has_profile, has_level in told:
        bits.u(88 * has_profile + 8 * has_level)
    number = bits.ue()
    has_separate_planes = bits.ue() == 3 and bool(bits.u(1))
    bits.ue()
    bits.ue()
    for _ in range(4 * bits.u(1)):
        bits.ue()
    bits.ue()
    bits.ue()
    return number, _Sequence(has_separate_planes, bits.ue() + 4)


def _kind_of(unit: memoryview) -> int:
    return unit[0] >> 1 & 63


def _layer_of(unit: memoryview) -> int:
    """Return the layer of a unit: others than 0 are those of further views or qualities."""
    return (unit[0] & 1) << 5 | unit[1] >> 3


def _hvcc_units(extradata: bytes) -> Iterator[memoryview]:
    view = memoryview(extradata)
    position = 23
    for _ in range(view[22]):
        count = int.from_bytes(view[position + 1 : position + 3], "big")
        position += 3
        for _ in range(count):
            size = int.from_bytes(view[position : position + 2], "big")
            yield view[position + 2 : position + 2 + size]
            position += 2 + size
            if position > len(view):
                return
