"""The interface between a decoder and the engine: `Decoder`, `Video` and `RgbFrame`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from spark_keyframes.video.centre import CentreCrop
from spark_keyframes.video.window import Window


class Closeable(Protocol):
    """A context manager that calls `close` at the end of its block."""

    def close(self) -> None:
        """Free all resources."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class FrameTime:
    """A frame without its pixels."""

    frame_id: int
    """Number of the frame in presentation order, from 0."""
    timestamp: float
    """Start of the frame, in seconds from the start of the video."""
    is_keyframe_packet: bool
    """Whether the codec's packet is flagged as a keyframe; where frames are decoded in sequence,
    whether the decoder takes the frame for one."""


@dataclass(frozen=True, slots=True)
class RgbFrame:
    """One decoded frame, converted to RGB."""

    frame_id: int
    """Number of the frame in presentation order, from 0."""
    timestamp: float
    """Start of the frame, in seconds from the start of the video."""
    rgb: NDArray[np.uint8]
    """H×W×3, uint8, RGB, upright, full size. Read-only; overwritten by the next frame.

    Undefined where it does not matter to the crop that was given as `looks_at`.
    """
    nbytes: int
    """Bytes of the decoder's memory that the frame takes while it is held."""
    is_keyframe_packet: bool
    """As in `FrameTime`."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """The candidates that will be asked for first: the arguments of `Video.candidates`."""

    fps: float
    hold: bool
    looks_at: CentreCrop | None = None


class Video(Closeable, Protocol):
    """An open video. Use one iterator at a time: all of them read the same file."""

    @property
    def stream_choice(self) -> str:
        """Which video stream is decoded, and of which; empty if there was no choice."""

    @property
    def duration(self) -> float | None:
        """Seconds from the start of the first frame to the end of the last; None: not known yet.

        Where timestamps are not reliable, it is known once the candidates were decoded up to the
        end of the video. Where a window ends before, it may not become known.
        """

    @property
    def seconds_ahead(self) -> float:
        """Wall-clock seconds of opening the video that were spent on decoding."""

    @property
    def frames_decoded(self) -> int:
        """Frames that the decoder returned. A frame decoded twice counts twice.

        Like the other counts, complete only after `close`.
        """

    @property
    def frames_skipped(self) -> int:
        """Frames that the decoder never returned: not needed, damaged, or not reached.

        0 where no packet tells which frames there are: then all packets are decoded. Of a window,
        only frames that were read may be counted.
        """

    @property
    def frames_doubtful(self) -> int:
        """Those of `frames_decoded` that were decoded in sequence, because of a doubt."""

    @property
    def decoded_again(self) -> int:
        """Frames that `frames_by_id` decoded again because they were not held."""

    def candidate_count(self, fps: float) -> int | None:
        """Return the number of candidates in the window; None if only decoding can tell."""

    def candidate_times(self, fps: float) -> Iterator[FrameTime]:
        """Yield the candidates in the window without their pixels.

        Nothing is decoded where packets tell which frames there are: then damaged frames have
        their times too.

        Raises: as `candidates`.
        """

    def gop_times(self, fps: float) -> Iterator[FrameTime]:
        """Yield the first frame of each GOP that holds a candidate of the window.

        That frame need not be a candidate, nor in the window. Candidates up to the next one are
        decoded from it on. Nothing is decoded here. Where packets do not tell which frames there
        are, there is none.
        """

    def candidates_by_id(
        self, frame_ids: Sequence[int], *, hold: bool, looks_at: CentreCrop | None = None
    ) -> Iterator[RgbFrame]:
        """Yield the frames with these ids, which must increase, as `candidates` does.

        Args:
            frame_ids: of any frames. Those that are held are decoded again.
            hold: as for `candidates`.
            looks_at: as for `candidates`.

        Raises:
            ParameterError: the video has no frame with this id.
            DecodeError: a frame is damaged, or open GOPs turn out to need those before them.
        """

    def candidates(
        self, fps: float, *, hold: bool, looks_at: CentreCrop | None = None
    ) -> Iterator[RgbFrame]:
        """Yield the frames on screen at k/fps seconds, k = 0, 1, …, in presentation order.

        Only those in the window; their ids and timestamps are those of the whole video.

        Args:
            fps: candidates per second, greater than 0. No frame is yielded twice.
            hold: keep each frame in the decoder's memory until `release`.
            looks_at: convert only the pixels that matter to this crop; None: all.

        Raises:
            ParameterError: fps is not greater than 0.
            NoFramesError: the video has no frame.
            DecodeError: no frame can be decoded.
            LimitError: the video exceeds one of the limits.
            WindowError: the video ends before the window begins.
        """

    def release(self, frame_ids: Iterable[int]) -> None:
        """Free held frames, at the latest with the next request. Any thread may call this."""

    def frames_by_id(self, frame_ids: Sequence[int]) -> Iterator[RgbFrame]:
        """Yield the frames with these ids, which must increase; decode those that are not held.

        Raises:
            ParameterError: the video has no frame with this id.
            DecodeError: a frame is damaged.
        """

    def close(self) -> None:
        """Free held frames and the decoder's state; the file stays open."""


class Decoder(Closeable, Protocol):
    """Opens videos. Several threads may open and decode several videos at the same time."""

    videos_at_once: int
    """How many videos are decoded at the same time."""

    def open(
        self,
        file: BinaryIO,
        *,
        format_hint: str | None = None,
        window: Window = Window(),
        ahead: Ahead | None = None,
    ) -> Video:
        """Open the video in a seekable binary file and read its timestamps.

        Args:
            file: read from its start; must stay open until the video is closed.
            format_hint: container to try if the content does not tell, e.g. "mp4".
            window: the part of the video whose candidates will be asked for.
            ahead: what will be asked for first, so that decoding may begin at once; None: nothing
                is decoded yet.

        Raises:
            ParameterError: fps is not greater than 0.
            NotAVideoError: the file is no video in a supported format.
            NoVideoStreamError: the container holds no video stream, or none of this number.
            NoFramesError: the video stream is empty.
            EncryptedVideoError: the video stream is encrypted.
            DecodeError: the codec is unknown.
            LimitError: the video exceeds one of the limits.
            WindowError: the video ends before the window begins.
        """

    def close(self) -> None:
        """Stop all decoding. Threads that wait for a frame get a RuntimeError."""
