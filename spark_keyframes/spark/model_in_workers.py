"""Asks for the revision of a model where the workers see it."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spark_keyframes.module import KeyframesModule
from spark_keyframes.spark.interpreter import is_local, shipped

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import SparkSession


def model_in_workers(spark: "SparkSession", module: KeyframesModule) -> dict[str, str | None]:
    """Return the module's `revision` and `preprocessing`, by name.

    On a cluster, a task reads them, as the driver may lack the model.
    """
    if is_local(spark):
        return _read(module)
    one = spark.range(0, 1, 1, 1)
    rows: Any = one.mapInArrow(shipped(_Model(module)), "model string").collect()
    model: dict[str, str | None] = json.loads(rows[0]["model"])
    return model


def _read(module: KeyframesModule) -> dict[str, str | None]:
    # Only modules that give embeddings have a preprocessing that an index compares.
    return {"revision": module.revision, "preprocessing": getattr(module, "preprocessing", None)}


@dataclass(frozen=True)
class _Model:
    module: KeyframesModule

    def __call__(self, batches: "Iterable[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
        import pyarrow as pa

        for batch in batches:
            values = pa.array([json.dumps(_read(self.module))] * batch.num_rows)
            yield pa.RecordBatch.from_arrays([values], ["model"])
