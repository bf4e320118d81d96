"""Parsers of nested formats: MP4 and MOV, RIFF (AVI), EBML (Matroska, WebM), ASF, KLV (MXF).

References: ISO/IEC 14496-12, the QuickTime File Format, Microsoft's RIFF and ASF specifications,
RFC 8794 and RFC 9559, SMPTE 377M.
"""

from __future__ import annotations

from tests.fuzz.clip_structure import Layout, Structure

_MP4_PARENTS = b"moov trak mdia minf stbl moof traf mvex edts dinf udta meta".split()
# Full boxes that begin with a count of entries: bytes of an entry, and the kind of its fields.
_MP4_TABLES = {
    b"stts": (8, "time"),
    b"ctts": (8, "time"),
    b"elst": (12, "time"),
    b"stss": (4, "count"),
    b"stsc": (12, "count"),
    b"stco": (4, "size"),
    b"stsd": (86, "size"),
    b"dref": (12, "size"),
}
_MP4_TIMES = {b"mvhd": (12, 16), b"mdhd": (12, 16), b"tkhd": (20,), b"tfdt": (4, 8), b"mehd": (4,)}

_EBML_PARENTS = {
    0x1A45DFA3, 0x18538067, 0x114D9B74, 0x4DBB, 0x1549A966, 0x1654AE6B, 0xAE, 0xE0, 0x1F43B675,
    0xA0, 0x1C53BB6B, 0xBB, 0xB7,
}  # fmt: skip
_EBML_TIMES = {0xE7, 0x2AD7B1, 0x4489, 0x23E383, 0x9B, 0xB3, 0x56AA, 0x56BB}
_EBML_COUNTS = {0xD7, 0x83, 0xF7, 0xF1, 0x5378, 0x73C5, 0x55EE, 0x4286, 0x42F2, 0x42F3}
_EBML_FLAGS = {0xB9, 0x88, 0x55AA, 0x55AE}  # enabled, default, forced, original
_EBML_PICTURE = {0xB0, 0xBA, 0x54B0, 0x54BA, 0x54AA, 0x54BB, 0x54CC, 0x54DD}
_EBML_BLOCKS = {0xA3, 0xA1}


def _mp4(data: bytes, structure: Structure) -> None:
    _mp4_boxes(data, structure, 0, len(data), 0)
    start = data.find(b"mdat") + 4
    if b"avcC" in data or b"hvcC" in data:
        _length_prefixed(data, structure, start, start - 8 + _be(data, start - 8, 4))


def _mp4_boxes(data: bytes, structure: Structure, start: int, stop: int, level: int) -> None:
    while start + 8 <= stop:
        size, name = _be(data, start, 4), data[start + 4 : start + 8]
        if size < 8 or start + size > stop:
            return
        structure.unit(start, start + 8, start + size, level)
        structure.big("size", start, 4)
        body = start + 8
        if name in _MP4_PARENTS:
            _mp4_boxes(data, structure, body, start + size, level + 1)
        elif name == b"stsd":
            # The clips have one entry; boxes such as avcC and colr follow its 78 bytes.
            _mp4_boxes(data, structure, body + 8 + 86, start + size, level + 2)
        _mp4_fields(structure, name, body, start + size)
        start += size


def _mp4_fields(structure: Structure, name: bytes, body: int, stop: int) -> None:
    if name in _MP4_TABLES:
        entry, kind = _MP4_TABLES[name]
        structure.big("count", body + 4, 4)
        for position in range(body + 8, min(stop, body + 8 + 8 * entry), 4 if entry < 86 else 86):
            structure.big("time" if kind == "time" else "count", position, 4)
    for offset in _MP4_TIMES.get(name, ()):
        structure.big("time", body + offset, 4)
    if name == b"hdlr":
        structure.big("flags", body + 8, 4)  # what the track holds
    if name == b"tkhd":
        structure.big("flags", body + 1, 3)  # whether it is enabled
        structure.big("picture", body + 76, 4)
        structure.big("picture", body + 80, 4)
        for offset in range(40, 76, 4):  # the display matrix
            structure.big("picture", body + offset, 4)
    elif name == b"stsz":
        for position in range(body + 4, min(stop, body + 60), 4):
            structure.big("count", position, 4)
    elif name == b"trun":
        structure.big("count", body + 4, 4)
        structure.big("size", body + 8, 4)
        for position in range(body + 12, min(stop, body + 60), 4):
            structure.big("time", position, 4)
    elif name in (b"tfhd", b"trex"):
        for position in range(body + 4, stop, 4):
            structure.big("count", position, 4)


def _length_prefixed(data: bytes, structure: Structure, start: int, stop: int) -> None:
    """Parse NAL units with length prefixes, the samples of H.264 and HEVC."""
    while start + 4 < stop:
        size = _be(data, start, 4)
        structure.unit(start, start + 4, min(start + 4 + size, stop), 1)
        structure.big("size", start, 4)
        start += 4 + size


