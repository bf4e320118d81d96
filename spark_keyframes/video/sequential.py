"""The sure path: decode every packet in order, and take the decoder's word for what there is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain

import av
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from spark_keyframes.video.counters import Counters
from spark_keyframes.video.shortage import check_memory
from spark_keyframes.video.timeline import DEFAULT_RATE


def decode_all(
    codec: VideoCodecContext, packets: Iterable[Packet[VideoStream]], counters: Counters
) -> Iterator[av.VideoFrame]:
    """Every frame, in presentation order; damaged packets are passed over, as players do."""
    codec.skip_frame = "DEFAULT"
    codec.flush_buffers()
    for packet in chain(packets, [None]):  # None: what the decoder still holds
        counters.decoded += packet is not None
        try:
            pictures = codec.decode(packet)
        except av.error.FFmpegError as error:
            check_memory(error, codec.width * codec.height)
            counters.failed += 1
            continue
        counters.take(pictures)
        yield from pictures


class Clock:
    """Gives frames that come out of the decoder their times, which never go backwards.

    Where timestamps are missing or meaningless, frames follow each other at the stream's rate.
    """

    def __init__(self, stream: VideoStream, *, trust_pts: bool) -> None:
        self.time_base = stream.time_base or Fraction(1, 1_000_000)
        rate = stream.average_rate or stream.guessed_rate or DEFAULT_RATE
        self._step = 1 / (rate * self.time_base)
        self._jump = 1 / self.time_base
        self._trust_pts = trust_pts
        self._shift: Fraction | None = None
        self._last = Fraction(-1)

    def time_of(self, picture: av.VideoFrame) -> Fraction:
        """Time on screen since the first frame, in units of `time_base`; call once per frame."""
        pts = picture.pts if self._trust_pts else None
        if self._last < 0:
            time = Fraction(0)
            self._shift = None if pts is None else Fraction(-pts)
        elif pts is None or self._shift is None:
            time = self._last + self._step
        else:
            time = pts + self._shift
            if time < self._last - self._jump:
                # The clock was set back by over a second, as where recordings are joined: go on.
                time = self._last + self._step
                self._shift = time - pts
            time = max(time, self._last)
        self._last = time
        return time

    def end_after(self, picture: av.VideoFrame, gap: Fraction | None) -> Fraction:
        """When the last frame leaves the screen; `gap` is how long the one before it stayed."""
        duration = Fraction(picture.duration) if self._trust_pts and picture.duration else None
        return self._last + (duration or gap or self._step)
