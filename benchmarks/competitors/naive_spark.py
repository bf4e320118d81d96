# mypy: ignore-errors
# A benchmark script like its competitors, run on its own.
"""Samples with plain Spark: a pandas UDF that decodes every frame and calls transformers.

It decodes with PyAV, or with OpenCV (--way opencv).
"""

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


def keyframes_udf(fps):
    model_path, text, frames = options.model, options.text, options.frames
    half, opencv = options.precision == "bfloat16", options.way == "opencv"

    @pandas_udf("frame_ids array<bigint>, scores array<float>, scored bigint")
    def keyframes(videos: Iterator[pd.Series]) -> Iterator[pd.DataFrame]:
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

        def with_pyav(path):
            """Yield the number and the seconds of each frame, and a function for its picture."""
            import av

            with av.open(path) as container:
                container.streams.video[0].thread_type = "AUTO"
                for number, frame in enumerate(container.decode(video=0)):
                    yield number, frame.time, frame.to_image

        def with_opencv(path):
            """Yield the same."""
            import cv2

            capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG)
            rate, number = capture.get(cv2.CAP_PROP_FPS), 0
            while capture.grab():
                yield (
                    number,
                    number / rate,
                    lambda: cv2.cvtColor(capture.retrieve()[1], cv2.COLOR_BGR2RGB),
                )
                number += 1
            capture.release()

        decoded = with_opencv if opencv else with_pyav
        for paths in videos:
            rows = []
            for path in paths:
                frame_ids, scores, images = [], [], []
                for number, seconds, picture in decoded(path):
                    if seconds + 1e-6 >= len(frame_ids) / fps:
                        frame_ids.append(number)
                        images.append(picture())
                    if len(images) == BATCH:
                        score(images, scores)
                if images:
                    score(images, scores)
                rows.append(answer(frame_ids, scores, frames))
            yield pd.DataFrame(rows)

    return keyframes


def run(video, fps):
    keyframes = keyframes_udf(fps)
    videos = spark.createDataFrame([(video,)], "video string").coalesce(1)
    row = videos.select(keyframes("video").alias("k")).collect()[0]["k"]
    return {"frame_ids": list(row.frame_ids), "scores": list(row.scores), "scored": row.scored}


serve(run)
