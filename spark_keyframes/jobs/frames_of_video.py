"""Decodes frames of a video by their numbers, in this process."""

from collections.abc import Iterable, Iterator

from spark_keyframes.engine import task_cpus
from spark_keyframes.errors import KeyframesError, ParameterError, VideoChangedError
from spark_keyframes.images import Pixels
from spark_keyframes.limits import Limits
from spark_keyframes.storage import Access
from spark_keyframes.video import CpuDecoderName, Source, Video, make_decoder, open_source

Wanted = tuple[int, float | None]
"""A frame's number, from 0, and when it was shown, in seconds; None: not known."""


def frames_of_video(
    url: str,
    wanted: Iterable[Wanted],
    *,
    changed: str,
    video_stream: int | None = None,
    decoder: CpuDecoderName = "process",
    access: Access = Access(),
    limits: Limits = Limits(),
) -> Iterator[tuple[Source, Wanted, Pixels | KeyframesError]]:
    """Yield frames of a video, ascending: its source, what was wanted, the frame or why none.

    Args:
        url: path or URL of the video, which is opened once.
        wanted: each frame once.
        changed: what to say of a video that has no such frame, or shows it at another time.
        video_stream: number of the video stream, from 0; None: FFmpeg's own choice.
        decoder: "process" or "thread", see `make_decoder`.
        access: the addresses that may be read.
        limits: bounds on the video.

    Raises:
        KeyframesError: the video cannot be opened.
    """
    with (
        open_source(url, access=access, limits=limits) as source,
        make_decoder(decoder, task_cpus(), limits=limits, video_stream=video_stream) as opened,
        opened.open(source.file, format_hint=source.format_hint) as video,
    ):
        for each in sorted(wanted, key=lambda each: each[0]):
            try:
                yield source, each, _frame(video, *each, changed)
            except KeyframesError as error:
                yield source, each, error


def _frame(video: Video, frame_id: int, timestamp: float | None, changed: str) -> Pixels:
    try:
        (frame,) = video.frames_by_id([frame_id])
    except ParameterError as error:  # no such frame
        raise VideoChangedError(f"{error}; {changed}") from None
    if timestamp is not None and frame.timestamp != timestamp:
        raise VideoChangedError(
            f"frame {frame.frame_id} is shown at {frame.timestamp} s, and was at {timestamp} s; "
            f"{changed}"
        )
    return frame.rgb
