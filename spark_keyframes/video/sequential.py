"""Decoding in sequence: every packet in order, for videos whose timestamps cannot be trusted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import chain

import av
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from spark_keyframes.errors import ParameterError
from spark_keyframes.video.counters import Counters
from spark_keyframes.video.frame import Frame
from spark_keyframes.video.frame_order import DecodingTimes
from spark_keyframes.video.memory_limit import raise_if_out_of_memory
from spark_keyframes.video.timeline import DEFAULT_RATE, candidate_step, is_candidate
from spark_keyframes.video.window import Window


def decode_all(
    codec: VideoCodecContext, packets: Iterable[Packet[VideoStream]], counters: Counters
) -> Iterator[av.VideoFrame]:
    """Yield every frame in presentation order; skip damaged packets, as video players do."""
    codec.skip_frame = "DEFAULT"
    codec.flush_buffers()
    for packet in chain(packets, [None]):  # None returns the frames that the decoder still holds
        counters.decoded += packet is not None
        try:
            pictures = codec.decode(packet)
        except av.error.FFmpegError as error:
            raise_if_out_of_memory(error, codec.width * codec.height)
            counters.failed += 1
            continue
        counters.count_frames(pictures)
        counters.doubtful += len(pictures)
        yield from pictures


class MonotonicTimes:
    """Assigns each decoded frame a time that never decreases.

    Where timestamps are missing, frames follow each other at the stream's rate.
    """

    def __init__(self, stream: VideoStream, decoding_times: DecodingTimes | None = None) -> None:
        """Prepare for the frames of a stream; use `decoding_times` in place of their timestamps."""
        self.time_base = stream.time_base or Fraction(1, 1_000_000)
        rate = stream.average_rate or stream.guessed_rate or DEFAULT_RATE
        self._step = 1 / (rate * self.time_base)
        self._largest_step_back = 1 / self.time_base  # one second
        self._decoding_times = decoding_times
        self._place = -1
        self._shift: Fraction | None = None
        self._last = Fraction(-1)
        self.duration: float | None = None
        """Seconds up to the end of the last frame; None until all were decoded."""

    @property
    def has_begun(self) -> bool:
        """Whether there was a frame."""
        return self._last >= 0

    def seconds(self, time: Fraction) -> float:
        """Return the seconds of a time."""
        return float(time * self.time_base)

    def time_of(self, picture: av.VideoFrame) -> Fraction:
        """Return the time since the first frame, in units of `time_base`; call once per frame."""
        return self.time_at(self._stamp_of(picture))

    def time_at(self, stamp: int | None) -> Fraction:
        """Return the time of a frame by its timestamp alone, as `time_of` does."""
        if self._last < 0:
            time = Fraction(0)
            self._shift = None if stamp is None else Fraction(-stamp)
        elif stamp is None or self._shift is None:
            time = self._last + self._step
        else:
            time = stamp + self._shift
            if time < self._last - self._largest_step_back:
                # Timestamps restart, as in joined recordings: continue from the last frame.
                time = self._last + self._step
                self._shift = time - stamp
            time = max(time, self._last)
        self._last = time
        return time

    def _stamp_of(self, picture: av.VideoFrame) -> int | None:
        if self._decoding_times is None:
            return picture.pts
        self._place = self._decoding_times.place_of(picture.pts, self._place)
        return self._decoding_times.time_at(self._place)

    def end_after(self, picture: av.VideoFrame | None, gap: Fraction | None) -> Fraction:
        """Return the end of the last frame, None if it is lost.

        `gap` is how long the frame before it stays.
        """
        # The duration of a packet is that up to the next packet, in decode order.
        duration = picture.duration if picture is not None and not self._decoding_times else None
        return self._last + (Fraction(duration or 0) or gap or self._step)


def candidates_in_sequence(
    times: MonotonicTimes, pictures: Iterable[av.VideoFrame], fps: float, window: Window
) -> Iterator[Frame]:
    """Yield the candidates of a window; decode no frame behind the one at its end.

    Args:
        times: gives each frame its time, and gets the duration if the end of the video is reached.
        pictures: all frames of the video.
        fps: candidates per second.
        window: the part of the video. The whole has a candidate, unless there is no frame.
    """
    step = candidate_step(fps, times.time_base)
    last = start = gap = picture = None
    for frame_id, following in enumerate(pictures):
        time = times.time_of(following)
        if picture is not None and start is not None:
            gap = time - start
            if times.seconds(start) >= window.start and is_candidate(start, time, step):
                yield Frame(frame_id - 1, times.seconds(start), picture)
        if times.seconds(time) >= window.end:
            return
        last, start, picture = frame_id, time, following
    if picture is None or start is None or last is None:
        return
    end = times.end_after(picture, gap)
    times.duration = times.seconds(end)
    if times.seconds(start) >= window.start and is_candidate(start, end, step):
        yield Frame(last, times.seconds(start), picture)


def frames_in_sequence(
    times: MonotonicTimes, pictures: Iterable[av.VideoFrame], frame_ids: Sequence[int]
) -> Iterator[Frame]:
    """Yield the frames with these ids, which increase; decode none behind the last of them.

    Raises:
        ParameterError: the video has no frame with this id.
    """
    if not frame_ids:
        return
    wanted = set(frame_ids)
    count = 0
    for frame_id, picture in enumerate(pictures):
        time = times.time_of(picture)
        count = frame_id + 1
        if frame_id in wanted:
            yield Frame(frame_id, times.seconds(time), picture)
            if frame_id == frame_ids[-1]:
                return
    raise no_such_frame(frame_ids[-1], count)


def check_frame_ids(frame_ids: Sequence[int], count: int | None) -> None:
    """Raise ParameterError for an id, of ascending ones, that a video of `count` frames lacks."""
    for frame_id in (*frame_ids[:1], *frame_ids[-1:]):
        if frame_id < 0 or (count is not None and frame_id >= count):
            raise no_such_frame(frame_id, count)


def no_such_frame(frame_id: int, count: int | None) -> ParameterError:
    """Return the error for a frame that the video, of `count` frames, does not have."""
    return ParameterError(
        f"the video has no frame {frame_id}; frame ids go from 0"
        + (f" to {count - 1}" if count is not None else "")
    )
