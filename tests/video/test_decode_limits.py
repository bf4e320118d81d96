"""Videos that exceed a limit are refused, and the error names the limit."""

from __future__ import annotations

import functools
import io
import time
from collections.abc import Iterator

import av
import numpy as np
import pytest

from spark_keyframes.errors import DecodeError, LimitError
from spark_keyframes.limits import Limits
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


@pytest.mark.parametrize("name", ["h264 mp4", "mpeg4 avi", "h264 raw", "vp9 webm"])
def test_frames_and_seconds_are_limited_in_every_way_of_decoding(name: str) -> None:
    data = clip_named(name)
    assert len(candidates(data, Limits(max_frames=90, max_video_seconds=3.7))) == 4
    with pytest.raises(LimitError, match="max_frames"):
        candidates(data, Limits(max_frames=89))
    with pytest.raises(LimitError, match="max_video_seconds"):
        candidates(data, Limits(max_video_seconds=3.5))
