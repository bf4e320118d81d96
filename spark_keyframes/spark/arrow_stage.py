"""The function of `DataFrame.mapInArrow` that samples the videos of a partition.

mapInPandas would convert the columns that pass through: a null turns a bigint column into floats.
"""

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from spark_keyframes.arrow.batches import sample_batches
from spark_keyframes.arrow.columns import Columns
from spark_keyframes.engine.pipeline import Pipeline
from spark_keyframes.engine.request import Outcome, Request
from spark_keyframes.errors import KeyframesError
from spark_keyframes.result import Failure, OnError, VideoFailedError
from spark_keyframes.spark.monitoring.repeats import first_video_key
from spark_keyframes.spark.monitoring.video_counter import VideoCounter
from spark_keyframes.spark.spark_task import run_in_task, task_fields

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
        with closing(sample_batches(batches, self.columns, self.pipeline, self._run)) as rows:
            try:
                yield from rows
            except VideoFailedError as failed:
                # From None: the cause may show a URL with its signature.
                raise _error_of_row(failed.number, failed.failure) from None

    def _run(self, requests: Iterable[Request]) -> Generator[Outcome]:
        added = self.columns.added
        large = sum(name is not None for name in (added.images, added.candidates))
        run = run_in_task(
            replace(self.pipeline, row_bytes=_ROW_BYTES // large if large else None),
            requests if self.counter is None else self._begun(requests, self.counter),
            tasks_at_once=self.tasks_at_once,
            stop_on_failure=self.on_error == "raise",
        )
        with closing(run) as outcomes:
            for outcome in outcomes:
                if self.counter is not None:
                    self.counter.add(outcome)
                yield outcome

    def _begun(self, requests: Iterable[Request], counter: VideoCounter) -> Iterator[Request]:
        """Yield the requests, and say with which video they begin."""
        for number, request in enumerate(requests):
            if number == 0:
                settings = (self.pipeline.parameters, self.columns, replace(request, video=None))
                counter.begin(first_video_key(request.video, *settings))
            yield request


def _error_of_row(number: int, failure: Failure) -> KeyframesError:
    """Return the failure as an exception with the row, since videos in a column have no name."""
    row = f"row {number} of partition {task_fields().get('partition', 0)}, counted from 0"
    if isinstance(failure.cause, KeyframesError):
        failure.cause.args = (f"{row}: {failure.message}",)
        return failure.cause
    # The traceback is in the worker's log.
    return KeyframesError(f"{row}: {failure.error}: {failure.message}", stage=failure.stage)
