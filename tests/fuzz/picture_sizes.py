"""Finds the places where a clip stores its frame size, and writes wrong sizes there.

Most containers store it in whole bytes. Codecs store it in bits, which are found by the bits around
them, or by parsing the parameter set from its start.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from tests.fuzz.pairs import SIZE

_WIDTH, _HEIGHT = SIZE
_SHIFTED_BYTES = 16
"""Bytes of a parameter set that are shifted if a number gets longer; the end is cut off."""


@dataclass(frozen=True)
class SizeSite:
    """A place where the frame size is stored."""

    numbers: tuple[tuple[int, int], ...]
    """First bit and length in bits of each number; negative for two Exp-Golomb codes."""


def _golomb(number: int) -> str:
    """Return the Exp-Golomb code, ue(v) of ITU-T H.264 9.1."""
    return f"{number + 1:0{2 * (number + 1).bit_length() - 1}b}"


# By codec: the bits of 64×48, and the first bit and length of each number in them.
_IN_BITS = {
    "mpeg1": (f"{0x1B3:032b}{_WIDTH:012b}{_HEIGHT:012b}", ((32, 12), (44, 12))),
    "mpeg2": (f"{0x1B3:032b}{_WIDTH:012b}{_HEIGHT:012b}", ((32, 12), (44, 12))),
    "mpeg4": (f"1{_WIDTH:013b}1{_HEIGHT:013b}1", ((1, 13), (15, 13))),
    "flv1": (f"000{_WIDTH:08b}{_HEIGHT:08b}", ((0, 3), (3, 8), (11, 8))),
    "vp9": (f"{0x498342:024b}0000{_WIDTH - 1:016b}{_HEIGHT - 1:016b}", ((28, 16), (44, 16))),
    "av1": (f"01010101{_WIDTH - 1:06b}{_HEIGHT - 1:06b}", ((0, 4), (4, 4), (8, 6), (14, 6))),
    "hevc": (_golomb(_WIDTH) + _golomb(_HEIGHT), ((0, -24),)),
}


def size_sites(data: bytes, codec: str) -> list[SizeSite]:
    """Return all places that look like a frame size; `codec` is the first part of a pair's name."""
    bits = _bits_of(data)
    sites = [
        SizeSite(tuple((start * 8 + 8 * size * i, size * 8) for i in (0, 1)))
        for order in ("big", "little")
        for size in (2, 4)
        for pair in (SIZE, SIZE[::-1])
        for start in _all(data, b"".join(n.to_bytes(size, order) for n in pair))
    ]
    if codec in _IN_BITS:
        pattern, numbers = _IN_BITS[codec]
        for start in _all(bits, pattern)[:20]:
            sites.append(SizeSite(tuple((start + offset, size) for offset, size in numbers)))
    elif codec == "h264":
        # H.264 counts macroblocks, and the codes are too short to search for.
        short = _golomb(_WIDTH // 16 - 1) + _golomb(_HEIGHT // 16 - 1)
        for start in _all(data, b"\x67\x64"):
            position = _after(bits, start * 8 + 32, "gggg11gggg1")
            if bits.startswith(short, position):
                sites.append(SizeSite(((position, -len(short)),)))
    return sites


def with_size(data: bytes, site: SizeSite, random: Random) -> bytes:
    """Return the clip with another size at this place."""
    bits = _bits_of(data)
    for position, size in site.numbers:
        if size > 0:
            largest = (1 << size) - 1
            middle = 1 << size - 1
            number = random.choice([0, 1, largest, middle, middle - 1, random.randint(0, largest)])
            bits = bits[:position] + f"{number:0{size}b}" + bits[position + size :]
        else:
            end = min(position + _SHIFTED_BYTES * 8, len(bits))
            numbers = random.choices([0, 1, 16, 511, 1023, 4096, 2**16, 2**20, 2**32 - 2], k=2)
            longer = "".join(map(_golomb, numbers)) + bits[position - size : end]
            bits = bits[:position] + longer[: end - position] + bits[end:]
    return int(bits, 2).to_bytes(len(data), "big")


def _after(bits: str, position: int, syntax: str) -> int:
    """Return the position after Exp-Golomb codes (g) and single bits (1)."""
    for element in syntax:
        zeros = bits.find("1", position) - position if element == "g" else 0
        position += 2 * zeros + 1
    return position


def _bits_of(data: bytes) -> str:
    return f"{int.from_bytes(data, 'big'):0{len(data) * 8}b}"


def _all(text: str | bytes, part: str | bytes) -> list[int]:
    found = []
    position = text.find(part)  # type: ignore[arg-type]
    while position >= 0:
        found.append(position)
        position = text.find(part, position + 1)  # type: ignore[arg-type]
    return found
