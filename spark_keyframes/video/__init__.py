"""From the value of a row to exact frames: sources, timelines, decoding."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from typing import Literal

from spark_keyframes.limits import Limits
from spark_keyframes.video.av_video import open_video
from spark_keyframes.video.base import Decoder, Picture, Video
from spark_keyframes.video.frame import Frame
from spark_keyframes.video.process import ProcessDecoder
from spark_keyframes.video.source import Source, open_source
from spark_keyframes.video.threads import ThreadDecoder
from spark_keyframes.video.timeline import Timeline, exact_fps

__all__ = [
    "Decoder",
    "DecoderName",
    "Frame",
    "Picture",
    "Source",
    "Timeline",
    "Video",
    "candidate_frames",
    "make_decoder",
    "open_source",
    "open_video",
]

DecoderName = Literal["process", "thread"]


def make_decoder(
    name: DecoderName, threads: int, *, limits: Limits = Limits(), ahead: bool = True
) -> Decoder:
    """A decoder with so many threads for all its videos.

    Without `ahead`, no picture is decoded by a process while the one before it is looked at.
    """
    if name == "thread":
        return ThreadDecoder(threads, limits=limits)
    return ProcessDecoder(threads, limits=limits, ahead=ahead)


def candidate_frames(
    source: str | bytes | os.PathLike[str], *, fps: float = 1.0
) -> Iterator[Frame]:
    """The candidate frames of a video: those on screen at k/fps seconds, k = 0, 1, …

    `source` is a URL, a path, or the bytes of a video. Frames come in presentation order, each
    once; above the video's own rate, `fps` gives every frame.

    >>> for frame in candidate_frames("cooking.mp4", fps=0.5):
    ...     print(frame.frame_id, frame.timestamp, frame.to_rgb().shape)

    Raises `ParameterError` unless fps > 0, at once; while iterating the errors of opening and
    decoding: `SourceNotFoundError`, `NotAVideoError`, `NoVideoStreamError`, `NoFramesError`,
    `DecodeError` and others of `spark_keyframes.errors`.
    """
    exact_fps(fps)
    return _candidate_frames(source, fps)


def _candidate_frames(source: str | bytes | os.PathLike[str], fps: float) -> Iterator[Frame]:
    if isinstance(source, bytes):
        with open_video(io.BytesIO(source)) as video:
            yield from video.candidates(fps)
    else:
        with open_source(os.fspath(source)) as opened, open_video(opened.file) as video:
            yield from video.candidates(fps)
