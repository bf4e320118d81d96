"""Mutations of clips. An input is named pair:mutation:seed; the name alone reproduces it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tests.fuzz.clip_structure import Field, Kind, Structure, Unit, parse_structure
from tests.fuzz.pairs import PAIRS, clip_of
from tests.fuzz.picture_sizes import SizeSite, size_sites, with_size

_HEADER = 512
"""Bytes at the start of a clip that count as header, and size of the largest header unit."""

# Another codec name in the container makes FFmpeg use the wrong decoder.
_FOURCCS = (
    b"avc1 hev1 mp4v vp08 vp09 av01 apcn apch jpeg mjp2 H264 FMP4 MJPG DIVX XVID WMV1 WMV2 WMV3 "
    b"VP80 VP90 AV01 FFV1 HFYU SVQ1 SVQ3 cvid IV50 MSVC rle png RV20 RV40 dvc mpg2 theo VP60 VP6F "
    b"drac AVdn CFHD UTVD MP42 H263 h263 MPG1 LAGS ZLIB tscc G2M2 HAP1 icod xith"
).split()
_MATROSKA_CODECS = (
    b"V_MPEG4/ISO/AVC V_MPEGH/ISO/HEVC V_MPEG2 V_VP8 V_VP9 V_AV1 V_FFV1 V_MJPEG V_THEORA V_PRORES "
    b"V_SNOW V_DIRAC V_REAL/RV20 V_REAL/RV40 V_UNCOMPRESSED V_MPEG4/ISO/ASP V_MPEG4/MS/V3"
).split()


@dataclass(frozen=True)
class ParsedClip:
    """A clip and its structure."""

    data: bytes
    structure: Structure

    @functools.cached_property
    def header_units(self) -> list[Unit]:
        """Small units: most hold parameters and tables, not coded frames."""
        return [u for u in self.structure.units if u.stop - u.start <= _HEADER]


@functools.cache
def _parsed(pair: str) -> ParsedClip:
    data = clip_of(pair)
    return ParsedClip(data, parse_structure(data, PAIRS[pair].layout))


@functools.cache
def _size_sites(pair: str) -> list[SizeSite]:
    return size_sites(clip_of(pair), pair.split("-")[0])


def mutated(name: str) -> bytes:
    """Return the input with this name."""
    pair, mutation, _ = name.split(":")
    # Random hashes a string seed with SHA-512, so it is the same on every machine.
    random = Random(name)
    data = clip_of(pair)
    while data == clip_of(pair):
        data = MUTATIONS[mutation](random, _parsed(pair), pair)
    # FFmpeg drops Ogg pages with a wrong checksum without parsing them.
    return _with_page_checksums(data) if pair.endswith("-ogg") and random.random() < 0.7 else data


def _flipped(random: Random, data: bytes, positions: range, count: int) -> bytes:
    changed = bytearray(data)
    for _ in range(count):
        changed[random.choice(positions)] ^= 1 << random.randrange(8)
    return bytes(changed)


def _sparse_flips(random: Random, clip: ParsedClip, _: str) -> bytes:
    return _flipped(random, clip.data, range(len(clip.data)), random.randint(1, 8))


def _dense_flips(random: Random, clip: ParsedClip, _: str) -> bytes:
    start, stop = _range(random, clip.data, random.choice([16, 64, 256, 1024]))
    return _flipped(random, clip.data, range(start, stop), (stop - start) // random.choice([1, 8]))


def _header_flips(random: Random, clip: ParsedClip, _: str) -> bytes:
    data = clip.data
    for _i in range(random.randint(1, 4)):
        unit = random.choice(clip.header_units or clip.structure.units)
        stop = unit.stop if random.random() < 0.7 else max(unit.body, unit.start + 1)
        data = _flipped(random, data, range(unit.start, stop), random.randint(1, 2))
    return data


def _payload_flips(random: Random, clip: ParsedClip, _: str) -> bytes:
    data = clip.data
    largest = sorted(clip.structure.units, key=lambda unit: unit.body - unit.stop)[:32]
    for _i in range(random.randint(1, 8)):
        unit = random.choice(largest)
        data = _flipped(random, data, range(unit.start, unit.stop), random.randint(1, 16))
    return data


def _truncated(random: Random, clip: ParsedClip, _: str) -> bytes:
    data = clip.data
    if random.random() < 0.3:
        cut = random.choice(clip.structure.units).start
    else:
        cut = random.randrange(len(data))
    kind = random.random()
    if kind < 0.6:
        return data[:cut]
    if kind < 0.8:
        return data[cut:]
    return data[:cut] + bytes(len(data) - cut)  # like an unfinished copy of a preallocated file


def _noise(random: Random, clip: ParsedClip, _: str) -> bytes:
    data = clip.data
    for _i in range(random.randint(1, 3)):
        start, stop = _range(random, data, random.choice([4, 32, 256, 2048]))
        fill = random.choice([random.randbytes(stop - start), bytes(stop - start)])
        fill = b"\xff" * (stop - start) if random.random() < 0.2 else fill
        data = data[:start] + fill + data[stop:]
    return data


def _shifted(random: Random, clip: ParsedClip, _: str) -> bytes:
    """Remove bytes, or duplicate them elsewhere."""
    data = clip.data
    start, stop = _range(random, data, random.choice([1, 2, 5, 64, 1000]))
    position = random.randrange(len(data))
    without = data[:start] + data[stop:]
    return random.choice([without, data[:position] + data[start:stop] + data[position:]])


def _removed_box(random: Random, clip: ParsedClip, _: str) -> bytes:
    unit = random.choice(clip.structure.units)
    return clip.data[: unit.start] + clip.data[unit.stop :]


def _duplicated_box(random: Random, clip: ParsedClip, _: str) -> bytes:
    unit = random.choice(clip.structure.units)
    copies = random.choice([1, 1, 2, 10, 100])
    copy = clip.data[unit.start : unit.stop] * min(copies, 200_000 // len(clip.data) + 1)
    return clip.data[: unit.stop] + copy + clip.data[unit.stop :]


def _reordered_box(random: Random, clip: ParsedClip, _: str) -> bytes:
    a, b = random.choice(clip.structure.units), random.choice(clip.structure.units)
    a, b = sorted((a, b), key=lambda unit: unit.start)
    d = clip.data
    if a.stop > b.start:  # b is inside a: move it behind a
        return d[: b.start] + d[b.stop : a.stop] + d[b.start : b.stop] + d[a.stop :]
    return (
        d[: a.start] + d[b.start : b.stop] + d[a.stop : b.start] + d[a.start : a.stop] + d[b.stop :]
    )


def _spliced_box(random: Random, clip: ParsedClip, pair: str) -> bytes:
    """Insert a unit of another clip before a unit of this clip, or in its place."""
    layout = PAIRS[pair].layout
    same = [other for other in PAIRS if PAIRS[other].layout == layout and other != pair]
    other = _parsed(random.choice(same if same and random.random() < 0.8 else list(PAIRS)))
    unit = random.choice(other.structure.units)
    target = random.choice([u for u in clip.structure.units if u.level == unit.level] or [unit])
    after = target.stop if random.random() < 0.5 else target.start
    return clip.data[: target.start] + other.data[unit.start : unit.stop] + clip.data[after:]


def _wrong(kind: Kind) -> Mutation:
    def mutation(random: Random, clip: ParsedClip, _: str) -> bytes:
        fields = clip.structure.of_kind(kind)
        data = clip.data
        for _i in range(random.choice([1, 1, 1, 2, 5])):
            data = _with_wrong_value(
                random, data, random.choice(fields) if fields else _any(random, data)
            )
        return data

    return mutation


def _any(random: Random, data: bytes) -> Field:
    """Return some bytes near the start, for a format without a parser."""
    start = random.randrange(min(_HEADER, len(data) - 8))
    order = "big" if random.random() < 0.5 else "little"
    return Field(start, start + random.choice([1, 2, 4, 8]), "size", order)


def _with_wrong_value(random: Random, data: bytes, field: Field) -> bytes:
    size = field.stop - field.start
    if not size:
        return data
    largest = (1 << 8 * size) - 1
    right = int.from_bytes(data[field.start : field.stop], field.order)
    wrong = random.choice(
        [
            *(0, 1, 7, 8, largest, largest - 1, largest >> 1, (largest >> 1) + 1, largest >> 4),
            *(right + 1, right - 1, right * 2, right // 2, right ^ 1 << random.randrange(8 * size)),
            *(len(data), random.randint(0, largest), 1 << random.randrange(8 * size)),
        ]
    )
    return _with_number(data, field, wrong)


def _with_number(data: bytes, field: Field, number: int) -> bytes:
    """Write the low bytes of a number into a field."""
    size = field.stop - field.start
    low = number & (1 << 8 * size) - 1
    return data[: field.start] + low.to_bytes(size, field.order) + data[field.stop :]


def _inflated(random: Random, clip: ParsedClip, _: str) -> bytes:
    """Let a table claim many entries, for which a demuxer may build an index of gigabytes."""
    data = clip.data
    count = random.choice([10**4, 10**5, 10**6, 10**7, 5 * 10**7])
    # MP4: `count` samples of one byte, all in one chunk, or in one fragment.
    for name, numbers in (
        (b"stsz", {4: 1, 8: count}),
        (b"stsc", {12: count}),
        (b"stts", {8: count}),
        (b"trun", {0: 1, 4: count}),
    ):
        box = data.find(name) + 4
        if box > 4 and random.random() < 0.8:
            for offset, number in numbers.items():
                data = _with_number(data, Field(box + offset, box + offset + 4, "count"), number)
    fields = clip.structure.of_kind("count")
    while data == clip.data:
        field = random.choice(fields) if fields else _any(random, data)
        data = _with_number(data, field, count)
    return data


def _decoding_times(random: Random, clip: ParsedClip, pair: str) -> bytes:
    """Remove the times of presentation: `ctts` of MP4 and its edit list, or those of FLV."""
    data = clip.data
    for name in (b"ctts", b"edts"):
        if random.random() < 0.8:
            data = data.replace(name, b"free")
    if PAIRS[pair].layout == "flv":
        for unit in clip.structure.units:
            if data[unit.start] == 9 and random.random() < 0.95:
                field = Field(unit.body + 2, unit.body + 5, "time")
                data = _with_number(data, field, 0)
    return data if data != clip.data else _jump(random, clip, pair)


def _jump(random: Random, clip: ParsedClip, pair: str) -> bytes:
    """Add the same number to all times from some place on."""
    fields = clip.structure.of_kind("time")
    if not fields:
        return _wrong("time")(random, clip, pair)
    first = random.choice(fields)
    by = random.choice([-1, 1]) << random.randrange(8 * (first.stop - first.start) or 1)
    data = clip.data
    for field in fields:
        if field.start >= first.start and field.stop - field.start == first.stop - first.start:
            number = int.from_bytes(data[field.start : field.stop], field.order)
            data = _with_number(data, field, number + by)
    return data


def _picture_size(random: Random, clip: ParsedClip, pair: str) -> bytes:
    data = clip.data
    sites, fields = _size_sites(pair), clip.structure.of_kind("picture")
    for _i in range(random.choice([1, 1, 2, 8])):
        if sites and (not fields or random.random() < 0.7):
            data = with_size(data, random.choice(sites), random)
        else:
            data = _with_wrong_value(
                random, data, random.choice(fields) if fields else _any(random, data)
            )
    return data


def _renamed_codec(random: Random, clip: ParsedClip, pair: str) -> bytes:
    data = clip.data
    for names, padding in ((_FOURCCS, b" "), (_MATROSKA_CODECS, b"\0")):
        found = [name for name in names if name in data]
        if found:
            old, new = random.choice(found), random.choice(names)
            data = data.replace(old, new[: len(old)].ljust(len(old), padding))
    return data if data != clip.data else _wrong("count")(random, clip, pair)


def _glued(random: Random, clip: ParsedClip, pair: str) -> bytes:
    """Combine two files: one after the other, one inside the other, or half of each."""
    a = clip.data
    b = clip_of(random.choice([other for other in PAIRS if other != pair]))
    cut, other_cut = random.randrange(len(a)), random.randrange(len(b))
    return random.choice([a + b, a[:cut] + b + a[cut:], a[:cut] + b[other_cut:]])


def _stacked(random: Random, clip: ParsedClip, pair: str) -> bytes:
    """Apply any mutation, then two that do not depend on the format."""
    names = [name for name in MUTATIONS if name != "stacked"]
    data = MUTATIONS[random.choice(names)](random, clip, pair)
    for name in random.sample(("sparse-flips", "dense-flips", "truncated", "noise", "shifted"), 2):
        if len(data) > 16:
            units = [unit for unit in clip.structure.units if unit.stop <= len(data)]
            structure = Structure(units or [Unit(0, 0, len(data))])
            data = MUTATIONS[name](random, ParsedClip(data, structure), pair)
    return data


def _range(random: Random, data: bytes, most: int) -> tuple[int, int]:
    start = random.randrange(len(data))
    return start, min(start + random.randint(1, most), len(data))


def _with_page_checksums(data: bytes) -> bytes:
    """Return Ogg pages with correct checksums (RFC 3533 6)."""
    parts = data.split(b"OggS")
    pages = [parts[0]]
    for part in parts[1:]:
        page = b"OggS" + part
        crc = 0
        for byte in page[:22] + bytes(4) + page[26:]:
            crc = (crc << 8 & 0xFFFFFFFF) ^ _CRC[crc >> 24 ^ byte]
        pages.append(page[:22] + crc.to_bytes(4, "little") + page[26:] if part[18:] else page)
    return b"".join(pages)


def _crc_entry(byte: int) -> int:
    crc = byte << 24
    for _ in range(8):
        crc = (crc << 1 & 0xFFFFFFFF) ^ (0x04C11DB7 if crc >> 31 else 0)
    return crc


_CRC = [_crc_entry(byte) for byte in range(256)]

Mutation = Callable[[Random, ParsedClip, str], bytes]

MUTATIONS: dict[str, Mutation] = {
    "sparse-flips": _sparse_flips,
    "dense-flips": _dense_flips,
    "header-flips": _header_flips,
    "payload-flips": _payload_flips,
    "truncated": _truncated,
    "noise": _noise,
    "shifted": _shifted,
    "removed-box": _removed_box,
    "duplicated-box": _duplicated_box,
    "reordered-box": _reordered_box,
    "spliced-box": _spliced_box,
    "wrong-size": _wrong("size"),
    "wrong-count": _wrong("count"),
    "wrong-time": _wrong("time"),
    "wrong-flags": _wrong("flags"),
    "decoding-times": _decoding_times,
    "jump": _jump,
    "inflated": _inflated,
    "picture-size": _picture_size,
    "renamed-codec": _renamed_codec,
    "glued": _glued,
    "stacked": _stacked,
}
