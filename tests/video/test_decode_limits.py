"""Videos that exceed a limit are refused, and the error names the limit."""

from __future__ import annotations

import functools
import io
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from fractions import Fraction

import av
import numpy as np
import pytest

from spark_keyframes.errors import DecodeError, LimitError
from spark_keyframes.limits import Limits
from spark_keyframes.video.container import open_container
from spark_keyframes.video.packets import _KEPT_PACKET_BYTES, _TABLE_BYTES, read_packets
from spark_keyframes.video.process import ProcessDecoder

from .clips import clip, clip_named


def candidates(data: bytes, limits: Limits, fps: float = 1.0) -> list[int]:
    with (
        ProcessDecoder(2, limits=limits) as decoder,
        decoder.open(io.BytesIO(data)) as video,
    ):
        return [picture.frame_id for picture in video.candidates(fps, hold=True)]


@functools.cache
def static_4k(frames: int = 3000) -> bytes:
    """Two black frames of 3840×2160, repeated: 25 frames of 12 MB each per second."""

    def black(number: int, width: int, height: int) -> np.ndarray:
        return np.zeros((height, width, 3), np.uint8)

    def repeated(packets: list[av.Packet]) -> Iterator[av.Packet]:
        data = [bytes(packet) for packet in packets]
        for number in range(frames):
            packet = av.Packet(data[number % len(data)])
            packet.stream, packet.time_base = packets[0].stream, packets[0].time_base
            packet.pts = packet.dts = number * packets[1].pts
            packet.is_keyframe = True
            yield packet

    options = {"preset": "veryfast", "threads": "1"}
    size = (3840, 2160)
    return clip(
        "libx264",
        "mp4",
        frames=2,
        size=size,
        gop=1,
        options=options,
        draw=black,
        packet_filter=lambda packets: list(repeated(packets)),
    )


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(max_frames=1000), "more than 1000 frames, which is max_frames"),
        (Limits(max_video_seconds=60), "plays for 120 s, max_video_seconds of limits is 60"),
        (Limits(max_decode_seconds=0.5), r"longer than 0\.5 s, which is max_decode_seconds"),
    ],
)
def test_a_long_static_4k_video_is_refused(limits: Limits, message: str) -> None:
    data = static_4k()
    assert len(data) < 40 * 2**20
    began = time.monotonic()
    with pytest.raises(LimitError, match=message):
        candidates(data, limits, fps=25.0)
    assert time.monotonic() - began < 20


def tiny_packets(count: int) -> bytes:
    """Return a file of packets of 12 bytes."""
    file = io.BytesIO()
    with av.open(file, "w", format="nut") as output:
        stream = output.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "yuvj420p"
        for number in range(count):
            packet = av.Packet(bytes([number % 256] * 12))
            packet.stream, packet.time_base = stream, Fraction(1, 25)
            packet.pts = packet.dts = number
            output.mux(packet)
    return file.getvalue()


def test_tiny_packets_are_kept_by_their_real_size(monkeypatch: pytest.MonkeyPatch) -> None:
    data = tiny_packets(2000)
    for budget, is_kept in ((2000 * 600, True), (2000 * 500, False)):
        monkeypatch.setattr("spark_keyframes.video.packets._KEEP_BYTES", budget)
        with open_container(io.BytesIO(data)) as opened:
            table = read_packets(opened)
        assert len(table) == 2000
        assert (table.kept is not None) == is_kept


@pytest.mark.slow
def test_the_memory_of_a_packet_is_counted_as_it_is() -> None:
    """In processes of their own, because freed memory is used again."""
    count = 100_000
    data = tiny_packets(count)

    def measured(keep: int) -> float:
        code = f"""
import io, sys
from pathlib import Path
from spark_keyframes.video import packets
from spark_keyframes.video.container import open_container
def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
packets._KEEP_BYTES = {keep}
with open_container(io.BytesIO(sys.stdin.buffer.read())) as opened:
    before = resident()
    table = packets.read_packets(opened)
    print(resident() - before)
"""
        done = subprocess.run(
            [sys.executable, "-c", code], input=data, capture_output=True, check=True
        )
        return int(done.stdout) / count

    table = measured(0)
    assert table < 1.2 * _TABLE_BYTES
    assert measured(10**9) - table < 1.2 * (_KEPT_PACKET_BYTES + 12)


