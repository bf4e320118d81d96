"""What comes out of one video."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from spark_keyframes.errors import KeyframesError

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class Candidates:
    """All frames that were compared with the text, in order of presentation."""

    frame_ids: list[int]
    """the frame's number in the video, from 0"""
    timestamps: list[float]
    """seconds from the start of the video"""
    scores: list[float]
    """raw cosine similarity to the text"""


@dataclass(frozen=True)
class Keyframes:
    """The selected frames of one video, in aligned lists ordered by frame id."""

    tos_paths: list[str]
    """where the images are; empty without output_tos_dir"""
    frame_ids: list[int]
    """the frame's number in the video, in order of presentation, from 0"""
    scores: list[float]
    """raw cosine similarity to the text"""
    timestamps: list[float]
    """seconds from the start of the video"""
    images: list[npt.NDArray[np.uint8]] = field(repr=False)
    """H×W×3 uint8 RGB, full size, upright; empty with return_keyframes=False"""
    candidates: Candidates = field(repr=False)
    """what they were chosen from: the score curve"""
    source: str = ""
    """the video's name, without credentials"""
    text: str = ""
    """what the frames were compared with"""

    def contact_sheet(self, *, spans: "list[tuple[float, float]] | None" = None) -> "Image":
        """One picture: the keyframes with time and score, over the score curve of the video.

        Arguments:
            spans: (start, end) in seconds to shade, where the text is known to be true.

        Raises ValueError with return_keyframes=False: there are no images to show.
        """
        from spark_keyframes.images import SheetFrame, contact_sheet

        if not self.images:
            raise ValueError("there are no images to show; sample with return_keyframes=True")
        frames = [
            SheetFrame(rgb=rgb, frame_id=frame_id, timestamp=timestamp, score=score)
            for rgb, frame_id, timestamp, score in zip(
                self.images, self.frame_ids, self.timestamps, self.scores, strict=True
            )
        ]
        return contact_sheet(
            frames,
            curve_times=self.candidates.timestamps,
            curve_scores=self.candidates.scores,
            title=f"“{self.text}” in {self.source.rsplit('/', 1)[-1]}",
            subtitle=f"{len(frames)} keyframes of {len(self.candidates.scores)} candidates",
            spans=spans or (),
        )


@dataclass(frozen=True)
class Failure:
    """Why a video has no keyframes."""

    stage: str
    """see KeyframesError.stage"""
    error: str
    """name of the exception's class"""
    message: str
    """what was wrong, the value, and what to do"""
    cause: Exception = field(repr=False, compare=False)
    """the exception itself, for on_error="raise" """

    @classmethod
    def of(cls, error: Exception, stage: str) -> "Failure":
        """The failure that `error` means; `stage` counts where the error does not know better."""
        if isinstance(error, KeyframesError):
            stage = error.stage
        return cls(stage=stage, error=type(error).__name__, message=str(error), cause=error)
