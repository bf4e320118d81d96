"""Reads from coded packets where decoding may start, what is shown, and what may be skipped.

Containers flag too many packets as keyframes (broadcasts). They never tell which VP8 packets are
hidden reference frames. Other codecs have a file of their own beside this one.

Reference: VP8 (RFC 6386 9.1).
"""

from __future__ import annotations

from collections.abc import Iterator

from spark_keyframes.video.codecs.facts import PacketFacts


def length_size_of(codec: str, extradata: bytes | None) -> int:
    """Return the bytes of a NAL unit's length prefix; 0 if there are start codes (Annex B)."""
    if not extradata or extradata[0] != 1:
        return 0
    if codec == "h264" and len(extradata) > 6:
        return (extradata[4] & 3) + 1
    if codec == "hevc" and len(extradata) > 22:
        return (extradata[21] & 3) + 1
    return 0


def vp8_facts(data: memoryview | bytes, *, is_keyframe: bool) -> PacketFacts:
    """Return the properties of a packet of VP8."""
    del is_keyframe  # the packet tells
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
