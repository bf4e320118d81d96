"""Changes the times that a file stores, or what its packets hold."""

from __future__ import annotations

import io
import struct

import av

NOTHING_CODED = bytes.fromhex("000001b6") + int("01011000010", 2).to_bytes(2, "big")
"""A frame of MPEG-4 part 2 that repeats the one before it, with vop_coded 0."""


def without_boxes(data: bytes, *boxes: bytes) -> bytes:
    """Return the MP4 without these boxes; their bytes stay, as free space."""
    for box in boxes:
        assert data.count(box) == 1
        data = data.replace(box, b"free")
    return data


def decoding_times_only(packets: list[av.Packet]) -> list[av.Packet]:
    """Give decoding times as presentation times; they begin at 0."""
    first = packets[0].dts or 0
    for packet in packets:
        assert packet.dts is not None
        packet.pts = packet.dts = packet.dts - first
    return packets


def jumping(packets: list[av.Packet], jumps: dict[int, int]) -> list[av.Packet]:
    """Let the time jump forward at these times, by so much, in units of the packets' times."""

    def later(stamp: int | None) -> int:
        assert stamp is not None
        return stamp + sum(jump for first, jump in jumps.items() if stamp >= first)

    for packet in packets:
        packet.pts, packet.dts = later(packet.pts), later(packet.dts)
    return packets


def like(packet: av.Packet, data: bytes, *, later: int = 0) -> av.Packet:
    """Return a packet with other bytes, and with times that are `later` frames later."""
    other = av.Packet(data)
    other.stream, other.time_base, other.duration = packet.stream, packet.time_base, packet.duration
    other.is_keyframe = packet.is_keyframe and data != NOTHING_CODED
    assert packet.pts is not None
    assert packet.dts is not None
    other.pts, other.dts = packet.pts + later, packet.dts + later
    return other


def packed(packets: list[av.Packet]) -> list[av.Packet]:
    """Put each B-frame into the packet of its P-frame, and an empty frame in its place, as DivX."""
    first = bytes(packets[0])
    start = first.find(b"\0\0\1\xb6")
    divx = first[:start] + b"\0\0\1\xb2DivX503b1393p" + first[start:]
    packets = [like(packets[0], divx), *packets[1:]]
    result: list[av.Packet] = []
    for packet in packets:
        if result and packet.pts is not None and packet.pts < (result[-1].pts or 0):
            result[-1] = like(result[-1], bytes(result[-1]) + bytes(packet))
            result.append(like(packet, NOTHING_CODED))
        else:
            result.append(packet)
    return result


def as_matroska_of_windows(avi: bytes, fourcc: bytes) -> bytes:
    """Return Matroska with the codec id V_MS/VFW/FOURCC, whose times are decoding times."""

    def element(name: str, body: bytes | int) -> bytes:
        body = body.to_bytes(8, "big") if isinstance(body, int) else body
        return bytes.fromhex(name) + (len(body) | 1 << 56).to_bytes(8, "big") + body

    clusters = b""
    with av.open(io.BytesIO(avi)) as container:
        stream = container.streams.video[0]
        extradata = stream.codec_context.extradata or b""
        for packet in container.demux(stream):
            if packet.size:
                block = b"\x81\0\0" + (b"\x80" if packet.is_keyframe else b"\0") + bytes(packet)
                milliseconds = int(packet.dts * packet.time_base * 1000)
                clusters += element("1F43B675", element("E7", milliseconds) + element("A3", block))
    header = struct.pack("<IiiHH4s20x", 40 + len(extradata), 96, 64, 1, 24, fourcc) + extradata
    track = (
        *(element("D7", 1), element("73C5", 1), element("83", 1)),
        *(element("86", b"V_MS/VFW/FOURCC"), element("63A2", header)),
        *(element("23E383", 40_000_000), element("E0", element("B0", 96) + element("BA", 64))),
    )
    segment = element("1549A966", element("2AD7B1", 1_000_000))
    segment += element("1654AE6B", element("AE", b"".join(track))) + clusters
    return element("1A45DFA3", element("4282", b"matroska")) + element("18538067", segment)
