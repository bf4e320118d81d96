"""Files with several video streams, made of clips."""

from __future__ import annotations

import functools
import io
from contextlib import ExitStack
from dataclasses import dataclass

import av
from av.stream import Disposition

from .clips import H264, clip, picture

DEFAULT = Disposition.default
COVER = Disposition.attached_pic


@dataclass(frozen=True)
class Track:
    """One video stream."""

    clip: bytes
    disposition: int = 0
    is_empty: bool = False


@functools.cache
def small(number: int = 0) -> bytes:
    """Return a clip of 64×48 pixels at 1 fps; frame k shows `number` + k."""
    return _numbered(number, size=(64, 48), frames=3, rate=1)


@functools.cache
def large(number: int = 100) -> bytes:
    """Return a clip of 128×96 pixels at 25 fps; frame k shows `number` + k."""
    return _numbered(number, size=(128, 96), frames=75, rate=25)


def _numbered(number: int, *, size: tuple[int, int], frames: int, rate: int) -> bytes:
    return clip(
        "libx264",
        "mp4",
        options=H264,
        size=size,
        frames=frames,
        rate=rate,
        draw=lambda k, width, height: picture(number + k, width, height),
    )


def joined(container: str, *tracks: Track, options: dict[str, str] | None = None) -> bytes:
    """Return a file with the video streams of the clips, in this order."""
    file = io.BytesIO()
    with ExitStack() as opened:
        writing = av.open(file, "w", format=container, options=options or {})
        output = opened.enter_context(writing)
        packets = []
        for track in tracks:
            source = opened.enter_context(av.open(io.BytesIO(track.clip)))
            original = source.streams.video[0]
            stream = output.add_stream_from_template(original)
            stream.disposition = Disposition(track.disposition)
            for packet in source.demux(original):
                if packet.size and not track.is_empty:
                    packet.stream = stream
                    packets.append(packet)
        for packet in sorted(packets, key=lambda each: each.dts * each.time_base):
            output.mux(packet)
    return file.getvalue()
