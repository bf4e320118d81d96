"""MPEG-4 part 2: the kind of each VOP, and whether its stream keeps to what can be proved.

An I-VOP needs no other, a P-VOP the I- or P-VOP before it, a B-VOP the two before it in decode
order. Nothing else outlasts a VOP if the headers never change, except the times from which a B-VOP
scales its motion vectors: FFmpeg rounds them in interlaced video, and drops a B-VOP whose time does
not lie between those of its references. Such streams are decoded in sequence.

References: ISO/IEC 14496-2, 6.2.3 (VOL), 6.2.4 (GOV), 6.2.5 (VOP); FFmpeg's mpeg4videodec.c and
h263dec.c.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from spark_keyframes.video.bits import Bits
from spark_keyframes.video.codecs.facts import ALWAYS, PacketFacts

_SEQUENCE, _SEQUENCE_END, _USER_DATA, _GROUP, _OBJECT, _VOP = 0xB0, 0xB1, 0xB2, 0xB3, 0xB5, 0xB6
_OBJECTS, _LAYERS = range(0x20), range(0x20, 0x30)
_I, _P, _B = 0, 1, 2
_ENCODERS = (b"DivX", b"FFmpe", b"Lavc", b"XviD", b"ffmpeg")
"""Beginnings of user data by which FFmpeg corrects the mistakes of old encoders."""
_STUDIO = {14, 15}
_UNREADABLE = "a packet cannot be read"
_EXTENDED_ASPECT = 15
_SLOTS = 8


@dataclass(frozen=True)
class _Layer:
    """Fields of a VOL header."""

    time_bits: int
    resolution: int
    """Ticks in a second."""
    may_reorder: bool
    """Whether B-VOPs may occur, with the delay that they need from the first VOP on."""
    is_interlaced: bool


class Mpeg4:
    """Reads the packets of a stream, one after another."""

    def __init__(self, extradata: bytes | None, codec_tag: str) -> None:
        """Read the headers that the container, or FFmpeg's probing, has put in front."""
        self._headers: set[bytes] = set()
        self._problem = "the MPEG-4 stream has no header"
        self._layer: _Layer | None = None
        self._seconds = self._seconds_before = 0
        self._newer_time: int | None = None
        self._distance = 0
        self._lacks_newer = self._has_group = self._is_absolute = False
        self._is_comparable = True
        self._references = 0
        for kind, unit in _units(extradata or b""):
            if kind in _LAYERS and self._layer is None:
                try:
                    self._layer = _layer_of(unit)
                    self._problem = ""
                except EOFError as error:
                    self._problem = str(error) or "the header of MPEG-4 cannot be read"
            if kind in _LAYERS or kind == _USER_DATA:
                self._headers.add(bytes(unit))
            if kind == _USER_DATA and _is_packed(unit):
                self._problem = "a packed bitstream"
        if codec_tag.upper() == "UMP4":
            self._problem = "FFmpeg corrects the times of UMP4"

    def facts(self, data: memoryview | bytes, *, is_keyframe: bool) -> PacketFacts:
        """Return the properties of the next packet in decode order."""
        del is_keyframe  # the VOP tells
        found: PacketFacts | None = None
        problem = self._problem
        try:
            for kind, unit in _units(data):
                if kind == _VOP and found is None:
                    found = self._vop(unit)
                elif kind == _VOP:
                    problem = problem or "a packed bitstream"
                elif kind == _GROUP:
                    self._read_group(unit, is_first=found is None)
                elif kind in _LAYERS or (kind == _USER_DATA and unit.startswith(_ENCODERS)):
                    if unit not in self._headers:
                        problem = problem or "the codec's parameters change"
                elif kind not in {_USER_DATA, _SEQUENCE, _SEQUENCE_END, _OBJECT, *_OBJECTS}:
                    raise EOFError
            if found is None and self._has_group:
                raise EOFError
        except EOFError as error:
            problem = problem or str(error) or _UNREADABLE
        if problem:
            return PacketFacts(problem=problem)
        # Without a VOP, as of a frame that the encoder dropped, the decoder returns nothing.
        return found or PacketFacts(is_shown=False, reads=0, writes=0)

    def _read_group(self, unit: bytes, *, is_first: bool) -> None:
        bits = Bits(unit[:8], header_bytes=0, is_escaped=False)
        if not is_first:
            raise EOFError
        hours, minutes, marker, seconds = bits.u(5), bits.u(6), bits.u(1), bits.u(6)
        if not marker:
            raise EOFError
        self._has_group = True
        self._seconds = seconds + 60 * (minutes + 60 * hours)

    def _vop(self, unit: bytes) -> PacketFacts:
        layer = self._layer
        if layer is None:
            raise EOFError
        bits = Bits(unit[:64], header_bytes=0, is_escaped=False)
        kind, seconds = bits.u(2), 0
        while bits.u(1):
            seconds += 1
        markers = bits.u(1)
        ticks = bits.u(layer.time_bits)
        markers &= bits.u(1)
        if not markers or kind not in (_I, _P, _B):
            raise EOFError("sprites" if markers else "")
        self._take_time(kind, seconds, ticks, layer)
        is_coded = bool(bits.u(1))
        if kind == _B and self._lacks_newer:
            # FFmpeg returns it before the frame that should be its older reference.
            raise EOFError("B-frames after a frame of MPEG-4 that is coded as nothing")
        self._lacks_newer = kind != _B and not is_coded
        if not is_coded:  # nothing is returned, but the time counts
            return PacketFacts(is_shown=False, reads=0, writes=ALWAYS)
        newer, older = self._slot(0), self._slot(1)
        if kind == _B:
            return PacketFacts(reads=newer | older, writes=0)
        self._references += 1
        return PacketFacts(
            is_random_access=kind == _I, reads=newer * (kind == _P), writes=self._slot(0)
        )

    def _slot(self, age: int) -> int:
        """Return the bit of a reference frame; the latest has the age 0.

        The decoder keeps two. It is given all between the two that a B-VOP uses: none.
        """
        return 1 << (self._references - age) % _SLOTS

    def _take_time(self, kind: int, seconds: int, ticks: int, layer: _Layer) -> None:
        if kind != _B:
            # The time of the reference before counts from the last GOV, or from where decoding
            # began: only in the latter case it depends on that.
            self._is_comparable = self._is_absolute or not self._has_group
            self._is_absolute = self._has_group or (self._is_absolute and kind != _I)
            self._has_group = False
            self._seconds_before = self._seconds
            self._seconds += seconds
            time = self._seconds * layer.resolution + ticks
            self._distance = 0 if self._newer_time is None else time - self._newer_time
            self._newer_time = time
            return
        time = (self._seconds_before + seconds) * layer.resolution + ticks
        after = self._distance - ((self._newer_time or 0) - time)
        if layer.is_interlaced:
            raise EOFError("B-frames of interlaced MPEG-4")
        if not layer.may_reorder or not self._is_comparable or not 0 < after < self._distance:
            raise EOFError("B-frames in a stream of MPEG-4 that leaves no place for them")


