"""Asks for the revision of a model where the workers see it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spark_keyframes.module import KeyframesModule
from spark_keyframes.spark.interpreter import is_local, shipped

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import SparkSession


def revision_in_workers(spark: "SparkSession", module: KeyframesModule) -> str | None:
    """Return the module's `revision`; on a cluster, a task reads it, as the driver may lack it."""
    if is_local(spark):
        return module.revision
    one = spark.range(0, 1, 1, 1)
    rows: Any = one.mapInArrow(shipped(_Revision(module)), "revision string").collect()
    revision: str | None = rows[0]["revision"]
    return revision


@dataclass(frozen=True)
class _Revision:
    module: KeyframesModule

    def __call__(self, batches: "Iterable[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
        import pyarrow as pa

        for batch in batches:
            values = pa.array([self.module.revision] * batch.num_rows, pa.string())
            yield pa.RecordBatch.from_arrays([values], ["revision"])
