"""One video on its way from a row's value to its keyframes."""

import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from spark_keyframes.engine.budget import ByteBudget
from spark_keyframes.engine.writer import ImageWriter
from spark_keyframes.errors import RowTooLargeError
from spark_keyframes.images import Pixels
from spark_keyframes.module import KeyframesModule
from spark_keyframes.result import Account, Candidates, Failure, Keyframes
from spark_keyframes.selection import Survivors
from spark_keyframes.video import Frame, Slots, Source, Video

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
        *,
        threads: int,
        slots: Slots,
        writer: ImageWriter | None = None,
        row_bytes: int | None = None,
    ) -> None:
        self.request = request
        self.outcome: Keyframes | Failure | None = None
        self.done = False
        self.decoded = False
        """no more candidates will come"""
        self.account = Account()
        self._module = module
        self._scorer = scorer
        self._budget = budget
        self._threads = threads
        self._slots = slots
        self._writer = writer
        self._row_bytes = row_bytes
        self._source_name = ""
        self._stage = "open"
        self._stage_began = 0.0
        self._frame_ids: list[int] = []
        self._timestamps: list[float] = []
        self._scores: list[float] = []
        self._confirmed: list[float] = []
        self._wants_images = writer is not None or module.parameters.return_keyframes
        self._held: dict[int, Frame] = {}
        """of candidates that can still be selected, where images are wanted"""
        self._held_pixels: dict[int, torch.Tensor] = {}
        """of the same where no images are: CLIP's small pictures, for a second look"""
        self._survivors: Survivors | None = None
        self._lock = threading.Lock()
        self._scored = threading.Event()
        self._all_confirmed = threading.Event()
        self._cancelled = False

    def run(self) -> None:
        """Do all of it, in the calling thread; afterwards `outcome` is set. Never raises."""
        self._stage_began = time.perf_counter()
        try:
            self.outcome = self._keyframes()
        except Exception as error:  # noqa: BLE001 - whatever a video does, it costs its own row only
            self._enter(self._stage)  # its seconds up to here
            self.outcome = Failure.of(error, self._stage, self._source_name, account=self.account)
            _forget_frames_of(error)
        finally:
            for index in [*self._held, *self._held_pixels]:
                self._forget(index)
            self.decoded = self.done = True
            self._scorer.notify()

    def cancel(self) -> None:
        """Make `run` end soon; from any thread."""
        self._cancelled = True
        self._scored.set()
        self._all_confirmed.set()

    def add_score(self, score: float) -> None:
        """Take in the score of the next candidate; called by the scoring thread."""
        with self._lock:
            index = len(self._scores)
            self._scores.append(score)
            self.account.frames_scored += 1
            if self._survivors is not None and index < self._survivors.count:
                for out in self._survivors.add(index, score):
                    self._forget(out)
            self._check_scored()

    def add_confirmed(self, scores: list[float]) -> None:
        """Take in the exact scores of what was sent to `Scorer.confirm`, in order."""
        self._confirmed = scores
        self._all_confirmed.set()

    def _enter(self, stage: str) -> None:
        """Begin a stage: what fails from now on fails in it, and its seconds count."""
        now = time.perf_counter()
        self.account.seconds[self._stage] += now - self._stage_began
        self._stage, self._stage_began = stage, now

    def _keyframes(self) -> Keyframes:
        with self._module.open_source(self.request.video) as source:
            self._source_name = source.name
            self._enter("demux")
            opening = self._module.open_video(source, threads=self._threads, slots=self._slots)
            with self._counted(opening) as video:
                with self._slots.held():
                    self._submit_candidates(video)
                self._wait_for_scores()
                self._confirm(video)
                self._enter("select")
                chosen = self._module.select(self._scores)
                return self._finish(source, video, chosen)

    @contextmanager
    def _counted(self, opening: AbstractContextManager[Video]) -> Iterator[Video]:
        """The video, whose frames count when it is closed: only then do its threads rest."""
        video = None
        try:
            with opening as video:
                yield video
        finally:
            if video is not None:
                self.account.frames_decoded = video.frames_decoded
                self.account.frames_skipped = video.frames_skipped

    def _submit_candidates(self, video: Video) -> None:
        fps = self._module.parameters.fps
        count = video.candidate_count(fps)
        if count is not None:
            self._survivors = self._module.survivors(count)
        self._enter("decode")
        for index, frame in enumerate(video.candidates(fps)):
            self._enter("preprocess")
            pixels = self._module.preprocess(frame)
            self._frame_ids.append(frame.frame_id)
            self._timestamps.append(frame.timestamp)
            self._hold(index, frame, pixels)
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

    def _hold(self, index: int, frame: Frame, pixels: "torch.Tensor") -> None:
        # What does not fit is decoded again if it is selected.
        if self._budget.take(frame.nbytes if self._wants_images else pixels.nbytes):
            with self._lock:
                if self._wants_images:
                    self._held[index] = frame
                else:
                    self._held_pixels[index] = pixels

    def _forget(self, index: int) -> None:
        for held in (self._held.pop(index, None), self._held_pixels.pop(index, None)):
            if held is not None:
                self._budget.give_back(held.nbytes)

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
        held = self._held_pixels
        frames = self._full_size(video, [index for index in doubtful if index not in held])
        pixels = [
            held[index] if index in held else self._module.preprocess(next(frames))
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
        with self._writer.begin(source) if self._writer else nullcontext() as upload:
            for frame in self._full_size(video, chosen) if keep or upload else ():
                if keep:
                    self._check_row(len(chosen), frame)
                rgb = frame.to_rgb()
                if keep:
                    images.append(rgb)
                if upload:
                    upload.add(frame.frame_id, rgb)
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

    def _full_size(self, video: Video, chosen: list[int]) -> Iterator[Frame]:
        """The candidates `chosen`, in order: those held, and the others decoded once more."""
        missing = [self._frame_ids[index] for index in chosen if index not in self._held]
        self.account.decoded_again += len(missing)
        again = video.frames(missing) if missing else iter(())
        for index in chosen:
            if index in self._held:
                yield self._held[index]
            else:
                stage = self._stage
                self._enter("decode")
                frame = next(again)
                self._enter(stage)
                yield frame

    def _check_row(self, count: int, frame: Frame) -> None:
        size = count * frame.height * frame.width * 3
        if self._row_bytes is not None and size > self._row_bytes:
            raise RowTooLargeError(
                f"{count} images of {frame.width}×{frame.height} pixels take "
                f"{size / 2**30:.1f} GiB as arrays, more than the {self._row_bytes / 2**30:.0f} "
                "GiB that a row may hold; use return_keyframes=False with output_tos_dir, or a "
                "smaller max_num_frames"
            )


def _forget_frames_of(error: BaseException) -> None:
    """Free what the stack frames of a kept error refer to: a video in memory, decoded frames."""
    seen: set[int] = set()
    pending: list[BaseException | None] = [error]
    while pending:
        current = pending.pop()
        if current is not None and id(current) not in seen:
            seen.add(id(current))
            traceback.clear_frames(current.__traceback__)
            pending += [current.__cause__, current.__context__]
