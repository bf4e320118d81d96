"""The result of one video: its keyframes, or why it has none."""

import itertools
import math
from bisect import bisect_left
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from spark_keyframes.account import Account
from spark_keyframes.errors import KeyframesError, WindowError
from spark_keyframes.redaction import redact_text
from spark_keyframes.selection import Decision, Part, Trace
from spark_keyframes.video.window import Window

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL.Image import Image

    from spark_keyframes.html import VideoCard
    from spark_keyframes.images import Bar


ImagesAs = Literal["arrays", "encoded"]
"""Pixels, or files of `img_type`."""

OnError = Literal["null", "raise"]
"""What happens to a row that fails: it has a null result, or it ends the job."""


@dataclass(frozen=True)
class Candidates:
    """All frames that were scored, in aligned lists in order of presentation."""

    frame_ids: list[int]
    """the frames' numbers in the video, from 0"""
    timestamps: list[float]
    """seconds from the start of the video"""
    scores: list[float]
    """with CLIP the raw cosine similarity to the text; empty where there is no text"""
    embeddings: npt.NDArray[np.float32] | None = field(default=None, repr=False, compare=False)
    """N×D, each row of length 1; None where nobody asked for them"""
    duration: float | None = None
    """of the whole video, in seconds; None if that is unknown"""
    window: Window = Window()
    """the part of the video that they are of"""

    def within(self, window: Window) -> "Candidates":
        """Return those in a part of the video, with their embeddings and without scores.

        Raises:
            WindowError: the video, or the part that these are of, does not have this part.
        """
        if window.is_whole:
            return self
        if self.duration is not None:
            window.check_start(self.duration)
        end = min(window.end, self.duration or math.inf)
        if window.start < self.window.start or end > self.window.end:
            raise WindowError(
                f"there are candidates from {self.window.start:g} to {self.window.end:g} s only, "
                f"not from {window.start:g} to {end:g} s; index that part of the video too"
            )
        first, last = (bisect_left(self.timestamps, at) for at in (window.start, window.end))
        part = slice(first, last)
        return replace(
            self,
            frame_ids=self.frame_ids[part],
            timestamps=self.timestamps[part],
            embeddings=None if self.embeddings is None else self.embeddings[part],
            scores=[],
            window=window,
        )


@dataclass(frozen=True)
class Keyframes:
    """The selected frames of one video, in aligned lists ordered by frame id."""

    tos_paths: list[str] = field(
        metadata={"doc": "The URLs or paths of the stored images; empty without `output_tos_dir`."}
    )
    frame_ids: list[int] = field(
        metadata={"doc": "The frames' numbers in the video, in order of presentation, from 0."}
    )
    scores: list[float] = field(
        metadata={
            "doc": "The frames' scores: with CLIP the raw cosine similarity to the text, and with "
            "`rerank` the probability that frame and text match."
        }
    )
    timestamps: list[float]
    """seconds from the start of the video"""
    images: list[npt.NDArray[np.uint8]] = field(repr=False, compare=False)
    """H×W×3 uint8 RGB arrays, full size, upright; empty with return_keyframes=False"""
    candidates: Candidates = field(repr=False)
    """all frames with their scores, from which the keyframes were chosen"""
    account: Account = field(repr=False, compare=False)
    """seconds by stage, frames and bytes"""
    source: str = ""
    """the video's name, without credentials"""
    identity: str = ""
    """hex SHA-256 of the URL as given, or of the video's bytes for base64 and binary"""
    text: str = ""
    """the text that the frames were compared with"""
    image_files: list[bytes] = field(default_factory=list, repr=False, compare=False)
    """the images as files of `img_type`, where `transform` was asked for them; otherwise empty"""
    decision: Decision | None = field(default=None, repr=False, compare=False)
    """what was chosen, for `explain`"""

    @property
    def image_bytes(self) -> int:
        """The memory that the images take."""
        return sum(rgb.nbytes for rgb in self.images) + sum(map(len, self.image_files))

    @property
    def nbytes(self) -> int:
        """The memory that the images and the embeddings take."""
        return self.image_bytes + _bytes_of(self.candidates.embeddings)

    def explain(self) -> Trace:
        """Return why these frames were chosen; `print` it, or look at its fields.

        For AKS it is the tree of segments: how many keyframes each gives, the mean of its scores
        and of its best, why it was halved or not, and which frames it gave. Other selectors say in
        a line how they choose. Then there is what `rerank`, `min_score`, `min_gap` and
        `max_similarity` left out or replaced. No frame is decoded or scored.

        Raises:
            ValueError: the object was made by hand.
            SelectorError: `explain` of a selector of your own failed.
        """
        if self.decision is None:
            raise ValueError(
                "only keyframes that were chosen here, as by sample(), can be explained"
            )
        return self.decision.explain(self.candidates.scores, self.candidates.timestamps)

    def _repr_html_(self) -> str:
        """Show the keyframes over the score curve, in a notebook."""
        from spark_keyframes.html import cards_html

        return cards_html([self._card()])

    def _card(self) -> "VideoCard":
        from spark_keyframes.html import Curve, Images, card_of_result

        how: dict[str, Any] = {}
        try:
            trace = self.explain() if self.decision else None
            if trace is not None:
                how = {"explanation": str(trace), "root": trace.root}
        except KeyframesError as error:  # of a selector of the user's
            how = {"note": f"Why these frames were chosen is not known: {error}"}
        return card_of_result(
            self.source,
            self.text,
            {"frame_ids": self.frame_ids, "scores": self.scores, "tos_paths": self.tos_paths},
            seconds=self.timestamps,
            curve=Curve(seconds=self.candidates.timestamps, scores=self.candidates.scores),
            images=Images(
                self.images or self.image_files,
                missing="it was not returned; sample with return_keyframes=True",
            ),
            **how,
        )

    def contact_sheet(
        self, *, spans: "list[tuple[float, float]] | None" = None, explain: bool = False
    ) -> "Image":
        """Draw the keyframes with time and score, over the score curve of the video.

        Args:
            spans: (start, end) in seconds to shade, where the text is known to be true.
            explain: draw under the curve how the selector divided the video; see `explain`.

        Raises:
            ValueError: there are no images, as with return_keyframes=False.
        """
        from spark_keyframes.images import SheetFrame, contact_sheet

        root = self.explain().root if explain else None
        if not self.frame_ids:
            raise ValueError("no keyframe was selected, so there is nothing to show")
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
            text=self.text,
            video=self.source.rsplit("/", 1)[-1],
            subtitle=f"{len(frames)} of {counted_candidates(self)}",
            spans=spans or (),
            bars=list(_bars(root, self.candidates.timestamps)) if root else (),
        )


