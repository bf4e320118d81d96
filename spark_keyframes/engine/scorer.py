"""Scores the candidates of many videos in shared batches."""

import contextlib
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from spark_keyframes.engine.candidates import CancelledError, CandidateScores
from spark_keyframes.errors import AcceleratorError, KeyframesError
from spark_keyframes.module import KeyframesModule
from spark_keyframes.prediction import Prediction, Predictor, Scores
from spark_keyframes.result import Candidates


class _Candidate(NamedTuple):
    """A frame that waits for its score."""

    video: CandidateScores
    inputs: Any


class _Begun(NamedTuple):
    """A batch that the device computes."""

    batch: list[_Candidate]
    prediction: Prediction
    seconds: float
    """that it took to begin"""


class BatchScorer:
    """Collects the candidates of several videos, and scores them batch by batch.

    The videos' threads submit; the thread that calls `step` scores. While a GPU computes a batch,
    the next one is prepared.

    Args:
        module: set up already.
        batch_size: the most frames of a batch, unless the module prefers more.
        embeddings: keep the embedding of each frame beside its score.
        pause_decoding: let videos wait while a batch is scored, but for a frame that was begun. On
            one CPU, decoding only evicts the batch's data from the caches: 2 to 6 % of all work.
    """

    def __init__(
        self,
        module: KeyframesModule,
        batch_size: int,
        *,
        embeddings: bool = False,
        pause_decoding: bool = False,
    ) -> None:
        self._batch_size = batch_size
        self._predictor = Predictor(module, batch_size, embeddings=embeddings)
        self._queue: queue.Queue[_Candidate | Callable[[], None] | None] = queue.Queue(
            2 * self._predictor.most
        )
        self._batch: list[_Candidate] = []
        self._begun: deque[_Begun] = deque()
        self._closed = threading.Event()
        self._pause_decoding = pause_decoding
        self._scoring = threading.Lock()

    def submit(self, video: CandidateScores, inputs: Any) -> None:
        """Queue the next candidate of a video; its score comes by `CandidateScores.add`.

        Waits for room. After `close` it raises CancelledError.
        """
        if self._pause_decoding:
            with self._scoring:
                pass
        self._put(_Candidate(video, inputs))

    def submit_together(
        self,
        video: CandidateScores,
        inputs: list[Any],
        texts: list[Sequence[str]],
        by: KeyframesModule | None = None,
    ) -> None:
        """Ask for scores of frames for their texts; they come by `CandidateScores.add_together`.

        They are scores of the module `by`, or without it exact ones of the scorer's own.
        """
        self._put(lambda: self._score_together(video, inputs, texts, by))

    def submit_indexed(self, video: CandidateScores, indexed: Candidates) -> None:
        """Ask for the scores of an index, which come by `CandidateScores.add_indexed`."""
        self._put(lambda: self._score_indexed(video, indexed))

    def notify(self) -> None:
        """Wake `step`: a video has submitted its last candidate, or is done."""
        with contextlib.suppress(CancelledError):
            self._put(None)

    def _put(self, item: "_Candidate | Callable[[], None] | None") -> None:
        while not self._closed.is_set():
            try:
                # After closing nothing is taken from the queue, so this must not wait for ever.
                return self._queue.put(item, timeout=0.2)
            except queue.Full:
                continue
        raise CancelledError

    def step(self) -> None:
        """Wait for an item; score a batch if one is full, or if a video waits for its last frames.

        Returns after one second without an item, too. The scores of the last batches may not be
        there yet; see `settle`.

        Raises:
            AcceleratorError: the GPU does not compute any more.
        """
        if self._queue.empty():
            self.settle()
        try:
            item = self._queue.get(timeout=1.0)
        except queue.Empty:
            return
        if isinstance(item, _Candidate):
            self._batch.append(item)
        elif item is not None:
            item()
        waiting, most = len(self._batch), self._predictor.most
        is_idle = self._queue.empty()
        # The last frames of a video do not wait for another video to fill their batch.
        is_awaited = is_idle and any(item.video.complete for item in self._batch)
        if waiting >= most or is_awaited or (is_idle and waiting >= self._batch_size):
            batch, self._batch = self._batch, []
            self._score(batch)

    def settle(self) -> None:
        """Wait for the device, and add the scores that it has computed."""
        while self._begun:
            self._collect()

    def _score(self, batch: list[_Candidate]) -> None:
        batch = [item for item in batch if item.video.error is None]
        if not batch:
            return
        began = time.perf_counter()
        try:
            prediction = self._begin(batch)
        except KeyframesError as error:
            self.settle()  # batches before this one come first
            self._blame(batch, error)
            return
        self._begun.append(_Begun(batch, prediction, time.perf_counter() - began))
        while len(self._begun) > 1 or (self._begun and self._begun[0].prediction.is_ready):
            self._collect()

    def _begin(self, batch: list[_Candidate]) -> Prediction:
        with self._scoring:
            return self._predictor.begin(
                [item.inputs for item in batch], [item.video.texts for item in batch]
            )

    def _collect(self) -> None:
        """Add the scores of the oldest batch."""
        batch, prediction, seconds = self._begun.popleft()
        began = time.perf_counter()
        try:
            scores = prediction.collect()
        except KeyframesError as error:
            self._blame(batch, error)
        else:
            self._add(batch, scores, seconds + time.perf_counter() - began)

    def _blame(self, batch: list[_Candidate], error: KeyframesError) -> None:
        """Let the video fail that a batch failed for; the others are scored without it."""
        videos = {id(item.video): item.video for item in batch}
        for video in videos.values():
            with _failing(video):
                if len(videos) == 1 or isinstance(error, AcceleratorError):
                    raise error
                of_video = [item for item in batch if item.video is video]
                began = time.perf_counter()
                scores = self._begin(of_video).collect()
                self._add(of_video, scores, time.perf_counter() - began)

    def _add(self, batch: list[_Candidate], scores: list[Scores], seconds: float) -> None:
        for item, score in zip(batch, scores, strict=True):
            item.video.account.seconds["clip"] += seconds / len(batch)
            if item.video.error is None:
                item.video.add(score)

    def _score_together(
        self,
        video: CandidateScores,
        inputs: list[Any],
        texts: list[Sequence[str]],
        by: KeyframesModule | None,
    ) -> None:
        began = time.perf_counter()
        scores: list[Scores] = []
        how: dict[str, Any] = {"by": by} if by is not None else {"exact": True}
        with _failing(video):
            for start in range(0, len(inputs), self._batch_size):
                part = slice(start, start + self._batch_size)
                with self._scoring:
                    scores += self._predictor.begin(inputs[part], texts[part], **how).collect()
            video.account.seconds["clip"] += time.perf_counter() - began
            video.add_together(scores)

    def _score_indexed(self, video: CandidateScores, indexed: Candidates) -> None:
        began = time.perf_counter()
        with _failing(video):
            scores = self._predictor.of_index(indexed.embeddings, video.texts)
            video.account.seconds["clip"] += time.perf_counter() - began
            video.add_indexed(indexed, scores)

    def close(self) -> None:
        """Refuse further items, and wake the threads that wait to submit."""
        self._closed.set()


@contextlib.contextmanager
def _failing(video: CandidateScores) -> Iterator[None]:
    """Let a video fail by what the block raises, unless the GPU is at fault."""
    try:
        yield
    except AcceleratorError:
        raise
    except KeyframesError as error:
        video.fail(error)
