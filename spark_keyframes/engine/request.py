"""What is asked of a video, what comes of it, and what all videos of a run share."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from spark_keyframes.callback import Callbacks
from spark_keyframes.engine.scorer import BatchScorer
from spark_keyframes.images.writer import ImageWriter
from spark_keyframes.module import KeyframesModule
from spark_keyframes.parameters import Parameters
from spark_keyframes.result import Answers, Candidates, Failure, ImagesAs, Keyframes
from spark_keyframes.selection import Choice
from spark_keyframes.video import Decoder, Turns
from spark_keyframes.video.frame_cache import ByteBudget

Outcome = Keyframes | Answers | Failure | None


@dataclass(frozen=True)
class Request:
    """The question of a row: which frames of this video match this text?"""

    video: Any
    """path or URL, base64 or bytes, as video_src_type says; None for a null"""
    text: str | Sequence[str | None] | None
    """None for a null; a list for several texts, which the video is decoded once for"""
    start: Any = None
    end: Any = None
    """seconds between which the frames are, see Window; None: from the start, to the end"""
    indexed: Candidates | None = None
    """the index of the video, which is then decoded for images only"""

    @property
    def is_null(self) -> bool:
        """Whether there is nothing to ask, or nothing to ask it of."""
        return self.text is None or (self.video is None and self.indexed is None)

    @property
    def texts(self) -> list[str]:
        """The texts that frames are compared with, each once."""
        given = [self.text] if isinstance(self.text, str) else self.text or ()
        return list(dict.fromkeys(text for text in given if text is not None))


@dataclass(frozen=True)
class RunContext:
    """What all videos of a run share."""

    module: KeyframesModule
    """set up already"""
    parameters: Parameters
    choice: Choice
    callbacks: Callbacks
    scorer: BatchScorer
    budget: ByteBudget
    decoder: Decoder
    turns: Turns
    writer: ImageWriter | None = None
    """None: images are not stored"""
    row_bytes: int | None = None
    """the most bytes of images to return; None: no limit"""
    images_as: ImagesAs = "arrays"
    embeddings: bool = False
    """whether the results keep the embeddings of all candidates"""
    needs_images: bool = False
    """whether somebody wants the pictures of keyframes"""
    matcher: KeyframesModule | None = None
    """scores the best candidates again; set up already"""
