"""Reads columns of Arrow as requests."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from spark_keyframes.engine.pipeline import Pipeline
from spark_keyframes.engine.request import Request

if TYPE_CHECKING:
    import pyarrow as pa

RowText = str | list[str | None] | None
"""A text, several texts, or a null."""


def texts_of(column: "pa.Array | None", count: int, pipeline: Pipeline) -> list[RowText]:
    """Return the text of each of `count` rows; without a column of them, the parameter `text`."""
    if column is None:
        return [pipeline.parameters.text] * count
    texts: list[RowText] = column.to_pylist()
    return texts


def requests_of(
    videos: "pa.Array | None",
    texts: Sequence[RowText],
    start: "pa.Array | None" = None,
    end: "pa.Array | None" = None,
) -> Iterator[Request]:
    """Yield a request for each row; without `start` and `end`, of the whole videos."""
    values = [None] * len(texts) if videos is None else _values(videos)
    windows = (_seconds(column, len(texts)) for column in (start, end))
    for video, text, *window in zip(values, texts, *windows, strict=True):
        yield Request(video, text, *window)


def _seconds(column: "pa.Array | None", count: int) -> list[float | None]:
    import pyarrow as pa

    if column is None:
        return [None] * count
    # Not safe: a bigint may be rounded.
    seconds: list[float | None] = column.cast(pa.float64(), safe=False).to_pylist()
    return seconds


def _values(column: "pa.Array") -> Iterator[Any]:
    """Yield the values of a text or binary column, bytes as views without a copy."""
    import pyarrow as pa

    binary = pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type)
    for scalar in column:
        yield memoryview(scalar.as_buffer()) if binary and scalar.is_valid else scalar.as_py()
