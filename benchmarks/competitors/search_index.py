# mypy: ignore-errors
# A benchmark script like its competitors, run on its own.
"""Searches an index on local[2] (--way search), or reads it with Spark alone (--way read)."""

from pathlib import Path

from pyspark.sql import SparkSession
from worker import arguments, serve

from benchmarks.large_rows import peaks
from spark_keyframes import VideoAdaptiveKeyframesSampling

options = arguments()
folder = Path(options.model)
spark = (
    SparkSession.builder.master("local[2]")
    .config("spark.ui.enabled", False)
    .config("spark.python.daemon.module", "spark_keyframes.spark.daemon")  # as in conf/
    .getOrCreate()
)
sampler = VideoAdaptiveKeyframesSampling(
    text=options.text, model_path=str(folder.parent), clip_model_name=folder.name
)


def run(index):
    rows = spark.read.parquet(index)
    if options.way == "read":
        rows.write.format("noop").mode("overwrite").save()
        return {"frame_ids": []}
    with peaks() as memory:
        hits = sampler.search(rows).collect()
    return {"frame_ids": [hit.frame_id for hit in hits], "worker_mb": memory.get("python", 0)}


serve(run)
