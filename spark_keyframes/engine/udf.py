"""The engine as a Spark UDF, for SQL and withColumn."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spark_keyframes.engine.accelerator import resolve_device
from spark_keyframes.engine.pipeline import Pipeline
from spark_keyframes.engine.spark import assigned_gpus, cells, keyframes_cell
from spark_keyframes.engine.task import Request
from spark_keyframes.engine.writer import ImageWriter
from spark_keyframes.module import KeyframesModule
from spark_keyframes.schema import KEYFRAMES_DDL, arrow_type

if TYPE_CHECKING:
    import pyarrow as pa


def keyframes_udf(module: KeyframesModule, writer: ImageWriter | None) -> Callable[..., Any]:
    """An Arrow UDF from videos to the documented struct.

    Arrow rather than pandas: a pandas UDF cannot return a null struct. Nondeterministic in Spark's
    eyes, since the optimiser otherwise runs it a second time for a filter on its result.
    """
    import pyarrow as pa
    from pyspark.sql.pandas.functions import arrow_udf

    stage = _UdfStage(module, writer)

    # The hints tell Spark what kind of UDF it is: it evaluates them.
    def keyframes(batches: Iterator[pa.Array]) -> Iterator[pa.Array]:
        return stage(batches)

    # Spark's stubs want an explicit kind for iterators; Spark itself warns of one.
    udf: Any = arrow_udf(keyframes, f"struct<{KEYFRAMES_DDL}>")  # type: ignore[call-overload]
    asked_once: Callable[..., Any] = udf.asNondeterministic()
    return asked_once


@dataclass(frozen=True)
class _UdfStage:
    module: KeyframesModule
    writer: ImageWriter | None

    def __call__(self, batches: "Iterator[pa.Array]") -> "Iterator[pa.Array]":
        import pyarrow as pa

        device = resolve_device(rank=self.module.parameters.rank, assigned=assigned_gpus())
        pipeline = Pipeline(self.module, device=device, writer=self.writer)
        kind = arrow_type(KEYFRAMES_DDL)
        lengths: list[int] = []

        def requests() -> Iterator[Request]:
            for batch in batches:
                lengths.append(len(batch))
                for video in cells(batch):
                    yield Request(video=video, text=self.module.parameters.text)

        results: list[dict[str, Any] | None] = []
        with closing(pipeline.run(requests())) as outcomes:
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
