"""Runs the pipeline as a Spark UDF, for SQL and withColumn."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spark_keyframes.arrow.requests import requests_of, texts_of
from spark_keyframes.arrow.result_rows import keyframes_cell
from spark_keyframes.engine.pipeline import Pipeline
from spark_keyframes.engine.request import Request
from spark_keyframes.errors import ParameterError
from spark_keyframes.schema import KEYFRAMES_DDL, arrow_type, spark_type
from spark_keyframes.spark.interpreter import shipped
from spark_keyframes.spark.spark_task import run_in_task
from spark_keyframes.spark.versions import has_arrow_udf, warn_once

if TYPE_CHECKING:
    import pyarrow as pa


def keyframes_udf(pipeline: Pipeline) -> Callable[..., Any]:
    """Return a UDF from videos, or from videos and texts, to the documented struct.

    It takes Arrow arrays where Spark supports that: a pandas UDF cannot return a null struct.
    """
    stage = shipped(_UdfStage(pipeline))
    udf = _arrow_udf(stage) if has_arrow_udf() else _pandas_udf(stage)
    # Otherwise the optimiser runs it a second time for a filter on its result.
    result: Callable[..., Any] = udf.asNondeterministic()
    return result


# Spark evaluates the type hints to find the kind of UDF. They do not fix the number of columns:
# a single column arrives as arrays, several arrive as tuples.


def _arrow_udf(stage: Callable[..., Any]) -> Any:
    import pyarrow as pa
    from pyspark.sql.pandas.functions import arrow_udf

    def keyframes(batches: Iterator[tuple[pa.Array, ...]]) -> Iterator[pa.Array]:
        arrays: Iterator[pa.Array] = stage(batches)
        return arrays

    # The stubs require a function type for iterators, but Spark warns if one is given.
    return arrow_udf(keyframes, spark_type(f"struct<{KEYFRAMES_DDL}>"))  # type: ignore[call-overload]


def _pandas_udf(stage: Callable[..., Any]) -> Any:
    """Return the UDF for Spark before 4.1: it gives a struct of nulls instead of null."""
    import pandas as pd
    import pyarrow as pa
    from pyspark.sql.pandas.functions import pandas_udf

    warn_once(
        "this Spark has no UDFs of Arrow arrays: for a null video, or one that fails, the UDF "
        "gives a struct of nulls instead of null; check keyframes.frame_ids IS NULL"
    )

    def arrays(batch: "pd.Series[Any] | tuple[pd.Series[Any], ...]") -> Any:
        if isinstance(batch, tuple):
            return tuple(pa.array(column, from_pandas=True) for column in batch)
        return pa.array(batch, from_pandas=True)

    def keyframes(batches: Iterator[tuple[pd.Series, ...]]) -> Iterator[pd.DataFrame]:
        for array in stage(arrays(batch) for batch in batches):
            fields = zip(array.type, array.flatten(), strict=True)
            yield pd.DataFrame({field.name: values.to_pandas() for field, values in fields})

    return pandas_udf(keyframes, spark_type(f"struct<{KEYFRAMES_DDL}>"))  # type: ignore[call-overload]


@dataclass(frozen=True)
class _UdfStage:
    pipeline: Pipeline

    def __call__(
        self, batches: "Iterator[pa.Array | tuple[pa.Array, ...]]"
    ) -> "Iterator[pa.Array]":
        import pyarrow as pa

        kind = arrow_type(f"struct<{KEYFRAMES_DDL}>")
        lengths: list[int] = []

        def requests() -> Iterator[Request]:
            for batch in batches:
                videos, texts = _arguments(batch)
                lengths.append(len(videos))
                yield from requests_of(videos, texts_of(texts, len(videos), self.pipeline))

        results: list[Any] = []
        with closing(run_in_task(self.pipeline, requests())) as outcomes:
            for outcome in outcomes:
                # Spark needs one array for each input array, empty ones included.
                while lengths[0] == 0:
                    yield pa.array([], kind)
                    del lengths[0]
                results.append(keyframes_cell(outcome))
                if len(results) == lengths[0]:
                    yield pa.array(results, kind)
                    results = []
                    del lengths[0]
        yield from (pa.array([], kind) for _ in lengths)


def _arguments(batch: "pa.Array | tuple[pa.Array, ...]") -> "tuple[pa.Array, pa.Array | None]":
    """Return the columns of videos and, if there is one, of texts.

    They are checked here, in the task: the driver does not see how SQL calls the UDF.
    """
    import pyarrow as pa

    if not isinstance(batch, tuple):
        return batch, None
    if len(batch) != 2:
        raise ParameterError(
            f"the UDF takes a video, or a video and a text, got {len(batch)} columns; "
            "use keyframes(video) or keyframes(video, text)"
        )
    videos, texts = batch
    kind = texts.type
    # The NULL of SQL has its own Arrow type.
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        raise ParameterError(
            f"the UDF takes one text, got {kind}; use transform() with text_col for several texts"
        )
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)):
        raise ParameterError(
            f"the UDF's second column is the text, a string, got {kind}; cast it, or give a "
            "column of texts"
        )
    return videos, texts