def _riff(
    data: bytes, structure: Structure, start: int = 0, stop: int = -1, level: int = 0
) -> None:
    stop = len(data) if stop < 0 else stop
    while start + 8 <= stop:
        name, size = data[start : start + 4], int.from_bytes(data[start + 4 : start + 8], "little")
        body, end = start + 8, min(start + 8 + size, stop)
        structure.unit(start, body, end, level)
        structure.little("size", start + 4, 4)
        if name in (b"RIFF", b"LIST"):
            _riff(data, structure, body + 4, end, level + 1)
        elif name == b"avih":
            structure.little("time", body, 4)
            for offset in (16, 24, 28):
                structure.little("count", body + offset, 4)
            for offset in (32, 36):
                structure.little("picture", body + offset, 4)
        elif name == b"strh":
            for offset in (16, 20, 24, 28, 32):
                structure.little("time", body + offset, 4)
            for offset in (36, 44):
                structure.little("size", body + offset, 4)
        elif name == b"strf":
            structure.little("size", body, 4)
            for offset in (4, 8):
                structure.little("picture", body + offset, 4)
            for offset in (12, 14):
                structure.little("count", body + offset, 2)
            structure.little("count", body + 32, 4)
        elif name == b"idx1":
            for position in range(body + 8, min(end, body + 80), 4):
                structure.little("size", position, 4)
        start = end + size % 2


def _ebml(
    data: bytes, structure: Structure, start: int = 0, stop: int = -1, level: int = 0
) -> None:
    stop = len(data) if stop < 0 else stop
    while start < stop:
        id_size = _vint_size(data[start])
        name, after_id = _be(data, start, id_size), start + id_size
        if after_id >= stop:
            return
        size_size = _vint_size(data[after_id])
        size = _be(data, after_id, size_size) & ((1 << 7 * size_size) - 1)
        body = after_id + size_size
        end = min(body + size, stop)
        structure.unit(start, body, end, level)
        structure.big("size", after_id, size_size)
        if name in _EBML_PARENTS:
            _ebml(data, structure, body, end, level + 1)
        elif name in _EBML_TIMES:
            structure.big("time", body, end - body)
        elif name in _EBML_COUNTS:
            structure.big("count", body, end - body)
        elif name in _EBML_FLAGS:
            structure.big("flags", body, end - body)
        elif name in _EBML_PICTURE:
            structure.big("picture", body, end - body)
        elif name in _EBML_BLOCKS:
            structure.big("time", body + 1, 2)
            structure.big("count", body + 3, 1)  # flags, such as lacing
        start = end


def _vint_size(first: int) -> int:
    return max(9 - first.bit_length(), 1) if first else 8


def _asf(data: bytes, structure: Structure) -> None:
    _asf_objects(data, structure, 0, len(data), 0)


def _asf_objects(data: bytes, structure: Structure, start: int, stop: int, level: int) -> None:
    while start + 24 <= stop:
        size = int.from_bytes(data[start + 16 : start + 24], "little")
        end = start + size
        if size < 24 or end > stop:
            return
        structure.unit(start, start + 24, end, level)
        structure.little("size", start + 16, 8)
        guid = data[start : start + 4]
        if guid == bytes.fromhex("3026b275"):  # header: a count of objects, then the objects
            structure.little("count", start + 24, 4)
            _asf_objects(data, structure, start + 30, end, level + 1)
        elif guid == bytes.fromhex("a1dcab8c"):  # file properties
            for offset in (56, 64, 72):
                structure.little("time", start + offset, 8)
            for offset in (92, 96):
                structure.little("size", start + offset, 4)
        elif guid == bytes.fromhex("9107dcb7"):  # stream properties
            for offset in (64, 68):
                structure.little("size", start + offset, 4)
            for offset in (78, 82, 93, 97):
                structure.little("picture", start + offset, 4)
        elif guid == bytes.fromhex("3626b275"):  # data: packets
            structure.little("count", start + 40, 8)
            for position in range(start + 50, min(end, start + 150), 2):
                structure.little("time", position, 4)
        start = end


def _klv(data: bytes, structure: Structure) -> None:
    start = 0
    while start + 17 < len(data):
        length = data[start + 16]
        extra = length & 127 if length & 128 else 0
        size = _be(data, start + 17, extra) if extra else length
        body = start + 17 + extra
        end = min(body + size, len(data))
        structure.unit(start, body, end)
        structure.big("size", start + 16, 1 + extra)
        is_local_set = data[start + 4 : start + 6] == b"\x02\x53"
        position = body
        while is_local_set and position + 4 < end:  # tag, size, value
            value_size = _be(data, position + 2, 2)
            structure.unit(position, position + 4, min(position + 4 + value_size, end), 1)
            structure.big("size", position + 2, 2)
            if value_size in (2, 4, 8):
                structure.big("count" if value_size < 8 else "time", position + 4, value_size)
            position += 4 + value_size
        start = end


def _be(data: bytes, start: int, size: int) -> int:
    return int.from_bytes(data[start : start + size], "big")


BOXES: dict[str, Layout] = {"mp4": _mp4, "riff": _riff, "ebml": _ebml, "asf": _asf, "klv": _klv}
