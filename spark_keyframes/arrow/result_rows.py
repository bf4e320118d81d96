"""Gathers the results of an input batch as rows of Arrow."""

import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from spark_keyframes.account import account_cell
from spark_keyframes.arrow.columns import AddedColumns, Columns
from spark_keyframes.arrow.curves import curve_bytes, curve_cell
from spark_keyframes.arrow.requests import RowText
from spark_keyframes.engine.pipeline import Pipeline
from spark_keyframes.engine.request import Outcome
from spark_keyframes.images import spark_image
from spark_keyframes.index import candidates_array
from spark_keyframes.made_by import joint_revision
from spark_keyframes.result import Answers, Candidates, Failure, ImagesAs, Keyframes
from spark_keyframes.schema import arrow_type

if TYPE_CHECKING:
    import pyarrow as pa

_BATCH_BYTES = 64 * 2**20
_BATCH_SECONDS = 5.0


class ResultRows:
    """The results of an input batch; large results are passed on in several parts.

    Args:
        batch: the input rows, with the columns that pass through.
        columns: of the input and of the result.
        texts: of each row.
        pipeline: what makes the results.
    """

    def __init__(
        self, batch: "pa.RecordBatch", columns: Columns, texts: list[RowText], pipeline: Pipeline
    ) -> None:
        self._passed = batch.select(columns.passed)
        self._columns = columns.added
        self._texts = texts
        self._pipeline = pipeline
        self._left: int = batch.num_rows
        self._start = 0
        self._reset()

    def _reset(self) -> None:
        self._results: list[dict[str, Any]] = []
        self._candidates: list[Candidates | None] = []
        self._bytes: int = 0
        self._since: float = time.monotonic()

    def add(self, outcome: Outcome) -> None:
        """Add the result of the next row."""
        self._left -= 1
        self._results.append(_result_cells(outcome, self._columns))
        done = outcome if isinstance(outcome, Keyframes | Answers) else None
        if done:
            self._bytes += done.nbytes
            if self._columns.curve:
                self._bytes += curve_bytes(done)
        if self._columns.candidates:
            self._candidates.append(done.candidates if done else None)

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
        self._add_made_by(self._texts[start : start + count])
        self._add_info()
        types = {name: arrow_type(ddl) for name, ddl in self._columns.types.items()}
        arrays = {
            name: pa.array([cells.get(name) for cells in self._results], kind)
            for name, kind in types.items()
            if name != self._columns.candidates
        }
        if name := self._columns.candidates:
            arrays[name] = candidates_array(self._candidates)
        passed = self._passed.slice(start, count)
        self._start += count
        self._reset()
        return pa.RecordBatch.from_arrays(
            [*passed.columns, *(arrays[name] for name in types)], [*passed.schema.names, *types]
        )

    def _add_made_by(self, texts: list[RowText]) -> None:
        if not (name := self._columns.made_by):
            return
        module = self._pipeline.module
        # The model is there when rows are.
        revision, matcher = module.revision, self._pipeline.matcher
        if matcher is not None:
            revision = joint_revision(revision, matcher.revision)
        made_by = self._pipeline.parameters.made_by(module, revision=revision)
        for cells, text in zip(self._results, texts, strict=True):
            # Several texts are in the row itself, in its own column.
            alone = text if isinstance(text, str) else None
            cells[name] = replace(made_by, text=alone).cell()

    def _add_info(self) -> None:
        if not (name := self._columns.info):
            return
        made = self._pipeline.parameters.index_info(self._pipeline.module)
        for cells, of in zip(self._results, self._candidates, strict=True):
            if of is not None and of.embeddings is not None:
                cells[name] = replace(
                    made,
                    dimensions=of.embeddings.shape[1] or None,
                    start=of.window.start or None,
                    end=None if math.isinf(of.window.end) else of.window.end,
                    duration=of.duration,
                ).cell()


def _result_cells(outcome: Outcome, columns: AddedColumns) -> dict[str, Any]:
    cells: dict[str, Any] = {}
    if columns.output:
        cells[columns.output] = keyframes_cell(outcome)
    if isinstance(outcome, Keyframes | Answers):
        if columns.timestamps:
            cells[columns.timestamps] = _timestamps(outcome)
        if columns.curve:
            cells[columns.curve] = curve_cell(outcome)
        if columns.images:
            cells[columns.images] = _images(outcome, columns.images_as)
    if isinstance(outcome, Failure) and columns.error:
        cells[columns.error] = {
            "stage": outcome.stage,
            "error": outcome.error,
            "message": outcome.message,
        }
    if columns.account and outcome is not None:
        cells[columns.account] = account_cell(outcome.account)
    return cells


def keyframes_cell(outcome: Outcome) -> dict[str, Any] | list[dict[str, Any] | None] | None:
    """Return the documented struct, one for each of several texts, or None without a result."""
    if isinstance(outcome, Answers):
        return [_struct(keyframes) for keyframes in outcome.keyframes]
    return _struct(outcome) if isinstance(outcome, Keyframes) else None


def _struct(keyframes: Keyframes | None) -> dict[str, Any] | None:
    if keyframes is None:
        return None
    return {
        "tos_paths": keyframes.tos_paths,
        "frame_ids": keyframes.frame_ids,
        "scores": keyframes.scores,
    }


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
