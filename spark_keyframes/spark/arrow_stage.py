"""The function of `DataFrame.mapInArrow` that samples the videos of a partition.

mapInPandas would convert the columns that pass through: a null turns a bigint column into floats.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from spark_keyframes.account import account_cell
from spark_keyframes.engine.pipeline import Pipeline
from spark_keyframes.engine.request import Outcome, Request
from spark_keyframes.errors import KeyframesError
from spark_keyframes.images import spark_image
from spark_keyframes.result import Answers, Failure, ImagesAs, Keyframes, VideoFailedError
from spark_keyframes.schema import arrow_type
from spark_keyframes.spark.columns import AddedColumns, Columns, OnError
from spark_keyframes.spark.monitoring.repeats import first_video_key
from spark_keyframes.spark.monitoring.video_counter import VideoCounter
from spark_keyframes.spark.spark_task import (
    RowText,
    keyframes_cell,
    requests_of,
    run_in_task,
    task_fields,
    texts_of,
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
            replace(self.pipeline, row_bytes=_ROW_BYTES if self.columns.added.images else None),
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
            names = self.columns
            text, start, end = (
                batch.column(name) if name else None
                for name in (names.text, names.start, names.end)
            )
            texts = texts_of(text, batch.num_rows, self.pipeline)
            waiting.append(_Rows(batch, names, texts, self._made_by))
            yield from self._begun(requests_of(batch.column(names.input), texts, start, end))

    def _begun(self, requests: Iterator[Request]) -> Iterator[Request]:
        """Yield the requests, and say with which video they begin."""
        for number, request in enumerate(requests):
            if number == 0 and self.counter is not None:
                settings = (self.pipeline.parameters, self.columns, replace(request, video=None))
                self.counter.begin(first_video_key(request.video, *settings))
            yield request

    def _made_by(self, texts: list[RowText]) -> list[dict[str, Any]]:
        """Return what makes the results of these texts. The model is there when rows are."""
        module = self.pipeline.module
        made_by = self.pipeline.parameters.made_by(module, revision=module.revision)
        # Several texts are in the row itself, in its own column.
        alone = (text if isinstance(text, str) else None for text in texts)
        return [replace(made_by, text=text).cell() for text in alone]


def _timestamps(outcome: Keyframes | Answers) -> list[Any]:
    if isinstance(outcome, Answers):
        return [keyframes and keyframes.timestamps for keyframes in outcome.keyframes]
    return outcome.timestamps


def _images(outcome: Keyframes | Answers, images_as: ImagesAs) -> list[Any]:
    """Return the images; those of several texts are the union, in order of frame ids."""
    if isinstance(outcome, Keyframes):
        return outcome.image_files if images_as == "encoded" else spark_images(outcome)
    frames = outcome.frames
    if images_as == "encoded":
        return [file for _, file in frames.values()]
    return [
        spark_image(image, origin=str(frame_id))
        for frame_id, (image, _) in frames.items()
        if image is not None
    ]


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

    def __init__(
        self,
        batch: "pa.RecordBatch",
        columns: Columns,
        texts: list[RowText],
        made_by: Callable[[list[RowText]], list[dict[str, Any]]],
    ) -> None:
        self._passed = batch.select(columns.passed)
        self._columns = columns.added
        self._texts = texts
        self._made_by = made_by
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
        if isinstance(outcome, Keyframes | Answers):
            self._bytes += outcome.image_bytes

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

        start, count = self._start, len(self._results)
        if name := self._columns.made_by:
            made_by = self._made_by(self._texts[start : start + count])
            for cells, cell in zip(self._results, made_by, strict=True):
                cells[name] = cell
        types = self._columns.types.items()
        schema = pa.schema([(name, arrow_type(ddl)) for name, ddl in types])
        results = pa.RecordBatch.from_pylist(self._results, schema)
        passed = self._passed.slice(start, count)
        self._start += count
        self._reset()
        return pa.RecordBatch.from_arrays(
            [*passed.columns, *results.columns], [*passed.schema.names, *schema.names]
        )


def _result_cells(outcome: Outcome, columns: AddedColumns) -> dict[str, Any]:
    cells: dict[str, Any] = {columns.output: keyframes_cell(outcome)}
    if isinstance(outcome, Keyframes | Answers):
        cells[columns.timestamps or ""] = _timestamps(outcome)
        if columns.images:
            cells[columns.images] = _images(outcome, columns.images_as)
    if isinstance(outcome, Failure):
        cells[columns.error or ""] = {
            "stage": outcome.stage,
            "error": outcome.error,
            "message": outcome.message,
        }
    if columns.account and outcome is not None:
        cells[columns.account] = account_cell(outcome.account)
    return cells
