"""Reads headers of coded frames bit by bit."""

from __future__ import annotations

_MOST_BYTES = 512  # of a unit that are read


class Bits:
    """The payload of a NAL unit of H.264 or HEVC after its header, or the header of another codec.

    With `is_escaped`, a byte 3 after two zeros is left out, as NAL units need.

    The methods have the names of the H.264 specification: `u` reads an unsigned integer of fixed
    length, `ue` and `se` read unsigned and signed Exp-Golomb codes. At the end they raise EOFError.
    """

    def __init__(
        self, unit: memoryview | bytes, *, header_bytes: int = 1, is_escaped: bool = True
    ) -> None:
        payload = bytes(unit[header_bytes:_MOST_BYTES])
        if is_escaped:
            payload = payload.replace(b"\0\0\3", b"\0\0")
        self._value = int.from_bytes(payload, "big")
        self._left = len(payload) * 8

    def u(self, count: int) -> int:
        """Read an unsigned integer of `count` bits."""
        self._left -= count
        if self._left < 0:
            raise EOFError
        return self._value >> self._left & ((1 << count) - 1)

    def ue(self) -> int:
        """Read an unsigned Exp-Golomb code."""
        zeros = 0
        while not self.u(1):
            zeros += 1
        return (1 << zeros) - 1 + self.u(zeros)

    def se(self) -> int:
        """Read a signed Exp-Golomb code."""
        code = self.ue()
        return (code + 1) // 2 if code & 1 else -(code // 2)
