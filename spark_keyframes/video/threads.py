"""Decoding in threads of this process: nothing to start, but a codec that crashes ends all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import BinaryIO

from spark_keyframes.limits import Limits
from spark_keyframes.video.av_video import open_video
from spark_keyframes.video.base import Picture
from spark_keyframes.video.closing import Closing
from spark_keyframes.video.frame import Frame
from spark_keyframes.video.held import HeldFrames
from spark_keyframes.video.thread_slots import Slots


class ThreadDecoder(Closing):
    """A `Decoder` whose videos share so many threads.

    Of `limits` it cannot enforce max_decode_seconds and max_decode_bytes: a codec is not to be
    stopped from the outside.
    """

    def __init__(self, threads: int, *, limits: Limits = Limits()) -> None:
        self._threads = threads
        self._limits = limits
        self._slots = Slots(threads)

    def open(self, file: BinaryIO, *, format_hint: str | None = None) -> ThreadVideo:
        """See `Decoder`."""
        video = open_video(
            file,
            format_hint=format_hint,
            threads=self._threads,
            slots=self._slots,
            limits=self._limits,
        )
        return ThreadVideo(HeldFrames(video, self._slots))

    def close(self) -> None:
        """Nothing to do: a thread ends with its video."""


class ThreadVideo(Closing):
    """A `Video` of a ThreadDecoder; its methods are described there."""

    def __init__(self, frames: HeldFrames) -> None:
        self._frames = frames

    @property
    def frames_decoded(self) -> int:
        """See `Video`."""
        return self._frames.video.frames_decoded

    @property
    def frames_skipped(self) -> int:
        """See `Video`."""
        return self._frames.video.frames_skipped

    @property
    def decoded_again(self) -> int:
        """See `Video`."""
        return self._frames.decoded_again

    def candidate_count(self, fps: float) -> int | None:
        """See `Video`."""
        return self._frames.video.candidate_count(fps)

    def candidates(self, fps: float, *, hold: bool) -> Iterator[Picture]:
        """See `Video`."""
        return map(_picture, self._frames.candidates(fps, hold=hold))

    def forget(self, frame_ids: Iterable[int]) -> None:
        """See `Video`."""
        self._frames.forget(frame_ids)

    def pictures(self, frame_ids: Sequence[int]) -> Iterator[Picture]:
        """See `Video`."""
        return map(_picture, self._frames.frames(frame_ids))

    def close(self) -> None:
        """See `Video`."""
        self._frames.close()


def _picture(frame: Frame) -> Picture:
    return Picture(frame.frame_id, frame.timestamp, frame.to_rgb(), frame.nbytes)
