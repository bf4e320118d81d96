"""Samples the videos of pandas DataFrames.

The columns that are read become Arrow's; those that are added come back as Python's values. Others
are never converted.
"""

import math
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np

from spark_keyframes.arrow.columns import AddedColumns, Columns, Wanted, plan_columns
from spark_keyframes.checks import lone_surrogate, path_text
from spark_keyframes.errors import ParameterError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_ROWS = 64
"""how many rows are converted at a time: videos may be in them"""

_SQL_TYPES = {
    "string": "string",
    "bytes": "binary",
    "integer": "bigint",
    "floating": "double",
    "mixed-integer-float": "double",
    "decimal": "decimal",
}
"""Types in SQL, by what pandas infers from the values of a column."""


def sample_frame(
    frame: "pd.DataFrame",
    wanted: Wanted,
    sampled: "Callable[[Iterable[tuple[pa.RecordBatch, Columns]]], Generator[pa.RecordBatch]]",
) -> "pd.DataFrame":
    """Return a frame with the added columns, and with its index.

    Args:
        frame: the input.
        wanted: the columns that the caller names.
        sampled: makes the results of record batches, see `sample_batches`.

    Raises:
        ParameterError: a column is missing, of the wrong type, or exists already.
    """
    columns = _plan(frame, wanted)
    if not len(frame):
        return _joined(_passed(frame, columns), [], columns.added)
    parts = (frame.iloc[start : start + _ROWS] for start in range(0, len(frame), _ROWS))
    with closing(sampled((_batch(part, columns), columns) for part in parts)) as batches:
        return _joined(_passed(frame, columns), list(batches), columns.added)


def sample_frames(
    frames: "Iterable[pd.DataFrame]",
    wanted: Wanted,
    sampled: "Callable[[Iterable[tuple[pa.RecordBatch, Columns]]], Generator[pa.RecordBatch]]",
) -> "Generator[pd.DataFrame]":
    """Yield the rows of all frames with the added columns, in order.

    A frame gives one frame, or several where the results are large or slow. Arguments and errors
    are those of `sample_frame`.
    """
    waiting: deque[tuple[pd.DataFrame, Columns]] = deque()

    def batches() -> "Iterator[tuple[pa.RecordBatch, Columns]]":
        for frame in frames:
            columns = _plan(frame, wanted)
            if len(frame):
                waiting.append((_passed(frame, columns), columns))
                yield _batch(frame, columns), columns

    with closing(sampled(batches())) as results:
        done = 0
        for result in results:
            passed, columns = waiting[0]
            part = passed.iloc[done : done + result.num_rows].copy()
            yield _joined(part, [result], columns.added)
            done += result.num_rows
            if done == len(passed):
                waiting.popleft()
                done = 0


def _plan(frame: "pd.DataFrame", wanted: Wanted) -> Columns:
    roles = {
        wanted.input: "binary" if wanted.video_src_type == "video_binary" else "string",
        wanted.text: "string",
        wanted.start: "double",
        wanted.end: "double",
    }
    types = []
    for place, name in enumerate(map(str, frame.columns)):
        kind = ""
        if name in roles:
            column = frame.iloc[:, place]
            cells = _cells(column)
            _check_characters(name, cells)
            kind = _sql_type(cells, str(column.dtype)) or roles[name]
        types.append((name, kind))
    return plan_columns(types, wanted)


def _sql_type(cells: list[Any], dtype: str) -> str:
    """Return the type of the values in SQL, "" where all are null, or else how pandas calls it."""
    from pandas.api.types import infer_dtype

    present = [value for value in cells if value is not None]
    if not present:
        return ""
    kind = infer_dtype(present)
    if kind == "mixed" and all(map(_is_texts, present)):
        return "array<string>"
    kinds = sorted({type(value).__name__ for value in present})
    return _SQL_TYPES.get(kind) or f"{dtype} ({', '.join(kinds[:4])})"


def _cells(column: "pd.Series[Any]") -> list[Any]:
    """Return the values as Python's objects, and None for whatever pandas takes for a null.

    Lists of texts are lists, and paths are texts, as for `sample`.
    """
    cells: list[Any] = column.astype(object).where(column.notna(), None).tolist()
    return [_texts(cell) if _is_list(cell) else path_text(cell) for cell in cells]


def _is_list(cell: Any) -> bool:
    if isinstance(cell, np.ndarray):
        return cell.dtype.kind in "OU"
    return isinstance(cell, list | tuple)


def _texts(cell: Iterable[Any]) -> list[Any]:
    import pandas as pd

    return [None if pd.api.types.is_scalar(text) and pd.isna(text) else text for text in cell]


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(text is None or isinstance(text, str) for text in value)


def _check_characters(name: str, cells: list[Any]) -> None:
    """Raise ParameterError for a text that Arrow cannot hold, such as the name of some files."""
    for number, cell in enumerate(cells):
        for text in cell if isinstance(cell, list) else [cell]:
            if isinstance(text, str) and (wrong := lone_surrogate(text)):
                raise ParameterError(f"column {name!r}, row {number}, counted from 0, {wrong}")


def _number(cell: Any) -> float | None:
    try:
        return None if cell is None else float(cell)
    except OverflowError:  # an integer; the error of its row is that of an infinite one
        return math.inf if cell > 0 else -math.inf


def _batch(frame: "pd.DataFrame", columns: Columns) -> "pa.RecordBatch":
    """Return the columns that are read as Arrow's; the others are null there."""
    import pyarrow as pa

    text = pa.list_(pa.large_string()) if columns.added.several else pa.large_string()
    arrays = []
    for place, name in enumerate(columns.read):
        column = frame.iloc[:, place]
        if name == columns.input:
            cells = _cells(column)
            in_bytes = any(isinstance(cell, bytes) for cell in cells)
            arrays.append(pa.array(cells, pa.large_binary() if in_bytes else pa.large_string()))
        elif name == columns.text:
            arrays.append(pa.array(_cells(column), text))
        elif name in (columns.start, columns.end):
            arrays.append(pa.array(map(_number, _cells(column)), pa.float64()))
        else:
            arrays.append(pa.nulls(len(frame)))
    return pa.RecordBatch.from_arrays(arrays, columns.read)


def _passed(frame: "pd.DataFrame", columns: Columns) -> "pd.DataFrame":
    """Return a copy of the columns that pass through."""
    passed = set(columns.passed)
    places = [place for place, name in enumerate(columns.read) if name in passed]
    return frame.iloc[:, places].copy()


def _joined(
    passed: "pd.DataFrame", batches: "Sequence[pa.RecordBatch]", added: AddedColumns
) -> "pd.DataFrame":
    """Add the columns of the results to the rows that they are of."""
    import pandas as pd

    for name in added.types:
        cells = _embeddings if name == added.candidates else _values
        values = [cell for batch in batches for cell in cells(batch.column(name))]
        passed[name] = pd.Series(values, dtype=object).array  # in order, whatever the index is
    return passed


def _values(column: "pa.Array") -> list[Any]:
    """Return lists, dicts, numbers, strings and bytes."""
    values: list[Any] = column.to_pylist()
    return values


def _embeddings(column: "pa.Array") -> list[Any]:
    """Return lists of dicts, whose embeddings are arrays: a video has a million numbers."""
    return [None if cell is None else list(cell) for cell in column.to_pandas()]
