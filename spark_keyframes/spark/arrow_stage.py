"""The function of `DataFrame.mapInArrow` that samples the videos of a partition.

mapInPandas would convert the columns that pass through: a null turns a bigint column into floats.
"""

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from spark_keyframes.arrow.batches import error_of_row, sample_batches
from spark_keyframes.arrow.columns import Columns, Wanted
from spark_keyframes.arrow.curves import with_bounded_curves
from spark_keyframes.engine.pipeline import Pipeline
from spark_keyframes.engine.request import Outcome, Request
from spark_keyframes.result import Failure, OnError, VideoFailedError
from spark_keyframes.spark.monitoring.repeats import first_video_key
from spark_keyframes.spark.monitoring.video_counter import VideoCounter
from spark_keyframes.spark.spark_task import run_in_task, task_fields

if TYPE_CHECKING:
    import pyarrow as pa

# A row over 2 GB fails in every version of Spark, and no setting helps.
_ROW_BYTES = 2**30
# Of score curves, beside that.
_CURVE_BYTES = 2**28


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
        planned = ((batch, self.columns) for batch in batches)
        yield from sample_partition(
            planned,
            self.columns,
            self.pipeline,
            on_error=self.on_error,
            tasks_at_once=self.tasks_at_once,
            counter=self.counter,
        )


def sample_partition(
    batches: "Iterable[tuple[pa.RecordBatch, Columns]]",
    columns: Columns | Wanted,
    pipeline: Pipeline,
    *,
    on_error: OnError,
    tasks_at_once: int,
    counter: VideoCounter | None,
) -> "Generator[pa.RecordBatch]":
    """Yield the result rows of a partition, in its order.

    Args:
        batches: as in `sample_batches`.
        columns: those of all batches.
        pipeline: what makes the results.
        on_error: as in `transform`.
        tasks_at_once: how many tasks of the stage run in an executor.
        counter: counts videos for the progress bar on the driver.
    """
    large = sum(name is not None for name in (columns.added.images, columns.added.candidates))
    bounded = replace(pipeline, row_bytes=_ROW_BYTES // large if large else None)

    def begun(requests: Iterable[Request]) -> Iterator[Request]:
        """Yield the requests, and say with which video they begin."""
        for number, request in enumerate(requests):
            if number == 0 and counter is not None:
                settings = (pipeline.parameters, columns, replace(request, video=None))
                counter.begin(first_video_key(request.video, *settings))
            yield request

    def run(requests: Iterable[Request]) -> Generator[Outcome]:
        stop = on_error == "raise"
        found = run_in_task(
            bounded, begun(requests), tasks_at_once=tasks_at_once, stop_on_failure=stop
        )
        with closing(found) as outcomes:
            for number, made in enumerate(outcomes):
                outcome = with_bounded_curves(made, _CURVE_BYTES) if columns.added.curve else made
                if stop and isinstance(outcome, Failure):
                    raise VideoFailedError(number, outcome)
                if counter is not None:
                    counter.add(outcome)
                yield outcome

    with closing(sample_batches(batches, pipeline, run)) as rows:
        try:
            yield from rows
        except VideoFailedError as failed:
            place = f" of partition {task_fields().get('partition', 0)}"
            # From None: the cause may show a URL with its signature.
            raise error_of_row(failed, place) from None
