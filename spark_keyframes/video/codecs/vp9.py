"""VP9: which parts of the decoder's memory the frames of a packet use and replace.

Besides the eight slots of reference frames, four sets of probabilities outlast a frame, and so do
the previous frame's motion vectors, segment ids and loop filter deltas. Only an error-resilient
frame without segments, an intra frame without segments or a key frame does not need the latter. So
most encoders leave nothing to skip; those for calls and their recordings do.

Reference: VP9 Bitstream & Decoding Process Specification, 6.1, 6.2, 7.2, Annex B.
"""

from __future__ import annotations

from spark_keyframes.video.bits import Bits
from spark_keyframes.video.codecs.facts import PacketFacts, facts_of_frames

_ALL_SLOTS = 255
_ALL_CONTEXTS = 15 << 8
_PREVIOUS = 1 << 12
_ALL = _ALL_SLOTS | _ALL_CONTEXTS | _PREVIOUS
_SYNC_CODE = 0x498342
_SRGB = 7


def vp9_facts(data: memoryview | bytes, *, is_keyframe: bool) -> PacketFacts:
    """Return the properties of a packet: a frame, or a superframe of hidden ones and one shown."""
    try:
        return facts_of_frames(map(_frame, _frames(memoryview(data))), is_keyframe=is_keyframe)
    except (EOFError, IndexError):
        return PacketFacts(is_random_access=is_keyframe)


def _frames(data: memoryview) -> list[memoryview]:
    marker = data[-1]
    if marker & 0b11100000 == 0b11000000:
        size_bytes, count = (marker >> 3 & 3) + 1, (marker & 7) + 1
        start = len(data) - 2 - size_bytes * count
        if start >= 0 and data[start] == marker:
            frames, position = [], 0
            for index in range(count):
                at = start + 1 + size_bytes * index
                size = int.from_bytes(data[at : at + size_bytes], "little")
                frames.append(data[position : position + size])
                position += size
            if position > start or not all(map(len, frames)):
                raise EOFError
            return frames
    return [data]


def _frame(data: memoryview) -> tuple[int, int, bool]:
    """Return what a frame reads and writes, and whether it is shown."""
    bits = Bits(data[:160], header_bytes=0, is_escaped=False)
    if bits.u(2) != 2:
        raise EOFError
    profile = bits.u(1) | bits.u(1) << 1
    if profile == 3:
        bits.u(1)
    if bits.u(1):  # show_existing_frame; whether it counts as the previous one is disputed
        return 1 << bits.u(3) | _PREVIOUS, _PREVIOUS, True
    is_key, is_shown, is_resilient = not bits.u(1), bool(bits.u(1)), bool(bits.u(1))
    if is_key:
        _sync(bits)
        return 0, _ALL, is_shown
    is_intra = not is_shown and bool(bits.u(1))
    if not is_resilient:
        bits.u(2)
    if is_intra:
        _sync(bits)
        if profile:
            _skip_colours(bits, profile)
    writes = bits.u(8) | _PREVIOUS
    reads = 0 if is_intra else _references(bits)
    bits.u(32 * (is_intra or not reads >> 8))
    bits.u(32 * bits.u(1))  # the size to show
    if not is_intra:
        bits.u(1)
        bits.u(0 if bits.u(1) else 2)
    replaces_context = not is_resilient and bool(bits.u(2) & 2)
    context = 256 << bits.u(2)
    reads &= _ALL_SLOTS
    if _has_segments(bits) or not (is_resilient or is_intra):
        reads |= _PREVIOUS
    if is_resilient:
        return reads, writes | _ALL_CONTEXTS, is_shown
    if is_intra:
        return reads | _ALL_CONTEXTS, writes | _ALL_CONTEXTS, is_shown
    return reads | context, writes | context * replaces_context, is_shown


def _references(bits: Bits) -> int:
    """Return the slots that an inter frame lists; the bit above them: one gives the size, too."""
    slots = 0
    for _ in range(3):
        slots |= 1 << bits.u(3)
        bits.u(1)
    has_size = bits.u(1) or bits.u(1) or bits.u(1)
    return slots | has_size << 8


def _has_segments(bits: Bits) -> bool:
    """Read the loop filter's and the quantizer's parameters, and segmentation_enabled."""
    bits.u(9)
    if bits.u(1) and bits.u(1):
        for _ in range(6):
            bits.u(7 * bits.u(1))
    bits.u(8)
    for _ in range(3):
        bits.u(5 * bits.u(1))
    return bool(bits.u(1))


def _sync(bits: Bits) -> None:
    if bits.u(24) != _SYNC_CODE:
        raise EOFError


def _skip_colours(bits: Bits, profile: int) -> None:
    bits.u(profile >= 2)
    if bits.u(3) != _SRGB:
        bits.u(1)
        bits.u(3 * (profile & 1))
    else:
        bits.u(profile & 1)
