"""Products of embeddings in float64, block by block."""

import numpy as np
import numpy.typing as npt

from spark_keyframes.selection.base import Floats

_BLOCK = 4096  # rows: 16 MB of float64 for embeddings of 512 numbers


def products(embeddings: npt.NDArray[np.float32], vector: Floats) -> Floats:
    """Return the product of each embedding and the vector, float64 of shape (N,)."""
    parts = [
        embeddings[start : start + _BLOCK].astype(np.float64) @ vector
        for start in range(0, len(embeddings), _BLOCK)
    ]
    return np.concatenate(parts)