def _units(data: memoryview | bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the kind of each start code, and the bytes behind it."""
    raw = bytes(data)
    start = raw.find(b"\0\0\1")
    while 0 <= start < len(raw) - 3:
        stop = raw.find(b"\0\0\1", start + 4)
        yield raw[start + 3], raw[start + 4 : stop if stop >= 0 else len(raw)]
        start = stop


def _is_packed(user_data: bytes) -> bool:
    return user_data.startswith(b"DivX") and user_data.rstrip(b"\0").endswith(b"p")


def _layer_of(unit: bytes) -> _Layer:
    bits = Bits(unit, header_bytes=0, is_escaped=False)
    bits.u(1)
    kind = bits.u(8)
    version = 1
    if bits.u(1):
        version = bits.u(4)
        bits.u(3)
    if bits.u(4) == _EXTENDED_ASPECT:
        bits.u(16)
    may_reorder = False
    if bits.u(1):
        bits.u(2)
        # Otherwise FFmpeg finds out while it decodes.
        may_reorder = not bits.u(1)
        if bits.u(1):
            bits.u(79)
    shape = bits.u(2)
    bits.u(1)
    resolution = bits.u(16)
    bits.u(1)
    time_bits = max(1, (resolution - 1).bit_length())
    if shape or not resolution or kind in _STUDIO:
        raise EOFError
    bits.u(time_bits * bits.u(1))
    bits.u(29)
    is_interlaced = bool(bits.u(1))
    bits.u(1)
    if bits.u(1 if version == 1 else 2):
        raise EOFError("sprites")
    return _Layer(time_bits, resolution, may_reorder, is_interlaced)
