"""Counts the rows of a result in Python, to compare the counts with those of `metrics`.

    python metrics_program.py MASTER MODELS OUTPUT VIDEO…

As a program, it does so over Spark Connect with a progress bar, and starts the server itself.
OUTPUT is the folder for images, and an empty VIDEO is a null. It prints the result of `count_twice`
as JSON.
"""

import json
import sys
from collections import Counter

from spark_keyframes import VideoAdaptiveKeyframesSampling, metrics, progress
from spark_keyframes.schema import ACCOUNT_DDL

OPTIONS = {"text": "spoon", "clip_model_name": "small", "fps": 5, "max_num_frames": 4}
OPTIONS |= {"dtype": "float32", "return_keyframes": False}
NAMES = {"output_col": "found", "error_col": "why", "account_col": "took"}


def count_rows(rows):
    """Return what `metrics` should count of these rows."""
    failures = Counter(row["why"]["stage"] for row in rows if row["why"])
    done = [row["found"] for row in rows if row["found"]]
    counted = {"videos": len(rows), "done": len(done), "failed": failures.total()}
    counted["keyframes"] = sum(len(found["frame_ids"]) for found in done)
    counted |= {f"failed_{stage}": number for stage, number in failures.items()}
    for field in ACCOUNT_DDL.split(", "):
        name = field.split(" ")[0]
        counted[name] = sum(row["took"][name] for row in rows if row["took"])
    return counted


def count_twice(sampler, videos):
    """Return the counts of `count_rows` and those of `metrics`, from one action."""
    from pyspark.sql import Observation

    seen = Observation()
    rows = sampler.transform(videos, **NAMES).observe(seen, *metrics(**NAMES)).collect()
    numbers = {name: value for name, value in seen.get.items() if isinstance(value, int | float)}
    return count_rows(rows), numbers


def main(master, models, output, *paths):
    from pyspark.sql import SparkSession

    spark = SparkSession.builder.remote(master).getOrCreate()
    sampler = VideoAdaptiveKeyframesSampling(model_path=models, output_tos_dir=output, **OPTIONS)
    videos = spark.createDataFrame([(path or None,) for path in paths], "video string")
    with progress(spark, total=len(paths)):
        result = count_twice(sampler, videos)
    print("RESULT", json.dumps(result))
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
