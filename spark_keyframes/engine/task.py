"""One video on its way from a row's value to its keyframes."""

import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

from spark_keyframes.account import Account
from spark_keyframes.engine.frame_cache import ByteBudget, FrameCache
from spark_keyframes.engine.image_writer import ImageWriter, Upload
from spark_keyframes.errors import RowTooLargeError, error_chain
from spark_keyframes.images import Pixels
from spark_keyframes.module import KeyframesModule
from spark_keyframes.result import Candidates, Failure, Keyframes
from spark_keyframes.selection import Survivors
from spark_keyframes.urls import redact_url
from spark_keyframes.video import Decoder, RgbFrame, Source, Video

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Request:
    """A row's question: which frames of this video match this text."""

    video: Any
    """path or URL, base64 or bytes, as video_src_type says; None for a null"""
    text: str | None
    """None for a null"""


class CancelledError(Exception):
    """The engine was closed while this task was at work."""


class Scorer(Protocol):
    """Where a task sends its candidates' pixels; their scores come back through `add_score`."""

    def submit(self, task: "VideoTask", pixels: "torch.Tensor") -> None:
        """Wait for room, then queue; CancelledError once the engine is closed."""
        ...

    def confirm(self, task: "VideoTask", pixels: "list[torch.Tensor]") -> None:
        """Ask for exact scores, which come back together through `add_confirmed`."""
        ...

    def notify(self) -> None:
        """Say that a task has sent its last candidate, or is done."""
        ...


