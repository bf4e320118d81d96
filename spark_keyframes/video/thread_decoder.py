"""A `Decoder` that runs in threads of this process.

It starts faster than `ProcessDecoder`, but a codec that crashes ends this process.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from spark_keyframes.limits import Limits
from spark_keyframes.video.av_video import open_video
from spark_keyframes.video.centre import CentreCrop
from spark_keyframes.video.decoded_frame_cache import DecodedFrameCache
from spark_keyframes.video.frame import Frame
from spark_keyframes.video.interface import Ahead, Closeable, FrameTime, RgbFrame
from spark_keyframes.video.thread_slots import ThreadSlots
from spark_keyframes.video.timed_file import TimedFile
from spark_keyframes.video.window import Window


class ThreadDecoder(Closeable):
    """A `Decoder` whose videos share `threads` threads.

    It does not enforce `max_decode_seconds` of `limits`, and of `max_decode_bytes` only the part of
    the packets' table: a running codec cannot be interrupted from within the same process.
    """

    def __init__(
        self, threads: int, *, limits: Limits = Limits(), video_stream: int | None = None
    ) -> None:
        self.videos_at_once = threads
        self._threads = threads
        self._video_stream = video_stream
        self._limits = limits
        self._slots = ThreadSlots(threads)

    def open(
        self,
        file: BinaryIO,
        *,
        format_hint: str | None = None,
        window: Window = Window(),
        ahead: Ahead | None = None,
    ) -> ThreadVideo:
        """Implement `Decoder.open`."""
        timed = TimedFile(file, self._limits.max_download_seconds)
        video = open_video(
            cast("BinaryIO", timed),
            format_hint=format_hint,
            threads=self._threads,
            slots=self._slots,
            limits=self._limits,
            video_stream=self._video_stream,
            window=window,
        )
        return ThreadVideo(DecodedFrameCache(video, self._slots))

    def close(self) -> None:
        """Do nothing: a video ends its own threads."""


class ThreadVideo(Closeable):
    """A `Video` of a `ThreadDecoder`."""

    def __init__(self, frames: DecodedFrameCache) -> None:
        self._frames = frames

    @property
    def stream_choice(self) -> str:
        """Implement `Video.stream_choice`."""
        return self._frames.video.stream_choice

    @property
    def duration(self) -> float | None:
        """Implement `Video.duration`."""
        return self._frames.video.duration

    @property
    def seconds_ahead(self) -> float:
        """Implement `Video.seconds_ahead`."""
        return 0.0

    @property
    def frames_decoded(self) -> int:
        """Implement `Video.frames_decoded`."""
        return self._frames.video.frames_decoded

    @property
    def frames_skipped(self) -> int:
        """Implement `Video.frames_skipped`."""
        return self._frames.video.frames_skipped

    @property
    def frames_doubtful(self) -> int:
        """Implement `Video.frames_doubtful`."""
        return self._frames.video.frames_doubtful

    @property
    def decoded_again(self) -> int:
        """Implement `Video.decoded_again`."""
        return self._frames.decoded_again

    def candidate_count(self, fps: float) -> int | None:
        """Implement `Video.candidate_count`."""
        return self._frames.video.candidate_count(fps)

    def candidate_times(self, fps: float) -> Iterator[FrameTime]:
        """Implement `Video.candidate_times`."""
        return self._frames.candidate_times(fps)

    def gop_times(self, fps: float) -> Iterator[FrameTime]:
        """Implement `Video.gop_times`."""
        return self._frames.video.gop_times(fps)

    def candidates(
        self, fps: float, *, hold: bool, looks_at: CentreCrop | None = None
    ) -> Iterator[RgbFrame]:
        """Implement `Video.candidates`."""
        return _looked_at(self._frames.candidates(fps, hold=hold), looks_at)

    def candidates_by_id(
        self, frame_ids: Sequence[int], *, hold: bool, looks_at: CentreCrop | None = None
    ) -> Iterator[RgbFrame]:
        """Implement `Video.candidates_by_id`."""
        return _looked_at(self._frames.candidates_by_id(frame_ids, hold=hold), looks_at)

    def release(self, frame_ids: Iterable[int]) -> None:
        """Implement `Video.release`."""
        self._frames.release(frame_ids)

    def frames_by_id(self, frame_ids: Sequence[int]) -> Iterator[RgbFrame]:
        """Implement `Video.frames_by_id`."""
        for frame in self._frames.frames_by_id(frame_ids):
            yield _as_rgb(frame, frame.to_rgb())

    def close(self) -> None:
        """Implement `Video.close`."""
        self._frames.close()


def _looked_at(frames: Iterable[Frame], looks_at: CentreCrop | None) -> Iterator[RgbFrame]:
    out = np.empty((0, 0, 3), np.uint8)
    for frame in frames:
        size = frame.height, frame.width, 3
        if looks_at is not None and out.shape != size:
            out = np.zeros(size, np.uint8)
        yield _as_rgb(frame, frame.to_rgb(looks_at=looks_at, out=out if looks_at else None))


def _as_rgb(frame: Frame, rgb: NDArray[np.uint8]) -> RgbFrame:
    return RgbFrame(frame.frame_id, frame.timestamp, rgb, frame.nbytes, frame.is_keyframe_packet)
