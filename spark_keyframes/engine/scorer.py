"""Scores the candidates of many videos in shared batches."""

import contextlib
import itertools
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

from spark_keyframes.engine.candidates import CancelledError, CandidateScores, Scores
from spark_keyframes.errors import KeyframesError, ModuleError
from spark_keyframes.hooks import calling, finite_embeddings, finite_scores
from spark_keyframes.module import EmbeddingModule, KeyframesModule, is_cosine
from spark_keyframes.result import Candidates

_PAIRS = 4096  # of embeddings that are compared at a time


class _Candidate(NamedTuple):
    """A frame that waits for its score."""

    video: CandidateScores
    inputs: Any


class BatchScorer:
    """Collects the candidates of several videos, and scores them batch by batch.

    The videos' threads submit; the thread that calls `step` scores.

    Args:
        module: set up already.
        batch_size: the most frames of a batch.
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
        self._module = module
        self._batch_size = batch_size
        self._embeddings = embeddings
        self._queue: queue.Queue[_Candidate | Callable[[], None] | None] = queue.Queue(
            2 * batch_size
        )
        self._batch: list[_Candidate] = []
        self._closed = threading.Event()
        self._pause_decoding = pause_decoding
        self._scoring = threading.Lock()
        self._size: int | None = None
        """of the embeddings so far"""

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

        Returns after one second without an item, too.
        """
        try:
            item = self._queue.get(timeout=1.0)
        except queue.Empty:
            return
        if isinstance(item, _Candidate):
            self._batch.append(item)
        elif item is not None:
            item()
        # The last frames of a video do not wait for another video to fill their batch.
        awaited = self._queue.empty() and any(item.video.complete for item in self._batch)
        if len(self._batch) == self._batch_size or awaited:
            batch, self._batch = self._batch, []
            self._score(batch)

    def _score(self, batch: list[_Candidate]) -> None:
        batch = [item for item in batch if item.video.error is None]
        if not batch:
            return
        began = time.perf_counter()
        try:
            scores = self._predict(
                [item.inputs for item in batch], [item.video.texts for item in batch]
            )
        except KeyframesError as error:
            videos = {id(item.video): item.video for item in batch}
            if len(videos) == 1:
                batch[0].video.fail(error)
                return
            # One of the videos is to blame, so the others are scored without it.
            for video in videos.values():
                self._score([item for item in batch if item.video is video])
            return
        share = (time.perf_counter() - began) / len(batch)
        for item, score in zip(batch, scores, strict=True):
            item.video.account.seconds["clip"] += share
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
        try:
            for start in range(0, len(inputs), self._batch_size):
                part = slice(start, start + self._batch_size)
                scores += self._predict(inputs[part], texts[part], **how)
        except KeyframesError as error:
            video.fail(error)
            return
        video.account.seconds["clip"] += time.perf_counter() - began
        video.add_together(scores)

    def _score_indexed(self, video: CandidateScores, indexed: Candidates) -> None:
        import torch

        began = time.perf_counter()
        module, rows = cast(EmbeddingModule, self._module), cast(Any, indexed.embeddings)
        scores: list[list[float]] = [[] for _ in video.texts]
        try:
            with calling("embed_texts", module, ModuleError, "clip"), torch.inference_mode():
                for text, of_text in zip(video.texts, scores, strict=True):
                    device = module.unit_texts([text])[text].device
                    for start in range(0, len(rows), _PAIRS):
                        # A copy, since torch takes no read-only memory.
                        part = torch.tensor(rows[start : start + _PAIRS], device=device)
                        found = module.similarities(part, [text] * len(part))
                        of_text.extend(finite_scores(found, len(part), module))
        except KeyframesError as error:
            video.fail(error)
            return
        video.account.seconds["clip"] += time.perf_counter() - began
        video.add_indexed(indexed, scores)

    def _predict(
        self,
        inputs: Sequence[Any],
        texts: Sequence[Sequence[str]],
        *,
        by: KeyframesModule | None = None,
        **exact: bool,
    ) -> list[Scores]:
        """The scores of each frame for its texts; only KeyframesError is raised."""
        import torch

        pairs = [(i, text) for i, own in enumerate(texts) for text in own]
        module, embeddings = by or self._module, self._embeddings and by is None
        rows: Any = None
        values: list[float] = []
        with (
            self._scoring,
            calling("predict_step", module, ModuleError, "clip"),
            torch.inference_mode(),
        ):
            if embeddings or (len(pairs) > len(inputs) and is_cosine(module)):
                rows = cast(EmbeddingModule, module).unit_embeddings(inputs, **exact)
            size = self._batch_size if rows is None else _PAIRS
            for start in range(0, len(pairs), size):
                frames, of = zip(*pairs[start : start + size], strict=True)
                if rows is None:
                    predict_step: Any = module.predict_step
                    found = predict_step([inputs[i] for i in frames], of, **exact)
                else:
                    found = cast(EmbeddingModule, module).similarities(rows[list(frames)], of)
                values += finite_scores(found, len(of), module)
            kept: Sequence[Any] = [None] * len(inputs)
            if embeddings:
                kept = finite_embeddings(rows, module, size=self._size)
                self._size = kept[0].size
        rest = iter(values)
        return [
            (list(itertools.islice(rest, len(own))), row)
            for own, row in zip(texts, kept, strict=True)
        ]

    def close(self) -> None:
        """Refuse further items, and wake the threads that wait to submit."""
        self._closed.set()
