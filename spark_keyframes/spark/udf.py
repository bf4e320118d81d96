"""The engine as a Spark UDF, for SQL and withColumn."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spark_keyframes.engine.device import resolve_device
from spark_keyframes.engine.pipeline import Pipeline
from spark_keyframes.engine.task import Request
from spark_keyframes.errors import ParameterError
from spark_keyframes.schema import KEYFRAMES_DDL, arrow_type, spark_type
from spark_keyframes.spark.arrow_stage import assigned_gpus, cells, keyframes_cell, task_fields
from spark_keyframes.spark.versions import has_arrow_udf, warn_once

if TYPE_CHECKING:
    import pyarrow as pa


def keyframes_udf(pipeline: Pipeline) -> Callable[..., Any]:
    """A UDF from videos, or videos and texts, to the documented struct.

    Of Arrow arrays where Spark has that, rather than of pandas': a pandas UDF cannot return a null
    struct. Nondeterministic in Spark's eyes, since the optimiser otherwise runs it a second time
    for a filter on its result.
    """
    stage = _UdfStage(pipeline)
    udf = _arrow_udf(stage) if has_arrow_udf() else _pandas_udf(stage)
    asked_once: Callable[..., Any] = udf.asNondeterministic()
    return asked_once


# The hints tell Spark what kind of UDF it is: it evaluates them. They bind it to no number of
# columns: one comes as arrays whatever they say, and several come as tuples.


def _arrow_udf(stage: "_UdfStage") -> Any:
    import pyarrow as pa
    from pyspark.sql.pandas.functions import arrow_udf

    def keyframes(batches: Iterator[tuple[pa.Array, ...]]) -> Iterator[pa.Array]:
        return stage(batches)

    # Spark's stubs want an explicit kind for iterators; Spark itself warns of one.
    return arrow_udf(keyframes, spark_type(KEYFRAMES_DDL))  # type: ignore[call-overload]


def _pandas_udf(stage: "_UdfStage") -> Any:
    """For Spark before 4.1: what is null is a struct of nulls."""
    import pandas as pd
    import pyarrow as pa
    from pyspark.sql.pandas.functions import pandas_udf

    warn_once(
        "this Spark has no UDFs of Arrow arrays: of a null video, or one that fails, the UDF gives "
        "a struct of nulls and not null; ask for keyframes.frame_ids IS NULL"
    )

    def arrays(batch: "pd.Series[Any] | tuple[pd.Series[Any], ...]") -> Any:
        if isinstance(batch, tuple):
            return tuple(pa.array(column, from_pandas=True) for column in batch)
        return pa.array(batch, from_pandas=True)

    def keyframes(batches: Iterator[tuple[pd.Series, ...]]) -> Iterator[pd.DataFrame]:
        for array in stage(arrays(batch) for batch in batches):
            fields = zip(array.type, array.flatten(), strict=True)
            yield pd.DataFrame({field.name: values.to_pandas() for field, values in fields})

    return pandas_udf(keyframes, spark_type(KEYFRAMES_DDL))  # type: ignore[call-overload]


@dataclass(frozen=True)
class _UdfStage:
    pipeline: Pipeline

    def __call__(
        self, batches: "Iterator[pa.Array | tuple[pa.Array, ...]]"
    ) -> "Iterator[pa.Array]":
        import pyarrow as pa

        device = resolve_device(rank=self.pipeline.parameters.rank, assigned=assigned_gpus())
        kind = arrow_type(KEYFRAMES_DDL)
        lengths: list[int] = []

        def requests() -> Iterator[Request]:
            for batch in batches:
                videos, texts = _arguments(batch)
                lengths.append(len(videos))
                for index, video in enumerate(cells(videos)):
                    text = self.pipeline.parameters.text if texts is None else texts[index].as_py()
                    yield Request(video=video, text=text)

        results: list[dict[str, Any] | None] = []
        run = self.pipeline.run(requests(), device=device, log_context=task_fields)
        with closing(run) as outcomes:
            for outcome in outcomes:
                # Spark wants an array for each of its own, the empty ones too.
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
    """The videos, and the texts where there are any.

    Only here, in the task, is it known what the UDF was called with: SQL calls it by name.
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
    # What SQL's NULL comes as is of its own type.
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)):
        raise ParameterError(
            f"the UDF's second column is the text, a string, got {kind}; cast it, or give a "
            "column of texts"
        )
    return videos, texts
