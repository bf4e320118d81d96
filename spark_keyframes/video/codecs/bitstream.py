"""Reads from coded packets where decoding may start, what is shown, and what may be skipped.

Containers flag too many packets as keyframes (H.264 with intra refresh, broadcasts). They never
tell which VP8 packets are hidden reference frames. AV1, VP9 and others have a file of their own
beside this one.

References: H.264 (ITU-T H.264 7.3, D.1), HEVC (ITU-T H.265 7.3.1, 7.4.2.2), MPEG-2 (ITU-T H.262
6.2.3.1), VP8 (RFC 6386 9.1).
"""

from __future__ import annotations

from collections.abc import Iterator

from spark_keyframes.video.bits import Bits
from spark_keyframes.video.codecs.facts import FIELDS, PacketFacts

_CHROMA_PROFILES = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}
_RECOVERY_POINT = 6
_HEAD = 512  # bytes of a packet or NAL unit that are read


INSPECTED = {"h264", "hevc", "mpeg2video", "vp8"}
"""Codecs that `inspect` knows."""


def length_size_of(codec: str, extradata: bytes | None) -> int:
    """Return the bytes of a NAL unit's length prefix; 0 if there are start codes (Annex B)."""
    if not extradata or extradata[0] != 1:
        return 0
    if codec == "h264" and len(extradata) > 6:
        return (extradata[4] & 3) + 1
    if codec == "hevc" and len(extradata) > 22:
        return (extradata[21] & 3) + 1
    return 0


def h264_may_have_fields(extradata: bytes | None) -> bool:
    """Return whether the sequence parameters in the container's header allow field coding."""
    if not extradata:
        return False
    if extradata[0] != 1:
        units = list(nal_units(extradata, 0))
    else:
        units, position = [], 6
        for _ in range(extradata[5] & 31 if len(extradata) > 6 else 0):
            size = int.from_bytes(extradata[position : position + 2], "big")
            units.append(memoryview(extradata)[position + 2 : position + 2 + size])
            position += 2 + size
    return any(len(unit) > 3 and unit[0] & 31 == 7 and _sps_has_fields(unit) for unit in units)


def inspect(codec: str, data: memoryview | bytes, length_size: int) -> PacketFacts:
    """Return the properties of a packet; `codec` is one of `INSPECTED`.

    `length_size` comes from `length_size_of`.
    """
    if codec == "h264":
        return _inspect_h264(data, length_size)
    if codec == "hevc":
        return _inspect_hevc(data, length_size)
    if codec == "mpeg2video":
        return PacketFacts(problem=FIELDS * _mpeg2_is_field(data))
    return PacketFacts(is_random_access=not data[0] & 1, is_shown=bool(data[0] >> 4 & 1))


def nal_units(data: memoryview | bytes, length_size: int) -> Iterator[memoryview]:
    """Yield the NAL units of a packet, lazily: those before the first slice cost little."""
    view = memoryview(data)
    if length_size:
        position = 0
        while position + length_size < len(view):
            start = position + length_size
            position = start + int.from_bytes(view[position:start], "big")
            yield view[start:position]
        return
    raw = bytes(data)
    start = raw.find(b"\0\0\1")
    while start >= 0:
        stop = raw.find(b"\0\0\1", start + 3)
        yield view[start + 3 : stop if stop >= 0 else len(raw)]
        start = stop


def _inspect_h264(data: memoryview | bytes, length_size: int) -> PacketFacts:
    is_recovery = has_fields = False
    for unit in nal_units(data, length_size):
        if not unit:
            continue
        kind = unit[0] & 31
        if kind == 5:
            return PacketFacts(is_random_access=True, is_reset=True, problem=FIELDS * has_fields)
        if kind == 6:
            is_recovery |= _is_exact_recovery_point(unit)
        elif kind == 7:
            has_fields |= _sps_has_fields(unit)
        elif 1 <= kind <= 4:
            break
    return PacketFacts(is_random_access=is_recovery, problem=FIELDS * has_fields)


def _inspect_hevc(data: memoryview | bytes, length_size: int) -> PacketFacts:
    for unit in nal_units(data, length_size):
        if len(unit) > 2 and unit[0] >> 1 & 63 < 32:
            kind = unit[0] >> 1 & 63
            return PacketFacts(
                is_random_access=16 <= kind <= 21,
                # An IDR picture, without no_output_of_prior_pics_flag.
                is_reset=kind in (19, 20) and not unit[2] & 0x40,
                temporal_layer=(unit[1] & 7) - 1,
            )
    return PacketFacts(is_shown=False)


def _mpeg2_is_field(data: memoryview | bytes) -> bool:
    head = bytes(data[:_HEAD])
    extension = head.find(b"\0\0\1\xb5")
    while extension >= 0 and extension + 6 < len(head):
        if head[extension + 4] >> 4 == 8:  # the picture coding extension
            return head[extension + 6] & 3 != 3
        extension = head.find(b"\0\0\1\xb5", extension + 4)
    return True


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


def _sps_has_fields(unit: memoryview) -> bool:
    bits = Bits(unit)
    try:
        profile = bits.u(8)
        bits.u(16)
        bits.ue()
        if profile in _CHROMA_PROFILES:
            chroma_format = bits.ue()
            if chroma_format == 3:
                bits.u(1)
            bits.ue()
            bits.ue()
            bits.u(1)
            if bits.u(1):
                _skip_scaling_lists(bits, 12 if chroma_format == 3 else 8)
        bits.ue()
        poc_type = bits.ue()
        if poc_type == 0:
            bits.ue()
        elif poc_type == 1:
            bits.u(1)
            bits.se()
            bits.se()
            for _ in range(bits.ue()):
                bits.se()
        bits.ue()
        bits.u(1)
        bits.ue()
        bits.ue()
        return not bits.u(1)
    except EOFError:
        return True


def _skip_scaling_lists(bits: Bits, count: int) -> None:
    for index in range(count):
        if not bits.u(1):
            continue
        last = following = 8
        for _ in range(16 if index < 6 else 64):
            if following:
                following = (last + bits.se()) % 256
            last = following or last
