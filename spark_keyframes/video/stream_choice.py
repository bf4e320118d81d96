"""Chooses the video stream of a container: FFmpeg's own choice, or the one that was asked for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream

from spark_keyframes.checks import check_integer
from spark_keyframes.errors import NoVideoStreamError

_NOT_A_VIDEO = Disposition.attached_pic | Disposition.timed_thumbnails
_LAST_CHOICE = Disposition.still_image | Disposition.dependent

_MOST_SHOWN = 10  # streams in a message


@dataclass(frozen=True)
class StreamChoice:
    """The video stream that is decoded."""

    stream: VideoStream
    number: int
    """Its number among all video streams, from 0, as in FFmpeg's `v:0`."""
    preferred: VideoStream
    """The one that FFmpeg would take, unless that is only a picture. It may not be decodable."""
    reason: str = ""
    """Which stream was taken, and from which; empty if there was no choice."""


def check_video_stream(number: int | None) -> None:
    """Raise ParameterError unless this can be the number of a video stream, or is None."""
    if number is not None:
        hint = "video streams are numbered from 0; leave it out for FFmpeg's own choice"
        check_integer("video_stream", number, 0, hint)


def choose_stream(
    container: InputContainer, number: int | None = None, *, empty: Collection[int] = ()
) -> StreamChoice:
    """Return the video stream to decode.

    Without a number, it is the stream that FFmpeg would take by itself: by its disposition, its
    frames and its bit rate. If that cannot be decoded, it is the default one, or else the largest.
    If none can be decoded, the codec context of the stream is None.

    Args:
        container: its streams must be known.
        number: of the stream among all video streams, from 0.
        empty: numbers of streams that have turned out to hold no packet.

    Raises:
        NoVideoStreamError: there is no video stream, or none of this number.
    """
    streams = container.streams.video
    videos = [n for n, stream in enumerate(streams) if not stream.disposition & _NOT_A_VIDEO]
    if number is not None and number not in videos:
        raise NoVideoStreamError(_not_there(streams, number))
    if not videos:
        found = ", ".join(sorted({stream.type for stream in container.streams}))
        cover = " (a cover picture is not a video)" if streams else ""
        raise NoVideoStreamError(
            f"the {container.format.name} container holds no video stream, "
            + (f"only {found}{cover}" if found else "and no other stream")
        )
    if number is not None:
        return StreamChoice(streams[number], number, streams[number])
    best = container.streams.best("video")

    def rank(n: int) -> tuple[object, ...]:
        stream, codec = streams[n], streams[n].codec_context
        return (
            codec is None,
            n in empty,
            codec is None or codec.pix_fmt is None,  # none of its first packets could be decoded
            bool(stream.disposition & _LAST_CHOICE),
            stream is not best,
            not stream.disposition & Disposition.default,
            -codec.width * codec.height if codec else 0,
        )

    chosen = min(videos, key=rank)
    reason = ""
    if len(videos) > 1:
        reason = f"video stream {chosen} was taken of {_shown(streams)}; video_stream sets another"
    is_preferred = best is not None and not best.disposition & (_NOT_A_VIDEO | _LAST_CHOICE)
    has_packets = [n for n in videos if n not in empty]
    preferred = next((streams[n] for n in has_packets if is_preferred and streams[n] is best), None)
    return StreamChoice(streams[chosen], chosen, preferred or streams[chosen], reason)


def _not_there(streams: tuple[VideoStream, ...], number: int) -> str:
    if number < len(streams):
        what = f"video stream {number} is a picture, which is not a video"
    else:
        what = f"there is no video stream {number}"
    return f"{what}; set video_stream to one of {_shown(streams)}, or leave it out"


def _shown(streams: tuple[VideoStream, ...]) -> str:
    shown = [f"{n} ({_described(stream)})" for n, stream in enumerate(streams[:_MOST_SHOWN])]
    more = len(streams) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "") or "none"


def _described(stream: VideoStream) -> str:
    codec = stream.codec_context
    words = [f"{codec.name} {codec.width}×{codec.height}" if codec else "unknown codec"]
    if stream.disposition & _NOT_A_VIDEO:
        words.append("a picture")
    elif stream.disposition & Disposition.default:
        words.append("default")
    return ", ".join(words)
