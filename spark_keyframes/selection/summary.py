"""Selects frames that cover what the video shows, without a text.

Greedy facility location: each frame of the video counts with its similarity to the chosen frame
that is most like it. Source: Cornuéjols, Fisher and Nemhauser, "Location of Bank Accounts to
Optimize Float", Management Science 1977; for summaries Lin and Bilmes, "A Class of Submodular
Functions for Document Summarization", ACL 2011. Gains only fall while frames are chosen, so earlier
ones are bounds: Minoux, "Accelerated Greedy Algorithms", 1978.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spark_keyframes.selection.base import Scores, Selector, checked_scores, equal_slices
from spark_keyframes.selection.bounds import highest

_MOST_COVERED = 2048
_MOST_COSINES = 2**26
"""256 MB of int32"""
_BLOCK = 4096
_UNIT = 1_000_000
"""a cosine of 1"""


@dataclass(frozen=True)
class Summary(Selector):
    """The frames that the others are most like, one at a time; scores do not matter.

    The next frame is that which raises most the mean over the video of max(cosine with a chosen
    frame). The mean is over all candidates, or over 2,048 at equal distances where there are more.
    Of more than 32,768 candidates it is over fewer, if k allows: 776 of the 86,400 of a day.
    """

    reads_scores = False
    needs_embeddings = True
    rule = "one at a time, those that the others are most like, whatever the scores"

    def select(  # type: ignore[override]  # embeddings are required
        self, scores: Scores, k: int, *, embeddings: npt.NDArray[np.float32]
    ) -> list[int]:
        """See Selector.select."""
        count = len(checked_scores(scores))
        if count <= k:
            return list(range(count))
        most = max(_MOST_COSINES // count, 2 * k)
        cosines = _cosines_with_some(embeddings, min(most, _MOST_COVERED))
        most_alike = np.full(cosines.shape[1], -_UNIT, np.int32)  # to a chosen frame
        gains = np.full(count, np.inf)
        is_exact = np.zeros(count, bool)

        def compute(indices: npt.NDArray[np.intp]) -> None:
            gains[indices] = np.maximum(cosines[indices] - most_alike, 0).sum(axis=1)
            is_exact[indices] = True

        chosen: list[int] = []
        for _ in range(k):
            [best] = highest(gains, is_exact, 1, compute)
            chosen.append(best)
            most_alike = np.maximum(most_alike, cosines[best])
            is_exact[:] = False
            gains[chosen], is_exact[chosen] = -np.inf, True
        return sorted(chosen)


def _cosines_with_some(embeddings: npt.NDArray[np.float32], most: int) -> npt.NDArray[np.int32]:
    """Return the cosines of all candidates with at most `most` of them, at equal distances.

    They are whole numbers, in millionths: sums of them are exact. Two frames that are the last to
    be alike have equal gains, which rounding errors would tell apart.

    Returns:
        int32 of shape (N, M).
    """
    count = len(embeddings)
    middles = [(start + stop - 1) // 2 for start, stop in equal_slices(count, most)]
    covered = embeddings[middles].astype(np.float64).T * _UNIT
    cosines = np.empty((count, len(middles)), np.int32)
    for start in range(0, count, _BLOCK):
        block = slice(start, start + _BLOCK)
        cosines[block] = np.rint(embeddings[block].astype(np.float64) @ covered)
    return cosines
