"""Parsers of flat formats: MPEG-TS, FLV, Ogg, IVF, start codes, OBUs, JPEG, GIF, Y4M.

References: ITU-T H.222.0, Adobe's FLV specification, RFC 3533, libvpx (for IVF), ITU-T H.264
Annex B, the AV1 bitstream specification 5.3, ITU-T T.81, GIF89a.
"""

from __future__ import annotations

from tests.fuzz.clip_structure import Layout, Structure


def _ts(data: bytes, structure: Structure) -> None:
    for start in range(0, len(data), 188):
        body = start + 4
        structure.unit(start, body, start + 188)
        structure.big("count", start + 1, 2)  # flags and the packet's stream
        has_adaptation, has_payload = data[start + 3] & 32, data[start + 3] & 16
        if has_adaptation:
            structure.big("size", body, 1)
            if data[body] > 6 and data[body + 1] & 16:
                structure.big("time", body + 2, 6)  # PCR
            body += 1 + data[body]
        if not has_payload or not data[start + 1] & 64 or body + 14 > start + 188:
            continue
        if data[body : body + 3] == b"\0\0\1":
            _pes(data, structure, body)
        else:  # a table: pointer, table id, length, …, entries
            structure.big("size", body, 1)
            structure.big("size", body + 2, 2)
            for position in range(body + 9, min(body + 24, start + 188)):
                structure.big("count", position, 1)


def _pes(data: bytes, structure: Structure, start: int) -> None:
    structure.big("size", start + 4, 2)
    structure.big("size", start + 8, 1)
    structure.big("count", start + 7, 1)
    if data[start + 7] & 128:
        structure.big("time", start + 9, 5)
    if data[start + 7] & 64:
        structure.big("time", start + 14, 5)


def _flv(data: bytes, structure: Structure) -> None:
    structure.unit(0, 9, 13)
    structure.big("size", 5, 4)
    start = 13
    while start + 15 <= len(data):
        size = int.from_bytes(data[start + 1 : start + 4], "big")
        end = min(start + 11 + size + 4, len(data))
        structure.unit(start, start + 11, end)
        structure.big("size", start + 1, 3)
        structure.big("size", end - 4, 4)
        structure.big("time", start + 4, 3)
        structure.big("time", start + 7, 1)
        if data[start] == 9:
            structure.big("count", start + 11, 2)  # frame type, codec, packet type
            structure.big("time", start + 13, 3)  # from decoding to presentation
        start = end


def _ogg(data: bytes, structure: Structure) -> None:
    start = 0
    while data[start : start + 4] == b"OggS":
        segments = data[start + 26]
        body = start + 27 + segments
        end = body + sum(data[start + 27 : body])
        structure.unit(start, body, end)
        structure.little("time", start + 6, 8)
        structure.little("count", start + 14, 4)
        structure.little("count", start + 18, 4)
        structure.little("count", start + 26, 1)
        for position in range(start + 27, min(body, start + 35)):
            structure.little("size", position, 1)
        start = end


def _ivf(data: bytes, structure: Structure) -> None:
    structure.unit(0, 32, 32)
    structure.little("size", 6, 2)
    for start in (16, 20):
        structure.little("time", start, 4)
    structure.little("count", 24, 4)
    start = 32
    while start + 12 <= len(data):
        end = min(start + 12 + int.from_bytes(data[start : start + 4], "little"), len(data))
        structure.unit(start, start + 12, end)
        structure.little("size", start, 4)
        structure.little("time", start + 4, 8)
        start = end


def _startcodes(data: bytes, structure: Structure) -> None:
    """Parse raw H.264, HEVC, MPEG-1, -2, -4, and program streams: units with start codes."""
    start = data.find(b"\0\0\1")
    while start >= 0:
        following = data.find(b"\0\0\1", start + 3)
        end = following if following >= 0 else len(data)
        structure.unit(start, start + 4, end)
        code = data[start + 3]
        if data[:4] == b"\0\0\1\xba" and code >= 0xBA:
            structure.big("size", start + 4, 2)
            if code == 0xBA:
                structure.big("time", start + 4, 6)
            elif code >= 0xE0:
                structure.big("time", start + 9, 5)
                structure.big("time", start + 14, 5)
        else:
            structure.big("count", start + 3, 1)  # the type of the unit
            structure.big("count", start + 4, 2)
        start = following


def _obu(data: bytes, structure: Structure) -> None:
    start = 0
    while start < len(data):
        position = start + (2 if data[start] & 4 else 1)
        size = shift = 0
        size_start = position
        while True:
            size |= (data[position] & 127) << shift
            shift, position = shift + 7, position + 1
            if not data[position - 1] & 128:
                break
        end = min(position + size, len(data))
        structure.unit(start, position, end)
        structure.little("size", size_start, position - size_start)
        structure.big("count", start, 1)
        start = end


def _jpeg(data: bytes, structure: Structure) -> None:
    start = data.find(b"\xff")
    while 0 <= start < len(data) - 3:
        code = data[start + 1]
        if code == 0xDA:  # the scan: coded pixels up to the end of the picture
            end = data.find(b"\xff\xd9", start)
            structure.unit(start, start + 4, end if end >= 0 else len(data))
        elif 0xC0 <= code <= 0xFE and code not in range(0xD0, 0xDA):
            size = int.from_bytes(data[start + 2 : start + 4], "big")
            structure.big("size", start + 2, 2)
            if code in (0xC0, 0xC1, 0xC2):
                structure.big("picture", start + 5, 2)
                structure.big("picture", start + 7, 2)
                structure.big("count", start + 9, 1)
            structure.unit(start, start + 4, min(start + 2 + size, len(data)))
        start = data.find(b"\xff", start + 2)


def _gif(data: bytes, structure: Structure) -> None:
    def after_palette(flags_at: int, after: int) -> int:
        return after + (3 << (data[flags_at] & 7) + 1 if data[flags_at] & 128 else 0)

    def after_blocks(position: int) -> int:
        while data[position]:
            structure.little("size", position, 1)
            position += 1 + data[position]
        return position + 1

    structure.unit(0, 13, after_palette(10, 13))
    structure.little("picture", 6, 2)
    structure.little("picture", 8, 2)
    start = after_palette(10, 13)
    while start < len(data) and data[start] != 0x3B:
        if data[start] == 0x21:
            structure.little("time", start + 4, 2)  # the delay, in a control extension
            end = after_blocks(start + 2)
        else:
            for offset in (1, 3, 5, 7):
                structure.little("picture", start + offset, 2)
            structure.little("count", start + 9, 1)
            end = after_blocks(after_palette(start + 9, start + 10) + 1)
        structure.unit(start, start + 2, end)
        start = end


def _y4m(data: bytes, structure: Structure) -> None:
    start = data.find(b"FRAME")
    structure.unit(0, start, start)
    for word in data[:start].split():
        position = data.find(word)
        kind = {b"W": "picture", b"H": "picture", b"F": "time"}.get(word[:1])
        if kind:
            structure.big("time" if kind == "time" else "picture", position + 1, len(word) - 1)
    while start >= 0:
        following = data.find(b"FRAME", start + 5)
        structure.unit(start, start + 6, following if following >= 0 else len(data))
        start = following


PACKETS: dict[str, Layout] = {
    "ts": _ts,
    "flv": _flv,
    "ogg": _ogg,
    "ivf": _ivf,
    "startcodes": _startcodes,
    "obu": _obu,
    "jpeg": _jpeg,
    "gif": _gif,
    "y4m": _y4m,
}
