"""Log-determinant: frames that match the text and widen what the chosen ones show together.

Greedy maximisation of a determinantal point process with relevance, as in arXiv 2510.02778; the
incremental Cholesky factor is that of Chen, Zhang and Zhou, "Fast Greedy MAP Inference for
Determinantal Point Process", NeurIPS 2018, arXiv 1709.05135. Written from the formulas.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spark_keyframes.checks import check_number
from spark_keyframes.errors import ParameterError
from spark_keyframes.selection.base import Floats, Indices
from spark_keyframes.selection.bounds import rounded
from spark_keyframes.selection.products import products
from spark_keyframes.selection.relevance import RelevanceSelector

_EPSILON = 1e-3
"""added to the diagonal; the part of a repeated frame that counts as new"""


@dataclass(frozen=True)
class LogDet(RelevanceSelector):
    """The best by relevance plus what is new, one frame at a time.

    The gain of candidate i, given the chosen ones, is r_i + λ·log(1 + ε - gᵀ(G + εI)⁻¹g): r is the
    score, min-max normalised over the video; G holds the cosines of the chosen ones, and g those of
    i with them; λ is `diversity`, and ε is 0.001. The logarithm is 0 for a frame unlike all chosen
    ones, and -6.2 for one like a chosen one.

    Source: arXiv 2510.02778.
    """

    diversity: float = 0.05
    rule = "one at a time, by score plus what the chosen ones do not show"

    def __post_init__(self) -> None:
        hint = "use e.g. 0.05, or 0 for the best scores alone"
        check_number("diversity", self.diversity, hint)
        if not 0 <= self.diversity < np.inf:
            raise ParameterError(
                f"diversity must be finite and at least 0, got {self.diversity}; {hint}"
            )

    def _chosen(
        self, relevance: Floats, embeddings: npt.NDArray[np.float32], left: Indices, k: int
    ) -> list[int]:
        chosen: list[int] = []
        # Gains are divided by a weight above 1, so that none of any size is too large to round.
        scale = max(1.0, self.diversity)
        weight = self.diversity / scale
        base = np.full(len(relevance), -np.inf)
        base[left] = relevance[left] / scale
        new = np.full(len(relevance), 1 + _EPSILON)  # 1 + ε - gᵀ(G + εI)⁻¹g
        # Row n is row n of L⁻¹X: X are the chosen embeddings, and LLᵀ = G + εI. So the products of
        # a candidate with all rows are L⁻¹g, and no matrix of candidates by k is needed.
        factors = np.empty((k, embeddings.shape[1]))
        for n in range(k):
            best = int(rounded(base + weight * np.log(new)).argmax())
            chosen.append(best)
            base[best] = -np.inf
            row = embeddings[best].astype(np.float64)
            row -= (factors[:n] @ row) @ factors[:n]
            factors[n] = row / np.sqrt(new[best])
            # It cannot be less than ε, but for rounding errors.
            new = np.maximum(new - products(embeddings, factors[n]) ** 2, _EPSILON)
        return chosen
