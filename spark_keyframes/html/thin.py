"""Thins a curve for drawing: fewer points, the same picture."""

import numpy as np
import numpy.typing as npt

COLUMNS = 360
"""A curve is drawn about twice as many pixels wide, so a column is two pixels."""


def thinned(
    x: npt.NDArray[np.float64], y: npt.NDArray[np.float64], columns: int = COLUMNS
) -> npt.NDArray[np.intp]:
    """Return the places of the points to draw, ascending; all of them where there are few.

    The width is divided into columns. Of each, the first, the last, the lowest and the highest
    point stay: so no peak and no dip is lost, and the line between columns is the same. This is M4
    of Jugel et al., "M4: A Visualization-Oriented Time Series Data Aggregation", VLDB 2014.

    Args:
        x: ascending and finite, shape (N,).
        y: finite, shape (N,).
        columns: at least 1.
    """
    count = len(x)
    if count <= 4 * columns:
        return np.arange(count)
    width = x[-1] - x[0]
    if not width:
        return np.unique([0, count - 1, int(y.argmin()), int(y.argmax())])
    column = np.minimum(((x - x[0]) / width * columns).astype(np.intp), columns - 1)
    begins = np.flatnonzero(np.diff(column, prepend=-1))
    ends = np.append(begins[1:], count) - 1
    # The first of each column, once sorted by column and then by score.
    by_score = np.lexsort((y, column))
    return np.unique(np.concatenate([begins, ends, by_score[begins], by_score[ends]]))