def counted_candidates(keyframes: Keyframes) -> str:
    """Say how many candidates were scored, and of how many if not of all."""
    seen, total = len(keyframes.candidates.frame_ids), keyframes.account.candidates_total
    some = f" that were looked at, of {total} in all" if seen < total else ""
    return f"{seen} candidate{'' if seen == 1 else 's'}{some}"


def _bars(part: Part, timestamps: list[float], row: int = 0) -> "Iterator[Bar]":
    """Yield a part and all parts of it for a contact sheet, each up to where the next begins."""
    from spark_keyframes.images import Bar

    end = timestamps[min(part.stop, len(timestamps) - 1)]
    yield Bar(part.times[0], end, row, part.places, divided=bool(part.parts))
    for each in part.parts:
        yield from _bars(each, timestamps, row + 1)


class KeyframesOfTexts(list[Keyframes | None]):
    """The keyframes of each text, in order, as a list; None for a null text."""

    def _repr_html_(self) -> str:
        """Show them one below the other, in a notebook."""
        from spark_keyframes.html import VideoCard, cards_html

        title = next((each.source for each in self if each is not None), "No keyframes")
        null = VideoCard(title=title, note="There is no result: the text is null.")
        cards = [null if each is None else each._card() for each in self]
        return cards_html(cards or [VideoCard(title=title, note="No text was given.")])


@dataclass(frozen=True)
class Answers:
    """The keyframes of one video for several texts; images of equal frames are shared."""

    keyframes: list[Keyframes | None]
    """of each text, in order; None for a null text"""
    account: Account = field(default_factory=Account, repr=False, compare=False)
    """what the video took for all texts together"""
    candidates: Candidates = field(default_factory=lambda: Candidates([], [], []), repr=False)
    """all frames that were scored; the scores are those of each text's keyframes"""

    @property
    def frames(self) -> dict[int, tuple[npt.NDArray[np.uint8] | None, bytes | None]]:
        """All keyframes by their id, ascending, each once: its image and its file, if any."""
        found = {
            frame_id: (image, file)
            for each in self.keyframes
            if each is not None
            for frame_id, image, file in itertools.zip_longest(
                each.frame_ids, each.images, each.image_files
            )
        }
        return dict(sorted(found.items()))

    @property
    def image_bytes(self) -> int:
        """The memory that the images take."""
        frames = self.frames.values()
        return sum(image.nbytes for image, _ in frames if image is not None) + sum(
            len(file) for _, file in frames if file is not None
        )

    @property
    def nbytes(self) -> int:
        """The memory that the images and the embeddings take."""
        return self.image_bytes + _bytes_of(self.candidates.embeddings)


def _bytes_of(embeddings: npt.NDArray[np.float32] | None) -> int:
    return 0 if embeddings is None else embeddings.nbytes


@dataclass(frozen=True)
class Failure:
    """The reason why a video has no keyframes."""

    stage: str
    """see KeyframesError.stage"""
    error: str
    """name of the exception's class"""
    message: str
    """what was wrong, the value, and what to do"""
    cause: BaseException = field(repr=False, compare=False)
    """the exception itself, for on_error="raise" """
    account: Account = field(default_factory=Account, repr=False, compare=False)
    """what the video took until then"""

    @classmethod
    def of(
        cls, error: BaseException, stage: str, source: str = "", *, account: Account | None = None
    ) -> "Failure":
        """Make a failure of an exception.

        Args:
            error: what was raised.
            stage: where it was raised; a KeyframesError knows its own.
            source: the video's name, which is put before a message that lacks it.
            account: what the video took.
        """
        message = str(error)
        if not isinstance(error, KeyframesError):
            # Messages of other packages may hold a URL with its signature.
            message = redact_text(message)
        if source not in message:
            message = f"{source}: {message}"
        if isinstance(error, KeyframesError):
            stage = error.stage
            error.args = (message,)
        name = type(error).__name__
        return cls(stage, name, message, cause=error, account=account or Account())


class VideoFailedError(Exception):
    """A video failed, and the run was asked to end at the first failure."""

    def __init__(self, number: int, failure: Failure) -> None:
        super().__init__(failure.message)
        self.number = number
        """of its request, from 0"""
        self.failure = failure
