"""Relatives of H.263 without B-frames: Sorenson H.263 of FLV, Windows Media Video 7 and 8.

Each frame needs the one before it, an I-frame none. Nothing else that FFmpeg's decoders keep
outlasts an I-frame. Microsoft's MPEG-4 version 3 is another case: where its I-frames are longer
than expected, the way of rounding of an earlier I-frame stays.

References: Adobe's Video File Format Specification, version 10, "Sorenson H.263"; FFmpeg's
flvdec.c, msmpeg4dec.c and wmv2dec.c.
"""

from __future__ import annotations

from spark_keyframes.video.bits import Bits
from spark_keyframes.video.codecs.facts import LATEST, PacketFacts

_I = 0
_INTRA = PacketFacts(is_random_access=True, reads=0, writes=LATEST)
_INTER = PacketFacts(reads=LATEST, writes=LATEST)
_DISPOSABLE = PacketFacts(reads=LATEST, writes=0)
_NOTHING = PacketFacts(is_shown=False, reads=0, writes=0)
_UNREADABLE = PacketFacts(problem="a packet cannot be read")
_MACROBLOCK = 16


class SorensonH263:
    """Reads the packets of FLV1, one after another."""

    def __init__(self) -> None:
        """Expect the first packet."""
        self._size: tuple[int, int] | None = None
        self._has_inter = False

    def facts(self, data: memoryview | bytes, *, is_keyframe: bool) -> PacketFacts:
        """Return the properties of the next packet in decode order."""
        del is_keyframe  # the frame tells
        bits = Bits(data[:16], header_bytes=0, is_escaped=False)
        try:
            if bits.u(17) != 1 or bits.u(5) > 1:
                return _UNREADABLE
            bits.u(8)
            size_format = bits.u(3)
            size = size_format, bits.u({0: 16, 1: 32}.get(size_format, 0))
            kind = bits.u(2)
        except EOFError:
            return _UNREADABLE
        if kind == _I:
            self._size, self._has_inter = size, False
            return _INTRA
        if size != self._size:
            return PacketFacts(problem="the size changes between keyframes")
        if kind == 1:
            self._has_inter = True
            return _INTER
        # FFmpeg does not return a disposable frame before its decoder has had two others.
        return _DISPOSABLE if self._has_inter else PacketFacts(problem="disposable frames")


def microsoft_facts(data: memoryview | bytes, *, is_keyframe: bool) -> PacketFacts:
    """Return the properties of a packet of MS MPEG-4 version 2 or WMV 7."""
    del is_keyframe  # the frame tells
    kind = data[0] >> 6
    return (_INTRA, _INTER, _UNREADABLE, _UNREADABLE)[kind]


class Wmv2:
    """Reads the packets of WMV 8."""

    def __init__(self, extradata: bytes | None, width: int, height: int) -> None:
        """Prepare for frames of this size; the extradata hold the parameters of the sequence."""
        self._has_parameters = len(extradata or b"") >= 4
        self._columns = -(-width // _MACROBLOCK)
        self._rows = -(-height // _MACROBLOCK)

    def facts(self, data: memoryview | bytes, *, is_keyframe: bool) -> PacketFacts:
        """Return the properties of the next packet in decode order."""
        del is_keyframe  # the frame tells
        if not self._has_parameters:
            return _UNREADABLE
        bits = Bits(data, header_bytes=0, is_escaped=False)
        try:
            if not bits.u(1):
                return _INTRA
            bits.u(5)
            by_lines, by_columns = bits.u(1), bits.u(1)
            if by_lines:
                count = self._columns if by_columns else self._rows
                if bits.u(count) + 1 == 1 << count:  # all of it repeats the last frame
                    return _NOTHING
        except EOFError:
            return _UNREADABLE
        return _INTER
