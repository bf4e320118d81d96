"""The function of `DataFrame.mapInPandas` that samples the videos of a partition."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spark_keyframes.arrow.columns import Columns, Wanted
from spark_keyframes.arrow.pandas_frames import sample_frames
from spark_keyframes.engine.pipeline import Pipeline
from spark_keyframes.errors import ParameterError
from spark_keyframes.result import OnError
from spark_keyframes.spark.arrow_stage import sample_partition
from spark_keyframes.spark.monitoring.video_counter import VideoCounter

if TYPE_CHECKING:
    from collections.abc import Generator

    import pandas as pd
    import pyarrow as pa
    from pyspark.sql.types import StructType

_EXACT = 2**53
"""below it, floats hold every whole number"""


@dataclass(frozen=True)
class PandasStage:
    """Samples a partition. Pickled by reference, as `ArrowStage` is."""

    pipeline: Pipeline
    wanted: Wanted
    on_error: OnError
    whole: frozenset[str] | None
    """columns whose values are whole numbers; None: unknown"""
    tasks_at_once: int = 1
    counter: VideoCounter | None = None

    def __call__(self, frames: "Iterable[pd.DataFrame]") -> "Iterator[pd.DataFrame]":
        """Yield the result rows of a partition, in its order."""
        with closing(sample_frames(self._checked(frames), self.wanted, self._sampled)) as rows:
            yield from rows

    def _sampled(
        self, batches: "Iterable[tuple[pa.RecordBatch, Columns]]"
    ) -> "Generator[pa.RecordBatch]":
        return sample_partition(
            batches,
            self.wanted,
            self.pipeline,
            on_error=self.on_error,
            tasks_at_once=self.tasks_at_once,
            counter=self.counter,
        )

    def _checked(self, frames: "Iterable[pd.DataFrame]") -> "Iterator[pd.DataFrame]":
        """Yield the frames; refuse whole numbers that Spark has changed on the way to pandas."""
        for frame in frames:
            for place, name in enumerate(frame.columns):
                of_integers = self.whole is None or name in self.whole
                if of_integers and _is_changed(frame.iloc[:, place].values):
                    raise ParameterError(_refusal(name, known=self.whole is not None))
            yield frame


def whole_columns(schema: "StructType") -> frozenset[str]:
    """Return the columns with 64-bit integers, which floats cannot hold."""
    return frozenset(each.name for each in schema if "bigint" in each.dataType.simpleString())


def _is_changed(values: object) -> bool:
    """Return whether these may be integers beside nulls, and some too large for a float.

    Before Spark 4.2, arrays in cells may be too.
    """
    if isinstance(values, dict):
        return any(map(_is_changed, values.values()))
    if not isinstance(values, np.ndarray):
        return False
    if values.dtype == object:
        return any(map(_is_changed, values))
    if values.dtype != np.float64:
        return False
    present = values[~np.isnan(values)]
    is_whole = (present == np.rint(present)).all()
    return bool(len(present) < len(values) and (abs(present) >= _EXACT).any() and is_whole)


def _refusal(name: str, *, known: bool) -> str:
    fact = "is bigint and has" if known else "may be bigint: it has"
    advice = (
        "use transform(), which leaves other columns as they are, or set "
        "spark.sql.execution.pythonUDF.pandas.preferIntExtensionDtype=true (Spark 4.2), or cast it "
        "to string"
    )
    if not known:
        advice += "; if it is double, give the schema: map_in_pandas(schema=df.schema)"
    return (
        f"column {name!r} {fact} nulls, and numbers of 2**53 or more; beside nulls, mapInPandas "
        f"makes floats of them, which changes such numbers; {advice}"
    )
