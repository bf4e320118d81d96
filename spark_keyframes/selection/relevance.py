"""What selectors have in common that weigh the text against what frames show."""

from abc import abstractmethod

import numpy as np
import numpy.typing as npt

from spark_keyframes.selection.base import (
    Floats,
    Indices,
    Scores,
    Selector,
    eligible_indices,
    normalised,
)


class RelevanceSelector(Selector):
    """Chooses by relevance, and by embeddings. The relevance is the score, from 0 to 1.

    Scores are normalised over all candidates, eligible or not, so that `min_score` does not change
    what the others are worth.
    """

    needs_embeddings = True
    needs_eligible = True

    def select(  # type: ignore[override]  # embeddings are required
        self,
        scores: Scores,
        k: int,
        *,
        embeddings: npt.NDArray[np.float32],
        eligible: npt.NDArray[np.bool_] | None = None,
    ) -> list[int]:
        """See Selector.select."""
        relevance = normalised(scores)
        left = eligible_indices(eligible, len(relevance))
        if len(left) <= k:
            return [int(index) for index in left]
        return sorted(self._chosen(relevance, embeddings, left, k))

    @abstractmethod
    def _chosen(
        self, relevance: Floats, embeddings: npt.NDArray[np.float32], left: Indices, k: int
    ) -> list[int]:
        """Return k of the candidates `left`, of which there are more."""
