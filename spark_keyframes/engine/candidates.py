"""The candidates of one video and their scores, which another thread adds."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from spark_keyframes.account import Account
from spark_keyframes.engine.frame_cache import FrameCache
from spark_keyframes.selection import Choice, Survivors

Embedding = npt.NDArray[np.float32]
Score = tuple[float, Embedding | None]


class CancelledError(Exception):
    """The engine was closed while this video was at work."""


class CandidateScores:
    """Filled by two threads: the video's adds candidates, and the scorer's adds their scores.

    Args:
        text: what the frames are compared with.
        account: of the video; the scorer adds its seconds.
        cache: drops each candidate that can no longer be selected.
        choice: chooses at the end.
    """

    def __init__(self, text: str, account: Account, cache: FrameCache, choice: Choice) -> None:
        self.text = text
        self.account = account
        self.frame_ids: list[int] = []
        self.timestamps: list[float] = []
        """seconds from the start of the video"""
        self.scores: list[float] = []
        self.complete = False
        """no more candidates will come"""
        self.error: Exception | None = None
        """why the scorer gave up on this video"""
        self._embeddings: list[Embedding | None] = []
        self._exact: list[Score] | None = None
        self._cache = cache
        self._choice = choice
        self._survivors: Survivors | None = None
        self._changed = threading.Condition()
        self._cancelled = False

    def expect(self, count: int, *, tolerance: float) -> None:
        """Tell how many candidates there will be, so that some can be dropped early.

        Args:
            count: the number of candidates.
            tolerance: how far scores may be off.
        """
        self._survivors = self._choice.survivors(count, tolerance)

    def append(self, frame_id: int, timestamp: float) -> int:
        """Add a candidate; return its index. Raises why the scorer gave up, if it did."""
        self.check()
        self.frame_ids.append(frame_id)
        self.timestamps.append(timestamp)
        return len(self.frame_ids) - 1

    def add(self, score: Score) -> None:
        """Add the score of the next candidate that has none; for the scorer's thread."""
        with self._changed:
            index = len(self.scores)
            self.scores.append(score[0])
            self._embeddings.append(score[1])
            self.account.frames_scored += 1
            if self._survivors is not None and index < self._survivors.count:
                for dropped in self._survivors.add(index, score[0]):
                    self._cache.drop(dropped)
            self._changed.notify_all()

    def add_exact(self, scores: list[Score]) -> None:
        """Give the exact scores that were asked for, in order; for the scorer's thread."""
        with self._changed:
            self._exact = scores
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
        self._wait(lambda: len(self.scores) == len(self.frame_ids))

    def wait_for_exact(self, indices: Sequence[int]) -> None:
        """Wait for the exact scores of these candidates, and use them. Raises as `check` does."""
        self._wait(lambda: self._exact is not None)
        for index, (score, embedding) in zip(indices, self._exact or (), strict=True):
            self.scores[index], self._embeddings[index] = score, embedding

    def _wait(self, until: Callable[[], bool]) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self._cancelled or self.error is not None or until())
        self.check()

    def choose(self) -> list[int]:
        """Return the indices of the selected candidates, ascending."""
        return self._choice.indices(self.scores, **self._of_each)

    def contested(self, tolerance: float) -> list[int]:
        """Return the candidates whose selection depends on score errors of up to `tolerance`."""
        return self._choice.contested(self.scores, tolerance, **self._of_each)

    @property
    def _of_each(self) -> dict[str, Any]:
        return {"embeddings": self._embeddings, "timestamps": self.timestamps}
