"""Embeds texts in a worker, which has the model; the driver may lack it."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, cast

from spark_keyframes.device import resolve_device
from spark_keyframes.engine.pipeline import Pipeline
from spark_keyframes.index_info import IndexInfo
from spark_keyframes.module import EmbeddingModule
from spark_keyframes.ready_modules import ready_module
from spark_keyframes.spark.interpreter import shipped
from spark_keyframes.spark.spark_task import assigned_gpus

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import SparkSession


def embed_texts(
    spark: "SparkSession", pipeline: Pipeline, texts: Sequence[str], profile: Any
) -> tuple[IndexInfo, list[list[float]]]:
    """Return how the model of the workers makes an index, and the unit embedding of each text.

    Runs a job of one task.

    Args:
        spark: the session.
        pipeline: with the module and the parameters.
        texts: what to embed.
        profile: of resources, or None.

    Raises: in the job, what `setup`, `revision` and `embed_texts` of the module raise.
    """
    stage = shipped(_Texts(pipeline, list(texts)))
    one, schema = spark.range(0, 1, 1, 1), "info string, embeddings array<array<float>>"
    if profile is None:
        rows: Any = one.mapInArrow(stage, schema)
    else:
        rows = one.mapInArrow(stage, schema, profile=profile)
    row = rows.collect()[0]
    return IndexInfo(**json.loads(row["info"])), row["embeddings"]


@dataclass(frozen=True)
class _Texts:
    pipeline: Pipeline
    texts: list[str]

    def __call__(self, batches: "Iterable[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
        import pyarrow as pa
        import torch

        for _ in batches:  # one, of one row
            pipeline = self.pipeline
            device = resolve_device(rank=pipeline.parameters.rank, assigned=assigned_gpus())
            with ready_module(pipeline.module, device) as module, torch.inference_mode():
                found = cast(EmbeddingModule, module).unit_texts(self.texts)
                rows = [found[text].cpu().tolist() for text in self.texts]
            info = json.dumps(asdict(pipeline.parameters.index_info(pipeline.module)))
            columns = [
                pa.array([info]),
                pa.array([rows], pa.list_(pa.list_(pa.float32()))),
            ]
            yield pa.RecordBatch.from_arrays(columns, ["info", "embeddings"])
