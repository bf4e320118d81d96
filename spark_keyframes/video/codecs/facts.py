"""Properties of a packet, and which packets a set of frames needs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

FIELDS = "fields may be coded separately"
"""`PacketFacts.problem` of H.264 and MPEG-2: two packets may hold one frame."""

SEQUENCE = "the sequence header changes"
"""The same, of MPEG-1 and MPEG-2: the size of the frames may change with this packet."""

SEQUENCES = "the sequence header changes, and a keyframe has none"
"""The same: which header a GOP has depends on what was decoded before."""

LOST_KEYFRAME = "leading frames lack their keyframe"
"""`PacketFacts.problem` of HEVC: the decoder does not return the frame."""

ALWAYS = 1 << 15
"""Bit of `PacketFacts.writes`: the decoder must get the packet, whatever is wanted."""

LATEST = 1
"""Bit of a decoder's memory that has only the latest reference frame."""

EVERYTHING = ALWAYS - 1
"""`PacketFacts.reads` of a packet that may depend on all earlier ones."""


@dataclass(frozen=True, slots=True)
class PacketFacts:
    """Properties of a packet, read from its bytes."""

    is_random_access: bool = False
    """Whether decoding may start here, with every later frame in presentation order exact."""
    is_reset: bool = False
    """H.264 and HEVC: whether the decoder also returns all earlier frames first, and keeps none of
    them."""
    is_shown: bool = True
    """Whether the packet yields a frame that is presented."""
    is_first_field: bool = False
    """H.264: whether the packet holds one field, and the next one may complete its frame."""
    continues: bool = False
    """H.264: whether the packet completes the frame of the packet before it."""
    temporal_layer: int = 0
    """HEVC's TemporalId: frames may only refer to the same or lower layers."""
    reads: int = EVERYTHING
    """Bits of the decoder's memory, such as its reference frames, that are used."""
    writes: int = ALWAYS
    """Bits of the decoder's memory that are replaced."""
    problem: str = ""
    """Why the packets around this one cannot be trusted; empty if nothing speaks against it."""


def facts_of_frames(frames: Iterable[tuple[int, int, bool]], *, is_keyframe: bool) -> PacketFacts:
    """Return the properties of a packet by what its frames read and write, and which are shown."""
    reads = writes = shown = 0
    for frame_reads, frame_writes, is_shown in frames:
        reads |= frame_reads & ~writes
        writes |= frame_writes
        shown += is_shown
    return PacketFacts(
        is_random_access=is_keyframe and not reads,
        is_shown=shown > 0,
        reads=reads,
        writes=writes,
        problem="a packet holds several frames" if shown > 1 else "",
    )


def state_of(facts: PacketFacts) -> int:
    """Return what a packet reads and writes as one number of 32 bits, for a table."""
    return facts.writes << 16 | facts.reads


def needed_of(states: Sequence[int], wanted: Collection[int]) -> list[bool]:
    """Return which of the packets the decoder must get for the wanted ones.

    Args:
        states: of consecutive packets, see `state_of`; decoding begins with the first.
        wanted: positions in `states`.
    """
    needed = [False] * len(states)
    live = ALWAYS
    for index in range(len(states) - 1, -1, -1):
        reads, writes = states[index] & 0xFFFF, states[index] >> 16
        if index in wanted or writes & live:
            needed[index] = True
            live = live & ~writes | reads | ALWAYS
    return needed
