"""Keeps the best hits of many videos, and the rows of the videos that they are in."""

from dataclasses import dataclass
from typing import Generic, TypeVar

Row = TypeVar("Row")


@dataclass(frozen=True)
class Hit(Generic[Row]):
    """A moment of a video that matches a text."""

    score: float
    row: Row
    """of the video"""
    frame_id: int
    timestamp: float
    """seconds from the start of the video"""


class BestHits(Generic[Row]):
    """The best `limit` hits of those added; ties to the ones added first."""

    def __init__(self, limit: int) -> None:
        self.least = float("-inf")
        """No hit below this can be among the best any more."""
        self._limit = limit
        self._hits: list[Hit[Row]] = []

    def add(self, hits: list[Hit[Row]]) -> None:
        """Add hits of one video."""
        self._hits += hits
        if len(self._hits) >= 2 * self._limit:
            self._prune()

    def best(self) -> list[Hit[Row]]:
        """Return the best hits, the best one first."""
        self._prune()
        return self._hits

    def _prune(self) -> None:
        self._hits.sort(key=lambda hit: -hit.score)
        del self._hits[self._limit :]
        if len(self._hits) == self._limit:
            self.least = self._hits[-1].score
