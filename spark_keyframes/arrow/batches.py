"""Samples the videos of record batches.

For every engine whose rows are Arrow's, or can be turned into Arrow's. A face plans its columns
with `plan_columns`, and says how the pipeline runs: on which device, and with what in the log. A
face that has a column of videos and wants the documented struct, no more, needs two functions only:
`requests_of` makes requests of arrays, and `keyframes_cell` a value of
`arrow_type(f"struct<{KEYFRAMES_DDL}>")` from each outcome.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from spark_keyframes.arrow.columns import Columns
from spark_keyframes.arrow.index_rows import indexed_rows
from spark_keyframes.arrow.requests import RowText, requests_of, texts_of
from spark_keyframes.arrow.result_rows import ResultRows
from spark_keyframes.engine.pipeline import Pipeline
from spark_keyframes.engine.request import Outcome, Request
from spark_keyframes.errors import KeyframesError
from spark_keyframes.result import VideoFailedError

if TYPE_CHECKING:
    import pyarrow as pa


def sample_batches(
    batches: "Iterable[tuple[pa.RecordBatch, Columns]]",
    pipeline: Pipeline,
    run: Callable[[Iterable[Request]], Generator[Outcome]],
) -> "Generator[pa.RecordBatch]":
    """Yield the rows of all batches with their results, in order.

    An input batch gives one batch, or several where the results are large or slow.

    Args:
        batches: the input, each with what `plan_columns` returned. A batch has the columns of
            `Columns.read` in this order, whatever their names.
        pipeline: what makes the results.
        run: runs the pipeline over requests, as `Pipeline.run` does.
    """
    waiting: deque[ResultRows] = deque()
    with closing(run(_requests(batches, pipeline, waiting))) as outcomes:
        for outcome in outcomes:
            rows = waiting[0]
            rows.add(outcome)
            if rows.complete or rows.are_due:
                yield rows.flush()
            if rows.complete:
                waiting.popleft()


def _renamed(batch: "pa.RecordBatch", names: Sequence[str]) -> "pa.RecordBatch":
    """Return the batch with other names of its columns. Its own method came with PyArrow 16."""
    import pyarrow as pa

    fields = [field.with_name(name) for field, name in zip(batch.schema, names, strict=True)]
    return pa.RecordBatch.from_arrays(batch.columns, schema=pa.schema(fields))


def _requests(
    batches: "Iterable[tuple[pa.RecordBatch, Columns]]",
    pipeline: Pipeline,
    waiting: deque[ResultRows],
) -> Iterator[Request]:
    for nameless, columns in batches:
        if nameless.num_rows == 0:
            continue
        batch = _renamed(nameless, columns.read)
        texts = _texts(batch, columns, pipeline)
        waiting.append(ResultRows(batch, columns, texts, pipeline))
        videos, start, end = (
            batch.column(name) if name else None
            for name in (columns.input, columns.start, columns.end)
        )
        requests = requests_of(videos, texts, start, end)
        if columns.index:
            info = pipeline.parameters.index_info(pipeline.module)
            requests = indexed_rows(batch, columns.index, requests, info)
        yield from requests


def _texts(batch: "pa.RecordBatch", columns: Columns, pipeline: Pipeline) -> list[RowText]:
    if columns.added.output is None:  # the videos are indexed, for any text
        return [[] for _ in range(batch.num_rows)]
    column = batch.column(columns.text) if columns.text else None
    return texts_of(column, batch.num_rows, pipeline)


def error_of_row(failed: VideoFailedError, place: str = "") -> KeyframesError:
    """Return a failure as an exception with the row, since videos in a column have no name.

    Args:
        failed: what a run raised that was asked to end at the first failure.
        place: where the row is, such as " of partition 3".
    """
    row, failure = f"row {failed.number}{place}, counted from 0", failed.failure
    if isinstance(failure.cause, KeyframesError):
        failure.cause.args = (f"{row}: {failure.message}",)
        return failure.cause
    # The traceback is in the log.
    return KeyframesError(f"{row}: {failure.error}: {failure.message}", stage=failure.stage)
