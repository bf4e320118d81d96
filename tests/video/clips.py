"""Small clips whose every frame shows its own number, made with PyAV's encoders.

The picture is a moving gradient (so that P and B frames have something to predict) under a row of
eight blocks: the frame number in binary, the lowest bit on the left.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Sequence
from fractions import Fraction

import av
import numpy as np
from numpy.typing import NDArray

H264 = {"crf": "30", "preset": "veryfast", "threads": "1"}
H265 = {"preset": "ultrafast", "x265-params": "log-level=none:pools=1:frame-threads=1"}


def picture(number: int, width: int, height: int) -> NDArray[np.uint8]:
    """Frame `number` as an H×W×3 uint8 picture."""
    y, x = np.mgrid[0:height, 0:width]
    image = np.stack(
        [(x * 3 + number * 5) % 256, (y * 4 + number * 3) % 256, (x + y + number) % 256], axis=-1
    ).astype(np.uint8)
    block = width // 8
    for bit in range(8):
        shade = 235 if number >> bit & 1 else 20
        image[: height // 4, bit * block : (bit + 1) * block] = shade
    return image


def number_in(image: NDArray[np.uint8]) -> int:
    """The number that an upright picture of a clip shows."""
    height, width = image.shape[:2]
    block = width // 8
    means = [
        image[2 : height // 4 - 2, bit * block + 2 : (bit + 1) * block - 2].mean()
        for bit in range(8)
    ]
    return sum(1 << bit for bit, mean in enumerate(means) if mean > 128)


def clip(
    codec: str,
    container: str,
    *,
    frames: int = 90,
    rate: Fraction | int = 25,
    size: tuple[int, int] = (96, 64),
    gop: int = 30,
    options: dict[str, str] | None = None,
    pix_fmt: str = "yuv420p",
    pts: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    container_options: dict[str, str] | None = None,
    rotation: int | None = None,
    draw: Callable[[int, int, int], NDArray[np.uint8]] = picture,
    packet_filter: Callable[[list[av.Packet]], list[av.Packet]] | None = None,
    setup: Callable[[av.VideoStream], None] | None = None,
    prepare: Callable[[av.VideoFrame], av.VideoFrame] | None = None,
) -> bytes:
    """A clip as bytes; `pts` are presentation times in units of `time_base` (default 1/rate)."""
    file = io.BytesIO()
    width, height = size
    with av.open(file, "w", format=container, options=container_options or {}) as output:
        stream = output.add_stream(codec, rate=rate, options=options or {})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.codec_context.gop_size = gop
        if time_base is not None:
            stream.codec_context.time_base = time_base
        if rotation is not None:
            stream.set_display_rotation(rotation)
        if setup is not None:
            setup(stream)
        packets: list[av.Packet] = []
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(draw(number, width, height), format="rgb24")
            if prepare is not None:
                frame = prepare(frame)
            frame.pts = number if pts is None else pts[number]
            frame.time_base = time_base or 1 / Fraction(rate)
            packets += stream.encode(frame)
        packets += stream.encode(None)
        for packet in packet_filter(packets) if packet_filter else packets:
            output.mux(packet)
    return file.getvalue()


