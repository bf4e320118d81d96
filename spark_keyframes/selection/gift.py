"""GIFT: frames that match the text and differ from the frames that match it better.

arXiv 2603.25072. Written from the formulas.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spark_keyframes.selection.base import Floats, Indices
from spark_keyframes.selection.bounds import highest, rounded
from spark_keyframes.selection.relevance import RelevanceSelector

_ROUND = 9
"""how many frames are taken before the diversities are computed again"""
_BLOCK = 2048
"""Distances are computed in squares of this many rows: 32 MB of float64."""


@dataclass(frozen=True)
class Gift(RelevanceSelector):
    """The best by relevance times directed diversity, nine at a time.

    The relevance of a candidate is its score, min-max normalised over the video. Its directed
    diversity is the least squared distance of its embedding to those of candidates with a higher
    relevance; of equal relevance the earlier counts as higher. For the best candidate it is the
    largest distance there is. The nine candidates with the highest product are taken out, then the
    diversities of the rest are computed again.

    Source: arXiv 2603.25072.
    """

    rule = "nine at a time, by score times difference from frames with a better score"

    def _chosen(
        self, relevance: Floats, embeddings: npt.NDArray[np.float32], left: Indices, k: int
    ) -> list[int]:
        rest = _Rest(relevance, embeddings, left)
        chosen: list[int] = []
        while len(chosen) < k:
            chosen += rest.take(min(_ROUND, k - len(chosen)))
        return chosen


class _Rest:
    """The candidates that are not taken yet, and what is known of their diversities."""

    def __init__(
        self, relevance: Floats, embeddings: npt.NDArray[np.float32], left: Indices
    ) -> None:
        count = len(relevance)
        self._relevance = relevance
        self._embeddings = embeddings
        self._left = left[np.argsort(-relevance[left], kind="stable")]
        """most relevant first"""
        self._rank = np.full(count, count)
        self._rank[self._left] = np.arange(len(left))
        # The least distance found so far to a more relevant candidate, and which one that is.
        self._distance = np.full(count, np.inf)
        self._nearest = np.full(count, -1)
        self._is_exact = np.ones(count, bool)
        self._is_exact[left] = False
        self._products = np.full(count, -np.inf)

    def take(self, count: int) -> list[int]:
        """Remove the `count` candidates with the highest products, and return them."""
        best = self._left[:1]
        stale = self._left[self._distance[self._left] == np.inf]
        self._approach(stale, best)
        self._distance[best] = self._largest_distance(best)
        self._is_exact[best] = True
        self._update(self._left)
        taken = highest(self._products, self._is_exact, count, self._compute)
        self._products[taken] = -np.inf
        self._is_exact[taken] = True
        self._left = self._left[~np.isin(self._left, taken)]
        # A distance to a candidate that is left is still a bound, or exact if it was.
        lost = self._left[np.isin(self._nearest[self._left], taken)]
        self._distance[lost] = np.inf
        self._is_exact[lost] = False
        return taken

    def _compute(self, indices: Indices) -> None:
        self._approach(indices, self._left)
        self._is_exact[indices] = True
        # They are the best so far: often others lie close to one of them, and need not be computed.
        self._approach(self._left[~self._is_exact[self._left]], indices)
        self._update(self._left)

    def _update(self, indices: Indices) -> None:
        self._products[indices] = rounded(self._relevance[indices] * self._distance[indices])

    def _approach(self, indices: Indices, others: Indices) -> None:
        """Lower the distances of `indices` to those of `others` that are more relevant."""
        others = others[self._rank[others] < self._rank[indices].max(initial=-1)]
        for rows in _blocks(indices):
            for columns in _blocks(others):
                distances = self._distances(rows, columns)
                distances[self._rank[rows][:, None] <= self._rank[columns]] = np.inf
                place = distances.argmin(axis=1)
                found = distances[np.arange(len(rows)), place]
                is_nearer = found < self._distance[rows]
                self._distance[rows[is_nearer]] = found[is_nearer]
                self._nearest[rows[is_nearer]] = columns[place[is_nearer]]

    def _largest_distance(self, best: Indices) -> float:
        # That of any pair would choose the same: the product of the best one is the highest anyway.
        return max(float(self._distances(best, rows).max()) for rows in _blocks(self._left))

    def _distances(self, rows: Indices, columns: Indices) -> Floats:
        """Return the squared distances of each of `rows` to each of `columns`."""
        a = self._embeddings[rows].astype(np.float64)
        b = self._embeddings[columns].astype(np.float64)
        distances = a @ b.T
        distances *= -2
        distances += np.einsum("ij,ij->i", a, a)[:, None]
        distances += np.einsum("ij,ij->i", b, b)
        return np.maximum(distances, 0, out=distances)


def _blocks(indices: Indices) -> list[Indices]:
    return [indices[start : start + _BLOCK] for start in range(0, len(indices), _BLOCK)]
