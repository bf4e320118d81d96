# mypy: ignore-errors
# A benchmark script like its competitors, run on its own.
"""Samples with plain Spark: a pandas UDF that decodes every frame and calls transformers."""

import os
from collections.abc import Iterator

import pandas as pd
from pyspark.sql import SparkSession
from pyspark.sql.functions import pandas_udf
from worker import answer, arguments, serve

BATCH = 16

options = arguments()
cores = len(os.sched_getaffinity(0))
spark = (
    SparkSession.builder.master(f"local[{cores}]")
    .config("spark.task.cpus", cores)  # there is one video, so its task may use every core
    .config("spark.ui.enabled", False)
    .getOrCreate()
)
spark.sparkContext.addPyFile(__file__.replace("naive_spark", "worker"))


def keyframes_udf(model_path, text, half, fps, frames):
    @pandas_udf("frame_ids array<bigint>, scores array<float>, scored bigint")
    def keyframes(videos: Iterator[pd.Series]) -> Iterator[pd.DataFrame]:
        import av
        import torch
        from transformers import CLIPModel, CLIPProcessor

        model = CLIPModel.from_pretrained(model_path).eval()
        processor = CLIPProcessor.from_pretrained(model_path)

        @torch.inference_mode()
        def score(images, scores):
            inputs = processor(text=[text], images=images, return_tensors="pt", padding=True)
            with torch.autocast("cpu", torch.bfloat16, enabled=half):
                output = model(**inputs)
            scores += (output.image_embeds.float() @ output.text_embeds.float().T)[:, 0].tolist()
            images.clear()

        for paths in videos:
            rows = []
            for path in paths:
                frame_ids, scores, images = [], [], []
                with av.open(path) as container:
                    container.streams.video[0].thread_type = "AUTO"
                    for number, frame in enumerate(container.decode(video=0)):
                        if frame.time + 1e-6 >= len(frame_ids) / fps:
                            frame_ids.append(number)
                            images.append(frame.to_image())
                        if len(images) == BATCH:
                            score(images, scores)
                    if images:
                        score(images, scores)
                rows.append(answer(frame_ids, scores, frames))
            yield pd.DataFrame(rows)

    return keyframes


def run(video, fps):
    half = options.precision == "bfloat16"
    keyframes = keyframes_udf(options.model, options.text, half, fps, options.frames)
    videos = spark.createDataFrame([(video,)], "video string").coalesce(1)
    row = videos.select(keyframes("video").alias("k")).collect()[0]["k"]
    return {"frame_ids": list(row.frame_ids), "scores": list(row.scores), "scored": row.scored}


serve(run)
