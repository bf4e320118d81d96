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
from spark_keyframes.selection.bounds import highest, rounded
from spark_keyframes.selection.products import products

_MOST_COVERED = 4096


@dataclass(frozen=True)
class Summary(Selector):
    """The frames that the others are most like, one at a time; scores do not matter.

    The next frame is that which raises most the mean over the video of max(cosine with a chosen
    frame). The mean is over all candidates; over 4,096 of them at equal distances where there are
    more.
    """

    needs_embeddings = True

    def select(  # type: ignore[override]  # embeddings are required
        self, scores: Scores, k: int, *, embeddings: npt.NDArray[np.float32]
    ) -> list[int]:
        """See Selector.select."""
        count = len(checked_scores(scores))
        if count <= k:
            return list(range(count))
        middles = [(start + stop - 1) // 2 for start, stop in equal_slices(count, _MOST_COVERED)]
        covered = embeddings[middles].astype(np.float64)
        most_alike = np.full(len(covered), -1.0)  # cosines with the chosen frame that is most alike
        # While none is chosen, the mean of cosines is the cosine with the mean.
        gains = rounded(products(embeddings, covered.mean(axis=0)) + 1)
        is_exact = np.ones(count, bool)

        def compute(indices: npt.NDArray[np.intp]) -> None:
            cosines = embeddings[indices].astype(np.float64) @ covered.T
            gains[indices] = rounded(np.maximum(cosines - most_alike, 0).mean(axis=1))
            is_exact[indices] = True

        chosen: list[int] = []
        for _ in range(k):
            [best] = highest(gains, is_exact, 1, compute)
            chosen.append(best)
            most_alike = np.maximum(most_alike, covered @ embeddings[best].astype(np.float64))
            is_exact[:] = False
            gains[chosen], is_exact[chosen] = -np.inf, True
        return sorted(chosen)
