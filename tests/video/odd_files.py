"""Files whose packets have any times, in any order: Matroska, FLV and MPEG-TS, written by hand."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, replace

import av

MATROSKA_IDS = {
    "h264": "V_MPEG4/ISO/AVC",
    "hevc": "V_MPEGH/ISO/HEVC",
    "mpeg1video": "V_MPEG1",
    "mpeg2video": "V_MPEG2",
    "mpeg4": "V_MPEG4/ISO/ASP",
    "vp8": "V_VP8",
    "vp9": "V_VP9",
    "mjpeg": "V_MJPEG",
    "libdav1d": "V_AV1",
}
TS_PACKET = 188


@dataclass(frozen=True)
class Coded:
    """A packet: its data and its times in milliseconds."""

    data: bytes
    pts: int
    dts: int
    is_keyframe: bool

    def later(self, milliseconds: int) -> Coded:
        """Return it with other times."""
        return replace(self, pts=self.pts + milliseconds, dts=self.dts + milliseconds)


@dataclass(frozen=True)
class Stream:
    """The codec of a file, and its packets."""

    codec: str
    extradata: bytes
    size: tuple[int, int]


def read(file: bytes) -> tuple[Stream, list[Coded]]:
    """Return the packets of a file."""

    def in_time_base(stamp: int | None) -> int:
        # FFmpeg knows no decoding times of some first packets; they are not stored.
        return round((stamp or 0) * milliseconds)

    with av.open(io.BytesIO(file)) as container:
        stream = container.streams.video[0]
        codec = stream.codec_context
        milliseconds = stream.time_base * 1000
        packets = [
            Coded(bytes(p), in_time_base(p.pts), in_time_base(p.dts), p.is_keyframe)
            for p in container.demux(stream)
            if p.size
        ]
        return Stream(codec.name, codec.extradata or b"", (codec.width, codec.height)), packets


def matroska(stream: Stream, packets: Sequence[Coded]) -> bytes:
    """Write a Matroska file; it stores presentation times, which must be at least 0."""

    def element(name: str, body: bytes | int) -> bytes:
        body = body.to_bytes(8, "big") if isinstance(body, int) else body
        return bytes.fromhex(name) + (len(body) | 1 << 56).to_bytes(8, "big") + body

    blocks = []
    for packet in packets:
        block = b"\x81\0\0" + (b"\x80" if packet.is_keyframe else b"\0") + packet.data
        blocks.append(element("1F43B675", element("E7", packet.pts) + element("A3", block)))
    width, height = stream.size
    track = (
        *(element("D7", 1), element("73C5", 1), element("83", 1)),
        element("86", MATROSKA_IDS[stream.codec].encode()),
        element("63A2", stream.extradata) if stream.extradata else b"",
        *(
            element("23E383", 40_000_000),
            element("E0", element("B0", width) + element("BA", height)),
        ),
    )
    segment = element("1549A966", element("2AD7B1", 1_000_000))
    segment += element("1654AE6B", element("AE", b"".join(track))) + b"".join(blocks)
    return element("1A45DFA3", element("4282", b"matroska")) + element("18538067", segment)


def flv(*parts: tuple[Stream, Sequence[Coded]]) -> bytes:
    """Write an FLV file of H.264; each part begins with its parameters."""

    def tag(time: int, offset: int, body: bytes, *, is_keyframe: bool, is_header: bool) -> bytes:
        head = bytes([0x17 if is_keyframe else 0x27, 0 if is_header else 1])
        data = head + (offset & 0xFFFFFF).to_bytes(3, "big") + body
        stamp = (time & 0xFFFFFF).to_bytes(3, "big") + bytes([time >> 24 & 0xFF])
        whole = b"\x09" + len(data).to_bytes(3, "big") + stamp + b"\0\0\0" + data
        return whole + len(whole).to_bytes(4, "big")

    file = b"FLV\x01\x01" + (9).to_bytes(4, "big") + bytes(4)
    for stream, packets in parts:
        time = max(0, packets[0].dts)
        file += tag(time, 0, stream.extradata, is_keyframe=True, is_header=True)
        for p in packets:
            time = max(0, p.dts)
            file += tag(time, p.pts - time, p.data, is_keyframe=p.is_keyframe, is_header=False)
    return file


def without_ts_packets(file: bytes, first: int, count: int) -> bytes:
    """Return MPEG-TS without some of its packets of 188 bytes."""
    return file[: first * TS_PACKET] + file[(first + count) * TS_PACKET :]


def without_stamp(file: bytes, number: int) -> bytes:
    """Return MPEG-TS in which a PES packet of video has no times."""
    position = -1
    for _ in range(number + 1):
        position = file.index(b"\0\0\1\xe0", position + 1)
    flags = position + 7
    return file[:flags] + bytes([file[flags] & 0x3F]) + file[flags + 1 :]