class VideoTask:
    """Carries one video through open, decode, score, select and store.

    `run` works in a thread of its own. Only the scoring is shared with other videos: `run` submits
    pixels, and the scoring thread answers with `add_score`, in the same order. Frames that can no
    longer be selected are let go as soon as their scores say so.
    """

    def __init__(
        self,
        request: Request,
        module: KeyframesModule,
        scorer: Scorer,
        budget: ByteBudget,
        decoder: Decoder,
        *,
        row: int = 0,
        writer: ImageWriter | None = None,
        row_bytes: int | None = None,
    ) -> None:
        self.request = request
        self.row = row
        """number of the request, from 0"""
        self.stage = "open"
        """where it is, or where it ended"""
        self.outcome: Keyframes | Failure | None = None
        self.done = False
        self.decoded = False
        """no more candidates will come"""
        self.account = Account()
        self._module = module
        self._scorer = scorer
        self._decoder = decoder
        self._writer = writer
        self._row_bytes = row_bytes
        self._source_name = ""
        self._stage_began = 0.0
        self._began: float | None = None
        self._ended: float | None = None
        self._frame_ids: list[int] = []
        self._timestamps: list[float] = []
        self._scores: list[float] = []
        self._confirmed: list[float] = []
        self._holding = FrameCache(
            budget, images=writer is not None or module.parameters.return_keyframes
        )
        self._survivors: Survivors | None = None
        self._lock = threading.Lock()
        self._scored = threading.Event()
        self._all_confirmed = threading.Event()
        self._cancelled = False
        self._upload: Upload | None = None

    def run(self) -> None:
        """Do all of it, in the calling thread; afterwards `outcome` is set. Never raises."""
        self._began = self._stage_began = time.perf_counter()
        try:
            self.outcome = self._keyframes()
        except Exception as error:  # noqa: BLE001 - whatever a video does, it costs its own row only
            self._enter(self.stage)  # its seconds up to here
            self.outcome = Failure.of(error, self.stage, self._source_name, account=self.account)
            _forget_frames_of(error)
        finally:
            self._holding.clear()
            self._ended = time.perf_counter()
            if self._module.parameters.video_src_type != "video_url":
                # It may be 50 MB, and the outcome may wait long for a slower video before it.
                self.request = replace(self.request, video=None)
            self.decoded = self.done = True
            self._scorer.notify()

    @property
    def name(self) -> str:
        """The video's name, without credentials; before it is opened, bytes have none."""
        video, kind = self.request.video, self._module.parameters.video_src_type
        of_url = redact_url(video) if kind == "video_url" and isinstance(video, str) else kind
        return self._source_name or of_url

    @property
    def seconds(self) -> float:
        """On the clock, from its beginning to now or to its end; 0 before."""
        if self._began is None:
            return 0.0
        return (self._ended or time.perf_counter()) - self._began

    @property
    def video_seconds(self) -> float:
        """How far into the video its candidates are, or went."""
        return self._timestamps[-1] if self._timestamps else 0.0

    def cancel(self) -> None:
        """Make `run` end soon; from any thread."""
        self._cancelled = True
        self._scored.set()
        self._all_confirmed.set()
        if self._upload is not None:
            self._upload.cancel()

    def add_score(self, score: float) -> None:
        """Take in the score of the next candidate; called by the scoring thread."""
        with self._lock:
            index = len(self._scores)
            self._scores.append(score)
            self.account.frames_scored += 1
            if self._survivors is not None and index < self._survivors.count:
                for out in self._survivors.add(index, score):
                    self._holding.forget(out)
            self._check_scored()

    def add_confirmed(self, scores: list[float]) -> None:
        """Take in the exact scores of what was sent to `Scorer.confirm`, in order."""
        self._confirmed = scores
        self._all_confirmed.set()

    def _enter(self, stage: str) -> None:
        """Begin a stage: what fails from now on fails in it, and its seconds count."""
        now = time.perf_counter()
        self.account.seconds[self.stage] += now - self._stage_began
        self.stage, self._stage_began = stage, now

    def _keyframes(self) -> Keyframes:
        with self._module.open_source(self.request.video) as source:
            self._source_name = source.name
            self._enter("demux")
            with self._counted(source) as video:
                self._submit_candidates(video)
                self._wait_for_scores()
                self._confirm(video)
                self._enter("select")
                chosen = self._module.select(self._scores)
                return self._finish(source, video, chosen)

    @contextmanager
    def _counted(self, source: Source) -> Iterator[Video]:
        """The video, whose frames count when it is closed: only then does its decoder rest."""
        video = self._decoder.open(source.file, format_hint=source.format_hint)
        try:
            with video:
                yield video
        finally:
            self.account.frames_decoded = video.frames_decoded
            self.account.frames_skipped = video.frames_skipped
            self.account.decoded_again = video.decoded_again

    def _submit_candidates(self, video: Video) -> None:
        fps = self._module.parameters.fps
        count = video.candidate_count(fps)
        if count is not None:
            self._survivors = self._module.survivors(count)
        self._enter("decode")
        for index, picture in enumerate(video.candidates(fps, hold=self._holding.images)):
            self._enter("preprocess")
            pixels = self._module.preprocess(picture.rgb)
            self._frame_ids.append(picture.frame_id)
            self._timestamps.append(picture.timestamp)
            self._holding.hold(index, video, picture, pixels)
            with self._waiting():
                self._scorer.submit(self, pixels)
            self._enter("decode")

    @contextmanager
    def _waiting(self) -> Iterator[None]:
        """The clock of the stage stands still, that of waiting runs."""
        self._enter("clip")
        began = self._stage_began
        yield
        waited = time.perf_counter() - began
        self.account.waited += waited
        self._stage_began += waited  # the scoring thread adds the seconds of "clip"
        if self._cancelled:
            raise CancelledError

    def _wait_for_scores(self) -> None:
        with self._lock:
            self.decoded = True
            self._check_scored()
        with self._waiting():
            self._scorer.notify()
            self._scored.wait()

    def _confirm(self, video: Video) -> None:
        """Score exactly the candidates whose selection hangs on the precision of their scores."""
        self._enter("select")
        doubtful = self._module.contested(self._scores)
        if not doubtful:
            return
        self._enter("preprocess")
        held = self._holding.pixels
        missing = [index for index in doubtful if index not in held]
        pictures = self._pictures(video, missing)
        pixels = [
            held[index] if index in held else self._module.preprocess(next(pictures).rgb)
            for index in doubtful
        ]
        with self._waiting():
            self._scorer.confirm(self, pixels)
            self._all_confirmed.wait()
        self.account.scored_again = len(doubtful)
        for index, score in zip(doubtful, self._confirmed, strict=True):
            self._scores[index] = score

    def _check_scored(self) -> None:
        if self.decoded and len(self._scores) == len(self._frame_ids):
            self._scored.set()

    def _finish(self, source: Source, video: Video, chosen: list[int]) -> Keyframes:
        images: list[Pixels] = []
        tos_paths: list[str] = []
        keep = self._module.parameters.return_keyframes
        self._enter("encode")
        with self._uploading(source) as upload:
            if self._cancelled:
                raise CancelledError
            for picture in self._pictures(video, chosen) if keep or upload else ():
                if keep:
                    self._check_row(len(chosen), picture.rgb)
                    images.append(picture.rgb.copy())
                if upload:
                    upload.add(picture.frame_id, picture.rgb)
            if upload:
                self._enter("upload")
                tos_paths = upload.finish()
        self._enter("select")  # stops the clock of the last stage
        return Keyframes(
            tos_paths=tos_paths,
            frame_ids=[self._frame_ids[index] for index in chosen],
            scores=[self._scores[index] for index in chosen],
            timestamps=[self._timestamps[index] for index in chosen],
            images=images,
            candidates=Candidates(self._frame_ids, self._timestamps, self._scores),
            account=self.account,
            source=source.name,
            text=self.request.text or "",
        )

    @contextmanager
    def _uploading(self, source: Source) -> Iterator[Upload | None]:
        """The upload, if there is one, whose images count when it is closed: only then it rests."""
        if self._writer is None:
            yield None
            return
        try:
            with self._writer.begin(source) as self._upload:
                yield self._upload
        finally:
            if self._upload is not None:
                self.account.images_uploaded = self._upload.images
                self.account.bytes_uploaded = self._upload.bytes

    def _pictures(self, video: Video, chosen: list[int]) -> Iterator[RgbFrame]:
        """The candidates `chosen`, in order; to decode them once more counts as decoding."""
        pictures = video.frames_by_id([self._frame_ids[index] for index in chosen])
        stage = self.stage
        for index in chosen:
            if not self._holding.has_frame(index):
                self._enter("decode")
            picture = next(pictures)
            self._enter(stage)
            yield picture

    def _check_row(self, count: int, rgb: Pixels) -> None:
        size, (height, width, _) = count * rgb.nbytes, rgb.shape
        if self._row_bytes is not None and size > self._row_bytes:
            raise RowTooLargeError(
                f"{count} images of {width}×{height} pixels take "
                f"{size / 2**30:.1f} GiB as arrays, more than the {self._row_bytes / 2**30:.0f} "
                "GiB that a row may hold; use return_keyframes=False with output_tos_dir, or a "
                "smaller max_num_frames"
            )


def _forget_frames_of(error: BaseException) -> None:
    """Free what the stack frames of a kept error refer to: a video in memory, decoded frames."""
    for current in error_chain(error):
        traceback.clear_frames(current.__traceback__)
