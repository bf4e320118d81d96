"""The candidates of one video and their scores, which another thread adds."""

import itertools
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import numpy as np

from spark_keyframes.account import Account
from spark_keyframes.errors import RowTooLargeError
from spark_keyframes.prediction import Embedding, Scores
from spark_keyframes.result import Candidates
from spark_keyframes.selection import Choice, Decision, Survivors
from spark_keyframes.video import Window
from spark_keyframes.video.frame_cache import FrameCache


class CancelledError(Exception):
    """The engine was closed while this video was at work."""


class CandidateScores:
    """Filled by two threads: the video's adds candidates, and the scorer's adds their scores.

    Args:
        texts: what the frames are compared with, at least one.
        account: of the video; the scorer adds its seconds.
        cache: drops each candidate that can no longer be selected.
        choice: chooses at the end.
        most_bytes: of the embeddings, where they go into a row; None: no limit.
    """

    def __init__(
        self,
        texts: Sequence[str],
        account: Account,
        cache: FrameCache,
        choice: Choice,
        most_bytes: int | None = None,
    ) -> None:
        self.texts = texts
        self.account = account
        self.frame_ids: list[int] = []
        self.timestamps: list[float] = []
        """seconds from the start of the video"""
        self.scores: list[list[float]] = [[] for _ in texts]
        """of all frames, for each text"""
        self.window = Window()
        """the part of the video that they are of"""
        self.duration: float | None = None
        """of the whole video, in seconds, once it is known"""
        self.complete = False
        """no more candidates will come"""
        self.error: Exception | None = None
        """why the scorer gave up on this video"""
        self._embeddings: list[Embedding | None] = []
        self._most_bytes = most_bytes
        self._stacked: Embedding | None = None
        """of all frames, once they are asked for"""
        self._together: list[Scores] | None = None
        self._second: list[dict[int, float]] = []
        """of those that a second model has looked at: their scores by index, for each text"""
        self._cache = cache
        self._choices = [choice for _ in texts]
        self._places: dict[int, int] | None = None
        """of all candidates by frame id, while they do not come in order; of other frames: none"""
        self.decisions = [Decision(choice) for _ in texts]
        """for each text, once `choose` has been called"""
        self._survivors: list[Survivors] = []
        """for each text; empty where every candidate may be selected"""
        self._changed = threading.Condition()
        self._cancelled = False

    def expect(self, count: int, *, tolerance: float, places: dict[int, int] | None = None) -> None:
        """Tell how many candidates there will be, so that some can be dropped early.

        Args:
            count: the number of candidates.
            tolerance: how far scores may be off.
            places: the index of each candidate by its frame id, where only some of them come, in
                any order, and other frames between them; `settle` must follow.
        """
        found = [choice.survivors(count, tolerance) for choice in self._choices]
        self._survivors = [each for each in found if each is not None]
        self._places = places

    def append(self, frame_id: int, timestamp: float) -> int | None:
        """Add a frame; return its index, None if it is no candidate.

        Raises why the scorer gave up, if it did.
        """
        self.check()
        self.frame_ids.append(frame_id)
        self.timestamps.append(timestamp)
        return self._index_of(len(self.frame_ids) - 1)

    def _index_of(self, number: int) -> int | None:
        """Return the index of the frame that came as number `number`; None: it is no candidate."""
        return number if self._places is None else self._places.get(self.frame_ids[number])

    def scores_since(self, number: int) -> dict[int, list[float]]:
        """Return the scores for each text by frame id, from the frame that came as this number."""
        rows = zip(*(of_text[number:] for of_text in self.scores), strict=True)
        return dict(zip(self.frame_ids[number:], map(list, rows), strict=True))

    def settle(self, choices: Sequence[Choice]) -> None:
        """Order the candidates, and leave other frames out; `choices` choose, one for each text."""
        indices = map(self._index_of, range(len(self.frame_ids)))
        found = sorted((index, n) for n, index in enumerate(indices) if index is not None)
        order = [n for _, n in found]
        self.frame_ids = [self.frame_ids[n] for n in order]
        self.timestamps = [self.timestamps[n] for n in order]
        self.scores = [[of_text[n] for n in order] for of_text in self.scores]
        self._embeddings = [self._embeddings[n] for n in order]
        self._cache.renumber({index: place for place, (index, _) in enumerate(found)})
        self._survivors, self._places, self._choices = [], None, list(choices)

    def restart(self) -> None:
        """Forget all candidates."""
        self._cache.clear()
        self.frame_ids, self.timestamps, self._embeddings = [], [], []
        self.scores = [[] for _ in self.texts]
        self._survivors, self._places, self.complete = [], None, False
        self.account.frames_scored = self.account.guides_scored = 0

    def add(self, scores: Scores) -> None:
        """Add the scores of the next candidate that has none; for the scorer's thread."""
        with self._changed:
            index = self._index_of(len(self._embeddings))
            self._embeddings.append(scores[1])
            self._check_size(scores[1])
            for of_text, score in zip(self.scores, scores[0], strict=True):
                of_text.append(score)
            if index is None:
                self.account.guides_scored += 1
            else:
                self.account.frames_scored += 1
                self._drop_others(index, scores[0])
            self._changed.notify_all()

    def _drop_others(self, index: int, scores: Sequence[float]) -> None:
        """Drop the candidates that can no longer be selected, now that this one has scores."""
        out: set[int] = set()
        for survivors, score in zip(self._survivors, scores, strict=False):
            out |= set(survivors.add(index, score)) if index < survivors.count else set()
        for dropped in out:
            # After all have it: another text may still select it.
            if not any(dropped in survivors for survivors in self._survivors):
                self._cache.drop(dropped)

    def _check_size(self, embedding: Embedding | None) -> None:
        size = 0 if embedding is None else embedding.nbytes * len(self._embeddings)
        if self._most_bytes is not None and size > self._most_bytes:
            self.error = RowTooLargeError(
                f"the embeddings of {len(self._embeddings)} candidates take more than "
                f"{self._most_bytes / 2**30:.1f} GiB, the most that a row may hold; lower fps, or "
                "index the video in several parts: start_col and end_col"
            )

    def add_indexed(self, indexed: Candidates, scores: list[list[float]]) -> None:
        """Add all candidates of an index, with their scores for each text."""
        with self._changed:
            self.frame_ids, self.timestamps = indexed.frame_ids, indexed.timestamps
            self.duration, self.window = indexed.duration, indexed.window
            self.scores = scores
            self._embeddings = list(cast(Embedding, indexed.embeddings))
            self.account.candidates_total = self.account.frames_scored = len(self.frame_ids)
            self.complete = True
            self._changed.notify_all()

    def add_together(self, scores: list[Scores]) -> None:
        """Give scores that were asked for together, in order; for the scorer's thread."""
        with self._changed:
            self._together = scores
            self._changed.notify_all()

    def fail(self, error: Exception) -> None:
        """Give up on this video; for the scorer's thread."""
        with self._changed:
            self.error = self.error or error
            self._changed.notify_all()

    def cancel(self) -> None:
        """End all waits soon; from any thread."""
        with self._changed:
            self._cancelled = True
            self._changed.notify_all()

    def check(self) -> None:
        """Raise CancelledError, or why the scorer gave up on this video."""
        if self._cancelled:
            raise CancelledError
        if self.error is not None:
            raise self.error

    def wait_until_scored(self) -> None:
        """Wait for the scores of all candidates. Raises as `check` does."""
        self._wait(lambda: self.complete and len(self._embeddings) == len(self.frame_ids))

    def wait_for_exact(self, indices: Sequence[int]) -> None:
        """Wait for the exact scores of these candidates, and use them. Raises as `check` does."""
        for index, (scores, embedding) in zip(indices, self._wait_for_together(), strict=True):
            self._embeddings[index] = embedding
            for of_text, score in zip(self.scores, scores, strict=True):
                of_text[index] = score

    def wait_for_second(self, texts: Mapping[int, Sequence[str]]) -> None:
        """Wait for a second model's scores of these candidates for their texts; as `check` does."""
        self._second = self._second or [{} for _ in self.texts]
        for index, (scores, _) in zip(texts, self._wait_for_together(), strict=True):
            for text, score in zip(texts[index], scores, strict=True):
                self._second[self.texts.index(text)][index] = score

    def _wait_for_together(self) -> list[Scores]:
        self._wait(lambda: self._together is not None)
        found, self._together = self._together, None
        return found or []

    def _wait(self, until: Callable[[], bool]) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._cancelled or self.error is not None or until())
        self.check()

    def result(self, number: int | None, *, embeddings: bool) -> Candidates:
        """Return all candidates, with the scores of a text; None: without scores."""
        if embeddings and self._stacked is None:
            rows = [row for row in self._embeddings if row is not None]
            self._stacked = np.stack(rows) if rows else np.empty((0, 0), np.float32)
        return Candidates(
            self.frame_ids,
            self.timestamps,
            [] if number is None else self.scores[number],
            embeddings=self._stacked,
            duration=self.duration,
            window=self.window,
        )

    def shortlists(self) -> list[list[int]]:
        """Return the indices of those that a second model looks at for each text, ascending."""
        pairs = zip(self._choices, self.scores, strict=True)
        return [choice.shortlist(scores) for choice, scores in pairs]

    def choose(self) -> list[list[int]]:
        """Return the indices of the selected candidates for each text, ascending."""
        each = itertools.zip_longest(self._choices, self.scores, self._second)
        self.decisions = [
            choice.decide(of, second=again, **self._of_each) for choice, of, again in each
        ]
        return [decision.indices for decision in self.decisions]

    def final_score(self, number: int, index: int) -> float:
        """Return the score by which a candidate was selected for a text."""
        return (self._second[number] if self._second else self.scores[number])[index]

    def contested(self, tolerance: float) -> list[int]:
        """Return the candidates whose selection depends on score errors of up to `tolerance`."""
        pairs = zip(self._choices, self.scores, strict=True)
        each = (choice.contested(of, tolerance, **self._of_each) for choice, of in pairs)
        return sorted(set().union(*each))

    @property
    def _of_each(self) -> dict[str, Any]:
        return {"embeddings": self._embeddings, "timestamps": self.timestamps}
