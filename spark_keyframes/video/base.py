"""What a decoder gives: the one small interface that the engine knows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from spark_keyframes.video.closing import Closing
from spark_keyframes.video.frame import Frame


class Video(Closing, Protocol):
    """An opened video. Take from one iterator at a time: they share the file."""

    @property
    def frames_decoded(self) -> int:
        """Frames that came out of the decoder so far; one that did so twice counts twice.

        This and `frames_skipped` are complete when no iterator is at work, or after `close`.
        """

    @property
    def frames_skipped(self) -> int:
        """Frames of the video that did not: not needed, damaged, or not reached so far.

        0 where only decoding tells which frames there are: then all packets are decoded.
        """

    def candidate_count(self, fps: float) -> int | None:
        """How many candidates there are; None where only decoding can tell."""

    def candidates(self, fps: float) -> Iterator[Frame]:
        """The frames on screen at k/fps seconds, k = 0, 1, …, each once, in presentation order.

        Raises `ParameterError`, `NoFramesError` or `DecodeError`.
        """

    def frames(self, frame_ids: Sequence[int]) -> Iterator[Frame]:
        """The frames with these ids (of `Frame.frame_id`), sorted, each once.

        Raises `ParameterError` for an id that the video does not have, or `DecodeError`.
        """

    def close(self) -> None:
        """Free what is held; the file stays open. Frames stay usable."""
