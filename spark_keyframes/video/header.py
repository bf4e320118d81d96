"""Reads how long a video is, without its packets where the container says it."""

from __future__ import annotations

from dataclasses import dataclass

import av

from spark_keyframes.limits import Limits
from spark_keyframes.video.container import open_container
from spark_keyframes.video.interface import Decoder
from spark_keyframes.video.source import Source
from spark_keyframes.video.window import Window

_FIRST_FRAME_ONLY = Window(0.0, 1e-9)


@dataclass(frozen=True)
class VideoHeader:
    """What the header of a video says of it."""

    seconds: float | None
    """how long it is; None: the container does not say"""
    fps: float | None
    """its frames per second on average; None: unknown"""
    width: int
    height: int


def read_header(
    source: Source, decoder: Decoder, *, limits: Limits, video_stream: int | None = None
) -> VideoHeader:
    """Read the header of a video. Little else is read, and no frame is decoded for its pixels.

    Where the header has the times of all frames, as in MP4, `seconds` is exact. Else it is what the
    container says, or what FFmpeg estimates from the bit rate.

    Args:
        source: the open video.
        decoder: opens it first. So what crashes FFmpeg does so in the decoder's process.
        limits: bounds on the size of the frames.
        video_stream: as for the decoder.

    Raises:
        KeyframesError: the video cannot be opened; see `Decoder.open`.
    """
    opening = decoder.open(source.file, format_hint=source.format_hint, window=_FIRST_FRAME_ONLY)
    with opening as video:
        seconds = video.duration
    source.file.seek(0)
    with open_container(
        source.file, source.format_hint, limits=limits, video_stream=video_stream
    ) as opened:
        stream, codec = opened.stream, opened.stream.codec_context
        if seconds is None and opened.container.duration:
            seconds = opened.container.duration / av.time_base
        rate = stream.average_rate
        return VideoHeader(seconds, float(rate) if rate else None, codec.width, codec.height)
