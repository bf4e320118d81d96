"""Finds the best moments of one video: frames close to a better one do not count."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def best_moments(
    scores: npt.NDArray[np.float32],
    timestamps: Sequence[float] | npt.NDArray[np.float64],
    *,
    limit: int,
    min_gap: float,
    least: float = -np.inf,
) -> list[int]:
    """Return the indices of the best frames, the best one first; ties to the earlier.

    The best frame stands for all frames closer than `min_gap` to it; then the best of the rest, and
    so on.

    Args:
        scores: of the candidates, in order of presentation.
        timestamps: of each, in seconds; they never decrease.
        limit: the most frames to return.
        min_gap: seconds; 0: each frame is a moment.
        least: frames with a lower score are no moments.
    """
    times = np.asarray(timestamps, np.float64)
    # In double, as selectors compare: float32 would round `least`, and NumPy 1 compares in float32.
    eligible = np.flatnonzero(scores.astype(np.float64) >= least)
    order = eligible[np.argsort(-scores[eligible], kind="stable")]
    if not min_gap:
        return [int(index) for index in order[:limit]]
    is_taken = np.zeros(len(scores), bool)
    found: list[int] = []
    for index in order:
        if len(found) == limit:
            break
        if is_taken[index]:
            continue
        found.append(int(index))
        # Exactly `min_gap` apart is not closer.
        first = np.searchsorted(times, times[index] - min_gap, side="right")
        last = np.searchsorted(times, times[index] + min_gap, side="left")
        is_taken[first:last] = True
    return found
