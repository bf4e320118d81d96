"""Edits the parts of MP4, Matroska, MPEG-TS and ASF files."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

Edit = Callable[[bytes], bytes]

_TRACKS = bytes.fromhex("1654ae6b")
_TRACK = b"\xae"


def boxes(data: bytes, start: int = 0) -> Iterator[tuple[bytes, bytes]]:
    """Yield the type and the bytes of each MP4 box."""
    while start < len(data):
        stop = start + int.from_bytes(data[start : start + 4], "big")
        yield data[start + 4 : start + 8], data[start:stop]
        start = stop


def box(kind: bytes, *parts: bytes) -> bytes:
    """Return an MP4 box."""
    content = b"".join(parts)
    return (8 + len(content)).to_bytes(4, "big") + kind + content


def edited(data: bytes, path: list[bytes], edit: Edit) -> bytes:
    """Return an MP4 file, or a box of it, with the boxes at a path edited."""
    header = 0 if data[4:8] == b"ftyp" else 8
    parts = [
        part if kind != path[0] else (edited(part, path[1:], edit) if len(path) > 1 else edit(part))
        for kind, part in boxes(data, header)
    ]
    return b"".join(parts) if header == 0 else box(data[4:8], *parts)


SAMPLE_ENTRIES = [b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd"]


def in_sample_entry(data: bytes, extra: bytes) -> bytes:
    """Return an MP4 whose index comes last, with a box added to its only sample entry."""

    def add(entries: bytes) -> bytes:
        (kind, entry), *_ = boxes(entries, 16)
        return box(b"stsd", entries[8:16], box(kind, entry[8:], extra))

    return edited(data, SAMPLE_ENTRIES, add)


def element(kind: bytes, *parts: bytes) -> bytes:
    """Return a Matroska element, with its size in 8 bytes."""
    content = b"".join(parts)
    return kind + b"\x01" + len(content).to_bytes(7, "big") + content


def in_track(data: bytes, extra: bytes) -> bytes:
    """Return a Matroska file, made with the muxer's option `live`, with elements in its track."""
    found = re.search(rb"(?<!\x53\xab\x84)\x16\x54\xae\x6b", data)  # not the entry of the index
    assert found
    start = found.start()
    size_bytes = 9 - data[start + 4].bit_length()
    first = start + 4 + size_bytes
    size = int.from_bytes(data[start + 4 : first], "big") & (1 << 7 * size_bytes) - 1
    content = data[first : first + size]
    track = content.index(_TRACK + b"\x01")
    tracks = element(_TRACKS, element(_TRACK, content[track + 9 :], extra))
    return data[:start] + tracks + data[first + size :]


def with_stream_type(data: bytes, kind: int) -> bytes:
    """Return an MPEG-TS whose only stream has another type in its program map."""
    packets = [bytearray(data[at : at + 188]) for at in range(0, len(data), 188)]
    for packet in packets:
        if packet[1] & 0x1F == 0x10 and packet[2] == 0:  # the map's PID is 0x1000
            section = packet[5:]
            length = 3 + (int.from_bytes(section[1:3], "big") & 0xFFF)
            section[12 + (section[11] & 0xF)] = kind
            section[length - 4 : length] = _crc(section[: length - 4]).to_bytes(4, "big")
            packet[5:] = section
    return b"".join(packets)


def _crc(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc >> 31 else 0)) & 0xFFFFFFFF
    return crc


def scrambled(data: bytes) -> bytes:
    """Return an MPEG-TS whose video packets are scrambled."""
    result = bytearray(data)
    for at in range(0, len(data), 188):
        if int.from_bytes(data[at + 1 : at + 3], "big") & 0x1FFF == 0x100:
            start = at + 4 + (1 + data[at + 4] if data[at + 3] & 0x20 else 0)
            result[at + 3] |= 0x80
            result[start : at + 188] = bytes(
                byte ^ (37 * n + 11) % 256 for n, byte in enumerate(data[start : at + 188])
            )
    return bytes(result)


def in_flv(data: bytes, script: bytes) -> bytes:
    """Return an FLV file with a script tag added at its beginning."""
    tag = b"\x12" + len(script).to_bytes(3, "big") + bytes(7) + script
    return data[:13] + tag + len(tag).to_bytes(4, "big") + data[13:]


def in_asf_header(data: bytes, extra: bytes) -> bytes:
    """Return an ASF file with an object added to its header."""
    size = int.from_bytes(data[16:24], "little") + len(extra)
    count = int.from_bytes(data[24:28], "little") + 1
    header = size.to_bytes(8, "little") + count.to_bytes(4, "little")
    return data[:16] + header + data[28:30] + extra + data[30:]
