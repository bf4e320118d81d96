"""The function of `DataFrame.mapInArrow` that samples the videos of a partition.

mapInPandas would convert the columns that pass through: a null turns a bigint column into floats.
"""

import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from spark_keyframes.account import account_cell
from spark_keyframes.engine.pipeline import Outcome, Pipeline
from spark_keyframes.engine.task import Request
from spark_keyframes.errors import KeyframesError
from spark_keyframes.images import spark_image
from spark_keyframes.result import Failure, Keyframes, VideoFailedError
from spark_keyframes.schema import ACCOUNT_DDL, ERROR_DDL, IMAGE_DDL, KEYFRAMES_DDL, arrow_type
from spark_keyframes.spark.columns import Columns, OnError
from spark_keyframes.spark.monitoring.video_counter import VideoCounter
from spark_keyframes.spark.spark_task import (
    keyframes_cell,
    requests_of,
    run_in_task,
    task_fields,
)

if TYPE_CHECKING:
    import pyarrow as pa

# A row over 2 GB fails in every version of Spark, and no setting helps.
_ROW_BYTES = 2**30
_BATCH_BYTES = 64 * 2**20
_BATCH_SECONDS = 5.0


@dataclass(frozen=True)
class ArrowStage:
    """Samples a partition. Pickled by reference; the payload stays under 4 KB.

    A class of an importable module, not a closure: otherwise the Python worker would not keep the
    model between tasks.
    """

    pipeline: Pipeline
    columns: Columns
    on_error: OnError
    tasks_at_once: int = 1
    """how many tasks of the stage run in an executor"""
    counter: VideoCounter | None = None
    """counts videos for the progress bar on the driver"""

    def __call__(self, batches: "Iterable[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
        """Yield the result rows of a partition, in its order."""
        waiting: deque[_Rows] = deque()
        run = run_in_task(
            replace(self.pipeline, row_bytes=_ROW_BYTES if self.columns.images else None),
            self._requests(batches, waiting),
            tasks_at_once=self.tasks_at_once,
            stop_on_failure=self.on_error == "raise",
        )
        with closing(run) as outcomes:
            try:
                for outcome in outcomes:
                    rows = waiting[0]
                    rows.add(outcome)
                    if self.counter is not None:
                        self.counter.add(outcome)
                    if rows.complete or rows.are_due:
                        yield rows.flush()
                    if rows.complete:
                        waiting.popleft()
            except VideoFailedError as failed:
                # From None: the cause may show a URL with its signature.
                raise _error_of_row(failed.number, failed.failure) from None

    def _requests(
        self, batches: "Iterable[pa.RecordBatch]", waiting: "deque[_Rows]"
    ) -> Iterator[Request]:
        for nameless in batches:
            if nameless.num_rows == 0:
                continue
            batch = nameless.rename_columns(self.columns.read)
            waiting.append(_Rows(batch, self.columns))
            texts = batch.column(self.columns.text) if self.columns.text else None
            videos = batch.column(self.columns.input)
            yield from requests_of(videos, texts, self.pipeline.parameters.text)


def spark_images(keyframes: Keyframes) -> list[dict[str, Any]]:
    """Return the images in Spark's schema; the origin is the stored image, or else the video."""
    origins = keyframes.tos_paths or [keyframes.source] * len(keyframes.images)
    return [
        spark_image(image, origin=origin)
        for image, origin in zip(keyframes.images, origins, strict=True)
    ]


def _error_of_row(number: int, failure: Failure) -> KeyframesError:
    """Return the failure as an exception with the row, since videos in a column have no name."""
    row = f"row {number} of partition {task_fields().get('partition', 0)}, counted from 0"
    if isinstance(failure.cause, KeyframesError):
        failure.cause.args = (f"{row}: {failure.message}",)
        return failure.cause
    # The traceback is in the worker's log.
    return KeyframesError(f"{row}: {failure.error}: {failure.message}", stage=failure.stage)


class _Rows:
    """The results of an input batch; large results are passed on in several parts."""

    def __init__(self, batch: "pa.RecordBatch", columns: Columns) -> None:
        self._columns = columns
        self._schema = _result_schema(columns)
        self._passed = [batch.column(name) for name in columns.passed]
        self._left: int = batch.num_rows
        self._start = 0
        self._reset()

    def _reset(self) -> None:
        self._results: list[dict[str, Any]] = []
        self._bytes: int = 0
        self._since: float = time.monotonic()

    def add(self, outcome: Outcome) -> None:
        """Add the result of the next row."""
        self._left -= 1
        self._results.append(_result_cells(outcome, self._columns))
        if isinstance(outcome, Keyframes):
            self._bytes += sum(image.nbytes for image in outcome.images)

    @property
    def complete(self) -> bool:
        """Whether every row of the batch has its result."""
        return self._left == 0

    @property
    def are_due(self) -> bool:
        """Whether to flush an incomplete batch, to bound the memory and the delay."""
        old = time.monotonic() - self._since > _BATCH_SECONDS
        return old or self._bytes >= _BATCH_BYTES

    def flush(self) -> "pa.RecordBatch":
        """Return the rows added since the last flush."""
        import pyarrow as pa

        count = len(self._results)
        passed = [column.slice(self._start, count) for column in self._passed]
        results = pa.RecordBatch.from_pylist(self._results, self._schema)
        self._start += count
        self._reset()
        return pa.RecordBatch.from_arrays(
            [*passed, *results.columns], [*self._columns.passed, *results.schema.names]
        )


def _result_schema(columns: Columns) -> "pa.Schema":
    import pyarrow as pa

    types = {
        columns.output: arrow_type(KEYFRAMES_DDL),
        columns.images: pa.list_(arrow_type(IMAGE_DDL)),
        columns.error: arrow_type(ERROR_DDL),
        columns.account: arrow_type(ACCOUNT_DDL),
    }
    return pa.schema([(name, kind) for name, kind in types.items() if name])


def _result_cells(outcome: Outcome, columns: Columns) -> dict[str, Any]:
    cells: dict[str, Any] = {columns.output: keyframes_cell(outcome)}
    if columns.images and isinstance(outcome, Keyframes):
        cells[columns.images] = spark_images(outcome)
    if columns.error and isinstance(outcome, Failure):
        cells[columns.error] = {
            "stage": outcome.stage,
            "error": outcome.error,
            "message": outcome.message,
        }
    if columns.account and outcome is not None:
        cells[columns.account] = account_cell(outcome.account)
    return cells
