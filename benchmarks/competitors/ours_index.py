# mypy: ignore-errors
# A benchmark script like its competitors, run on its own.
"""Asks ten questions of a video, or of its index, on Spark with all cores.

The option --way says how: "make" the index, "transform", "transform_index", or "array": one
transform_index with an array of ten texts.
"""

import os
from dataclasses import replace
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as sf
from worker import arguments, serve

from spark_keyframes import VideoAdaptiveKeyframesSampling

QUESTIONS = ["a red car on a road", "a dog", "a cup of coffee", "a flower", "a bicycle"]
QUESTIONS += ["a rabbit", "a person who juggles", "a tree", "a table", "the sky"]

options = arguments()
folder = Path(options.model)
spark = (
    SparkSession.builder.master(f"local[{len(os.sched_getaffinity(0))}]")
    .config("spark.ui.enabled", False)
    .config("spark.python.daemon.module", "spark_keyframes.spark.daemon")  # as in conf/
    .getOrCreate()
)
sampler = VideoAdaptiveKeyframesSampling(
    text=QUESTIONS[0],
    model_path=str(folder.parent),
    clip_model_name=folder.name,
    dtype="float32" if options.precision == "float32" else "float16",
    max_num_frames=options.frames,
    return_keyframes=False,
)


def run(video, index, questions=10):
    asked = QUESTIONS[:questions]
    rows = spark.createDataFrame([(video,)], "video string").coalesce(1)
    if options.way == "make":
        sampler.index(rows, on_error="raise").write.mode("overwrite").parquet(index)
        return {"frame_ids": []}
    if options.way == "transform":
        answers = [replace(sampler, text=text).transform(rows, on_error="raise") for text in asked]
        return {"frame_ids": found(answers)}
    indexed = spark.read.parquet(index)
    if options.way == "transform_index":
        answers = [
            replace(sampler, text=text).transform_index(indexed, on_error="raise") for text in asked
        ]
        return {"frame_ids": found(answers)}
    asking = indexed.withColumn("texts", sf.array(*map(sf.lit, asked)))
    answers = sampler.transform_index(asking, text_col="texts", on_error="raise")
    lists = [answer.frame_ids for answer in answers.collect()[0]["keyframes"]]
    return {"frame_ids": numbered(lists)}


def found(answers):
    return numbered([answer.collect()[0]["keyframes"].frame_ids for answer in answers])


def numbered(lists):
    """Return the frames of all questions, each frame of each question as a number of its own."""
    return [10**9 * number + frame for number, frames in enumerate(lists) for frame in frames]


serve(run)