def test_a_table_of_packets_that_does_not_fit_is_refused() -> None:
    most = 500 * _TABLE_BYTES
    with open_container(io.BytesIO(tiny_packets(500))) as opened:
        assert len(read_packets(opened, Limits(max_decode_bytes=most))) == 500
    with (
        open_container(io.BytesIO(tiny_packets(501))) as opened,
        pytest.raises(LimitError, match="more than 500 frames.*max_decode_bytes of limits, 42000"),
    ):
        read_packets(opened, Limits(max_decode_bytes=most))


def compressed_header(size: int, claimed: int) -> bytes:
    """Return a QuickTime file whose header, `size` zeros, is compressed and claims to be longer."""

    def box(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I4s", 8 + len(body), kind) + body

    data = struct.pack(">I", claimed) + zlib.compress(bytes(size))
    header = box(b"dcom", b"zlib") + box(b"cmvd", data)
    return box(b"ftyp", b"qt  \0\0\0\0qt  ") + box(b"moov", box(b"cmov", header))


@pytest.mark.parametrize(
    ("size", "claimed"), [(128 * 2**20, 128 * 2**20), (2**20, 2**30), (2**20, 2**32 - 1)]
)
def test_a_header_that_decompresses_to_more_than_the_limit_is_refused(
    size: int, claimed: int
) -> None:
    data = compressed_header(size, claimed)
    assert len(data) < 2**18
    with pytest.raises(LimitError, match="max_decode_bytes"):
        candidates(data, Limits(max_decode_bytes=100_000_000))


class Bits:
    """Writes H.264 syntax elements, ITU-T H.264 7.3."""

    def __init__(self) -> None:
        self.bits = ""

    def u(self, width: int, value: int) -> Bits:
        self.bits += f"{value:0{width}b}"
        return self

    def ue(self, value: int) -> Bits:
        self.bits += f"{value + 1:b}".zfill(2 * (value + 1).bit_length() - 1)
        return self

    def nal(self) -> bytes:
        bits = self.bits + "1"
        bits += "0" * (-len(bits) % 8)
        return b"\0\0\0\1" + int(bits, 2).to_bytes(len(bits) // 8, "big")


def h264(width: int, height: int) -> bytes:
    """Return an H.264 stream with one gray frame of that size, coded in few bytes."""
    sps = Bits().u(8, 0x67).u(8, 66).u(8, 0xC0).u(8, 62).ue(0).ue(0).ue(2).ue(1).u(1, 0)
    sps.ue(width // 16 - 1).ue(height // 16 - 1).u(1, 1).u(1, 1).u(1, 0).u(1, 0)
    pps = Bits().u(8, 0x68).ue(0).ue(0).u(1, 0).u(1, 0).ue(0).ue(0).ue(0).u(1, 0).u(2, 0)
    pps.ue(0).ue(0).ue(0).u(1, 1).u(1, 0).u(1, 0)
    # IDR slice: first_mb 0, I, pps 0, frame_num 0, idr_pic_id 0, no reordering, qp delta 0,
    # deblocking off. Then I_16x16 macroblocks with DC prediction and no coefficients.
    slice_ = Bits().u(8, 0x65).ue(0).ue(7).ue(0).u(4, 0).ue(0).u(1, 0).u(1, 0).ue(0).ue(1)
    slice_.bits += "00100" + "1" + "1" + "1"  # mb_type 3, chroma DC, qp delta 0, no coefficients
    macroblock = "00100" + "1" + "1" + "1"
    slice_.bits += macroblock * (width // 16 * (height // 16) - 1)
    return sps.nal() + pps.nal() + slice_.nal()


def test_a_frame_of_16000_by_16000_is_refused() -> None:
    assert candidates(h264(160, 96), Limits()) == [0], "at a normal size, the stream is valid"
    with pytest.raises((LimitError, DecodeError), match="max_pixels"):
        candidates(h264(16000, 16000), Limits())


@pytest.mark.slow
def test_a_frame_of_16000_by_16000_is_decoded_if_the_limit_allows() -> None:
    limits = Limits(max_pixels=16000 * 16000)
    assert candidates(h264(16000, 16000), limits) == [0]


@pytest.mark.parametrize("name", ["h264 mp4", "mpeg4 avi", "msmpeg4v3 avi", "h264 raw", "vp9 webm"])
def test_frames_and_seconds_are_limited_in_every_way_of_decoding(name: str) -> None:
    data = clip_named(name)
    assert len(candidates(data, Limits(max_frames=90, max_video_seconds=3.7))) == 4
    with pytest.raises(LimitError, match="max_frames"):
        candidates(data, Limits(max_frames=89))
    with pytest.raises(LimitError, match="max_video_seconds"):
        candidates(data, Limits(max_video_seconds=3.5))
