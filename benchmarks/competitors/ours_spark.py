# mypy: ignore-errors
# A benchmark script like its competitors, run on its own.
"""Samples with spark_keyframes on Spark: one task with all cores."""

import os
from pathlib import Path

from pyspark.sql import SparkSession
from worker import arguments, serve

from spark_keyframes import VideoAdaptiveKeyframesSampling

options = arguments()
folder = Path(options.model)
cores = len(os.sched_getaffinity(0))
spark = (
    SparkSession.builder.master(f"local[{cores}]")
    .config("spark.task.cpus", cores)
    .config("spark.ui.enabled", False)
    .getOrCreate()
)


def run(video, fps, videos=()):
    sampler = VideoAdaptiveKeyframesSampling(
        text=options.text,
        model_path=str(folder.parent),
        clip_model_name=folder.name,
        dtype="float32" if options.precision == "float32" else "float16",
        fps=fps,
        max_num_frames=options.frames,
        return_keyframes=False,
        **({"scan": options.scan} if options.scan else {}),
    )
    rows = spark.createDataFrame([(each,) for each in videos or [video]], "video string")
    row = sampler.transform(rows.coalesce(1), on_error="raise").collect()[0]["keyframes"]
    return {"frame_ids": list(row.frame_ids), "scores": list(row.scores)}


serve(run)
