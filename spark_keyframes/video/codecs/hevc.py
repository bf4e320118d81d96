"""Reads from packets of HEVC where decoding may start, and which pictures the decoder drops.

Reference: ITU-T H.265 7.3.1, 7.4.2.2 and 8.1.3.
"""

from __future__ import annotations

from spark_keyframes.video.codecs.bitstream import length_size_of, nal_units
from spark_keyframes.video.codecs.facts import LOST_KEYFRAME, PacketFacts

_LEADING, _RASL, _IDR, _CRA = (6, 7, 8, 9), (8, 9), (19, 20), 21
_END = (36, 37)


class Hevc:
    """Reads the packets of a stream, in decode order."""

    def __init__(self, extradata: bytes | None) -> None:
        self._length_size = length_size_of("hevc", extradata)
        # RASL pictures refer to frames before their keyframe, a CRA picture. The decoder returns
        # none of them behind another keyframe, nor if the CRA picture is the first of a sequence.
        self._drops_rasl = self._begins_sequence = True
        self._has_trailing = False

    def facts(self, data: memoryview | bytes, *, is_keyframe: bool) -> PacketFacts:
        """Return the properties of the next packet."""
        del is_keyframe
        facts = PacketFacts(is_shown=False)
        for unit in nal_units(data, self._length_size):
            if len(unit) > 2 and unit[0] >> 1 & 63 < 32:
                facts = self._facts_of(unit)
                break
        self._begins_sequence |= self._is_end(bytes(data[-6:]))
        return facts

    def _facts_of(self, unit: memoryview) -> PacketFacts:
        kind = unit[0] >> 1 & 63
        is_random_access = 16 <= kind <= 21
        if is_random_access:
            self._drops_rasl = kind != _CRA or self._begins_sequence
            self._begins_sequence = self._has_trailing = False
        # Leading pictures come right behind their keyframe. Others lost it.
        is_lost = (kind in _LEADING and self._has_trailing) or (kind in _RASL and self._drops_rasl)
        self._has_trailing |= kind < _LEADING[0]
        return PacketFacts(
            is_random_access=is_random_access,
            # Without no_output_of_prior_pics_flag.
            is_reset=kind in _IDR and not unit[2] & 0x40,
            temporal_layer=(unit[1] & 7) - 1,
            problem=LOST_KEYFRAME * is_lost,
        )

    def _is_end(self, tail: bytes) -> bool:
        """Return whether a packet ends with the end of a sequence, a NAL unit of two bytes."""
        size = self._length_size
        before = (2).to_bytes(size, "big") if size else b"\0\0\1"
        return tail[:-2].endswith(before) and tail[-2] >> 1 & 63 in _END
