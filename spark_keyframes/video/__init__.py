"""Video decoding: opens a row's value and yields exact frames.

`open_source` opens the value of a row as a file. `make_decoder` returns the decoder that the engine
uses. `candidate_frames` and `open_video` decode in the calling process, without an engine.

PyAV and all modules that need it are imported when first needed: a driver decodes nothing.
"""

from __future__ import annotations

import functools
import io
import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

from spark_keyframes.errors import AcceleratorError
from spark_keyframes.limits import Limits
from spark_keyframes.video.centre import CentreCrop
from spark_keyframes.video.interface import Ahead, Decoder, RgbFrame, Video
from spark_keyframes.video.source import Source, VideoSrcType, open_source
from spark_keyframes.video.timeline import exact_fps
from spark_keyframes.video.turns import Turns
from spark_keyframes.video.window import Window

if TYPE_CHECKING:
    from spark_keyframes.video.av_video import open_video
    from spark_keyframes.video.frame import Frame

__all__ = [
    "Ahead",
    "CentreCrop",
    "CpuDecoderName",
    "Decoder",
    "DecoderName",
    "Frame",
    "RgbFrame",
    "Source",
    "Turns",
    "Video",
    "VideoSrcType",
    "Window",
    "candidate_frames",
    "cpu_decoder",
    "make_decoder",
    "open_source",
    "open_video",
]

logger = logging.getLogger("spark_keyframes")

CpuDecoderName = Literal["process", "thread"]
DecoderName = Literal[CpuDecoderName, "gpu", "auto"]


def __getattr__(name: str) -> Any:
    if name == "open_video":
        from spark_keyframes.video.av_video import open_video

        return open_video
    if name == "Frame":
        from spark_keyframes.video.frame import Frame

        return Frame
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def cpu_decoder(name: DecoderName) -> CpuDecoderName:
    """Return the decoder of what is too little for a GPU, such as a header or a single frame."""
    return "thread" if name == "thread" else "process"


def make_decoder(
    name: DecoderName,
    threads: int,
    *,
    limits: Limits = Limits(),
    prefetch: bool = True,
    video_stream: int | None = None,
    card: int | None = None,
) -> Decoder:
    """Return a decoder whose videos share `threads` decode threads.

    Args:
        name: "process" decodes each video in a process of its own, so that a codec crash fails only
            that video. "thread" decodes in this process. "gpu" decodes on `card`, and on CPUs what
            the card does not decode; "auto" on both, and without a card on CPUs.
        threads: decode threads for all videos together, at least 1.
        limits: bounds on the size, length, time and memory of each video.
        prefetch: decode the next frame while the caller uses the current one. Only for "process".
        video_stream: number of the video stream of each video, from 0; None: FFmpeg's own choice.
        card: number of the GPU; None: there is none.

    Raises:
        ParameterError: video_stream is no whole number, or less than 0.
        AcceleratorError: "gpu", and there is no GPU that decodes.
    """
    from spark_keyframes.video.stream_choice import check_video_stream

    check_video_stream(video_stream)
    if name == "thread":
        from spark_keyframes.video.thread_decoder import ThreadDecoder

        return ThreadDecoder(threads, limits=limits, video_stream=video_stream)
    from spark_keyframes.video.process import ProcessDecoder

    def in_processes(card: int | None = None) -> Decoder:
        return ProcessDecoder(
            threads,
            limits=limits,
            prefetch=prefetch,
            video_stream=video_stream,
            card=card,
            only_card=name == "gpu",
        )

    if name == "gpu":
        return in_processes(card or 0)
    if name == "auto" and card is not None:
        try:
            return in_processes(card)
        except AcceleratorError as error:
            _warn_of_card(str(error))
    return in_processes()


@functools.cache
def _warn_of_card(reason: str) -> None:
    """Warn once in a process, which runs many tasks."""
    logger.warning("videos are decoded on CPUs only: %s", reason)


def candidate_frames(
    source: str | bytes | os.PathLike[str], *, fps: float = 1.0, video_stream: int | None = None
) -> Iterator[Frame]:
    """Yield the candidate frames of a video: those on screen at k/fps seconds, k = 0, 1, …

    >>> for frame in candidate_frames("cooking.mp4", fps=0.5):
    ...     print(frame.frame_id, frame.timestamp, frame.to_rgb().shape)

    Args:
        source: URL, local path, or the bytes of a video.
        fps: candidates per second, greater than 0. Above the video's own frame rate, every frame
            is a candidate.
        video_stream: number of the video stream, from 0; None: FFmpeg's own choice.

    Yields:
        Frames in presentation order, none twice. `Frame.to_rgb` gives H×W×3 uint8.

    Raises:
        ParameterError: fps or video_stream is not a valid number; raised by the call itself.
        KeyframesError: the video cannot be opened or decoded; raised while iterating. One of
            `SourceNotFoundError`, `NotAVideoError`, `NoVideoStreamError`, `NoFramesError`,
            `DecodeError` and others of `spark_keyframes.errors`.
    """
    from spark_keyframes.video.stream_choice import check_video_stream

    exact_fps(fps)
    check_video_stream(video_stream)
    return _candidate_frames(source, fps, video_stream)


def _candidate_frames(
    source: str | bytes | os.PathLike[str], fps: float, video_stream: int | None
) -> Iterator[Frame]:
    from spark_keyframes.video.av_video import open_video

    with ExitStack() as opened:
        if isinstance(source, bytes):
            file: BinaryIO = io.BytesIO(source)
        else:
            file = opened.enter_context(open_source(os.fspath(source))).file
        video = opened.enter_context(open_video(file, video_stream=video_stream))
        yield from video.candidates(fps)
