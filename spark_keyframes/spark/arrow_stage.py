"""The function of `DataFrame.mapInArrow` that samples the videos of a partition.

mapInPandas would convert the columns that pass through: a null turns a bigint column into floats.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from spark_keyframes.engine.pipeline import Pipeline
from spark_keyframes.engine.request import Request
from spark_keyframes.errors import KeyframesError
from spark_keyframes.result import Failure, VideoFailedError
from spark_keyframes.spark.columns import Columns, OnError
from spark_keyframes.spark.index_rows import indexed_rows
from spark_keyframes.spark.monitoring.repeats import first_video_key
from spark_keyframes.spark.monitoring.video_counter import VideoCounter
from spark_keyframes.spark.result_rows import ResultRows
from spark_keyframes.spark.spark_task import (
    RowText,
    requests_of,
    run_in_task,
    task_fields,
    texts_of,
)

if TYPE_CHECKING:
    import pyarrow as pa

# A row over 2 GB fails in every version of Spark, and no setting helps.
_ROW_BYTES = 2**30


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
        added = self.columns.added
        large = sum(name is not None for name in (added.images, added.candidates))
        waiting: deque[ResultRows] = deque()
        run = run_in_task(
            replace(self.pipeline, row_bytes=_ROW_BYTES // large if large else None),
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
        self, batches: "Iterable[pa.RecordBatch]", waiting: "deque[ResultRows]"
    ) -> Iterator[Request]:
        for nameless in batches:
            if nameless.num_rows == 0:
                continue
            batch = nameless.rename_columns(self.columns.read)
            texts = self._texts(batch)
            waiting.append(ResultRows(batch, self.columns, texts, self.pipeline))
            names = self.columns
            videos, start, end = (
                batch.column(name) if name else None
                for name in (names.input, names.start, names.end)
            )
            requests = requests_of(videos, texts, start, end)
            if names.index:
                info = self.pipeline.parameters.index_info(self.pipeline.module)
                requests = indexed_rows(batch, names.index, requests, info)
            yield from self._begun(requests)

    def _texts(self, batch: "pa.RecordBatch") -> list[RowText]:
        if self.columns.added.output is None:  # the videos are indexed, for any text
            return [[] for _ in range(batch.num_rows)]
        column = batch.column(self.columns.text) if self.columns.text else None
        return texts_of(column, batch.num_rows, self.pipeline)

    def _begun(self, requests: Iterator[Request]) -> Iterator[Request]:
        """Yield the requests, and say with which video they begin."""
        for number, request in enumerate(requests):
            if number == 0 and self.counter is not None:
                settings = (self.pipeline.parameters, self.columns, replace(request, video=None))
                self.counter.begin(first_video_key(request.video, *settings))
            yield request


def _error_of_row(number: int, failure: Failure) -> KeyframesError:
    """Return the failure as an exception with the row, since videos in a column have no name."""
    row = f"row {number} of partition {task_fields().get('partition', 0)}, counted from 0"
    if isinstance(failure.cause, KeyframesError):
        failure.cause.args = (f"{row}: {failure.message}",)
        return failure.cause
    # The traceback is in the worker's log.
    return KeyframesError(f"{row}: {failure.error}: {failure.message}", stage=failure.stage)
