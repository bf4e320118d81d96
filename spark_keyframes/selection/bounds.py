"""Finds the highest of many values that are costly to compute and cheap to bound from above."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from spark_keyframes.selection.base import Floats

_LEAST_BLOCK, _MOST_BLOCK = 64, 2048


def rounded(values: Floats) -> Floats:
    """Round to 12 decimals, so that values that are equal but for rounding errors are equal."""
    return np.round(values, 12)


def highest(
    bounds: Floats,
    is_exact: npt.NDArray[np.bool_],
    count: int,
    compute: Callable[[npt.NDArray[np.intp]], None],
) -> list[int]:
    """Return the indices of the `count` highest values, highest first, the earlier if equal.

    Args:
        bounds: an upper bound of each value.
        is_exact: where the bound is the value itself.
        count: at most as many as there are values.
        compute: sets `bounds` to the exact values at these indices, and `is_exact` to True. It may
            lower other bounds.
    """
    block = _LEAST_BLOCK
    while True:
        order = np.argsort(-bounds, kind="stable")
        if is_exact[order[:count]].all():
            return [int(index) for index in order[:count]]
        compute(order[~is_exact[order]][:block])
        block = min(2 * block, _MOST_BLOCK)
