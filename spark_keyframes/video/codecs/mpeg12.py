"""Reads from MPEG-1 and MPEG-2 whether fields are coded alone, and where the sequence changes.

References: ISO/IEC 11172-2 2.4.2.3; ITU-T H.262 6.2.2.1, 6.2.2.3, 6.2.3.1.
"""

from __future__ import annotations

from spark_keyframes.video.codecs.facts import FIELDS, SEQUENCE, SEQUENCES, PacketFacts

_HEAD = 512  # bytes of a packet that are read
_EXTENSION = b"\0\0\1\xb5"


class Mpeg12:
    """Reads the packets of a stream in turn.

    FFmpeg drops the frame that it still holds where the size of the frames changes.

    Args:
        extradata: of the container.
        has_fields: whether a packet may hold a field alone, as in MPEG-2.
    """

    def __init__(self, extradata: bytes | None, *, has_fields: bool) -> None:
        self._has_fields = has_fields
        self._sequence = _sequence_of(extradata or b"")
        self._is_first = True
        self._has_changed = False
        self._is_lacking = False
        """Whether a GOP has no header, so that it takes that of the GOP decoded before."""

    def facts(self, data: memoryview | bytes, *, is_keyframe: bool) -> PacketFacts:
        """Return the properties of the next packet in decode order."""
        head = bytes(data[:_HEAD])
        problem = FIELDS if self._has_fields and _is_field(head) else ""
        sequence = _sequence_of(head)
        if sequence:
            if sequence != self._sequence and self._sequence and not self._is_first:
                problem, self._has_changed = problem or SEQUENCE, True
            self._sequence = sequence
        self._is_lacking |= is_keyframe and not sequence
        self._is_first = False
        if self._has_changed and self._is_lacking:
            problem = SEQUENCES
        return PacketFacts(is_random_access=is_keyframe, problem=problem)


def _sequence_of(head: bytes) -> bytes:
    """Return what a sequence header tells of size, rate and delay; empty if there is none."""
    at = head.find(b"\0\0\1\xb3")
    if at < 0:
        return b""
    found = head[at + 4 : at + 8]
    extension = head.find(_EXTENSION, at)
    if extension >= 0 and head[extension + 4 : extension + 5].hex()[:1] == "1":
        # Without the rate of bits and the size of the buffer, which matter to nobody here.
        more = head[extension + 4 : extension + 10]
        found += more[:2] + bytes(byte & 0xE0 for byte in more[2:3]) + more[5:]
    return found


def _is_field(head: bytes) -> bool:
    extension = head.find(_EXTENSION)
    while extension >= 0 and extension + 6 < len(head):
        if head[extension + 4] >> 4 == 8:  # the picture coding extension
            return head[extension + 6] & 3 != 3
        extension = head.find(_EXTENSION, extension + 4)
    return True
