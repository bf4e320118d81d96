"""What a decoder gives: the one small interface that the engine knows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from spark_keyframes.video.closing import Closing


@dataclass(frozen=True, slots=True)
class Picture:
    """A frame as the engine sees it."""

    frame_id: int
    """Number of the frame in presentation order, from 0."""
    timestamp: float
    """When it appears, in seconds from the start of the video."""
    rgb: NDArray[np.uint8]
    """H×W×3, uint8, RGB, upright, full size. Read-only, and gone when the next picture is taken."""
    nbytes: int
    """Bytes that it takes on the decoder's side while it is held there."""


class Video(Closing, Protocol):
    """An opened video. Take from one iterator at a time: they share the file."""

    @property
    def frames_decoded(self) -> int:
        """Frames that came out of the decoder; one that did so twice counts twice.

        This, `frames_skipped` and `decoded_again` are complete after `close`.
        """

    @property
    def frames_skipped(self) -> int:
        """Frames of the video that did not: not needed, damaged, or not reached.

        0 where only decoding tells which frames there are: then all packets are decoded.
        """

    @property
    def decoded_again(self) -> int:
        """Pictures that `pictures` had to decode once more, since they were not held."""

    def candidate_count(self, fps: float) -> int | None:
        """How many candidates there are; None where only decoding can tell."""

    def candidates(self, fps: float, *, hold: bool) -> Iterator[Picture]:
        """The frames on screen at k/fps seconds, k = 0, 1, …, each once, in presentation order.

        With `hold` each is held, as the codec left it, until it is forgotten. Raises
        `ParameterError`, `NoFramesError`, `DecodeError` or `LimitError`.
        """

    def forget(self, frame_ids: Iterable[int]) -> None:
        """Let go of frames that are held, soon; from any thread."""

    def pictures(self, frame_ids: Sequence[int]) -> Iterator[Picture]:
        """The frames with these ids, which must increase: held ones, and others decoded again.

        Raises `ParameterError` for an id that the video does not have, or `DecodeError`.
        """

    def close(self) -> None:
        """Free what is held; the file stays open."""


class Decoder(Closing, Protocol):
    """Opens videos; several at a time, from several threads."""

    def open(self, file: BinaryIO, *, format_hint: str | None = None) -> Video:
        """The video in a seekable file of bytes, its timeline read.

        Raises `NotAVideoError`, `NoVideoStreamError`, `NoFramesError`, `DecodeError` or
        `LimitError`.
        """

    def close(self) -> None:
        """End all that is at work; whoever waits for it gets an error."""
