"""What a result's rows say when they are counted by hand, beside what Spark counted.

As a program: the same over Spark Connect, whose server it starts, with a bar. Arguments: the master
of that server; the folder of models; where images go; videos, "" for null. Prints what `both`
returns, as JSON.
"""

import json
import sys
from collections import Counter

from spark_keyframes import VideoAdaptiveKeyframesSampling, metrics, progress
from spark_keyframes.schema import ACCOUNT_DDL

OPTIONS = {"text": "spoon", "clip_model_name": "small", "fps": 5, "max_num_frames": 4}
OPTIONS |= {"dtype": "float32", "return_keyframes": False}
NAMES = {"output_col": "found", "error_col": "why", "account_col": "took"}


def by_hand(rows):
    failures = Counter(row["why"]["stage"] for row in rows if row["why"])
    done = [row["found"] for row in rows if row["found"]]
    counted = {"videos": len(rows), "done": len(done), "failed": failures.total()}
    counted["keyframes"] = sum(len(found["frame_ids"]) for found in done)
    counted |= {f"failed_{stage}": number for stage, number in failures.items()}
    for field in ACCOUNT_DDL.split(", "):
        name = field.split(" ")[0]
        counted[name] = sum(row["took"][name] for row in rows if row["took"])
    return counted


def both(sampler, videos):
    """What is counted by hand, and what Spark counted in the same action."""
    from pyspark.sql import Observation

    seen = Observation()
    rows = sampler.transform(videos, **NAMES).observe(seen, *metrics(**NAMES)).collect()
    hand = by_hand(rows)
    return hand, {name: value for name, value in seen.get.items() if isinstance(value, int | float)}


def main(master, models, output, *paths):
    from pyspark.sql import SparkSession

    spark = SparkSession.builder.remote(master).getOrCreate()
    sampler = VideoAdaptiveKeyframesSampling(model_path=models, output_tos_dir=output, **OPTIONS)
    videos = spark.createDataFrame([(path or None,) for path in paths], "video string")
    with progress(spark, total=len(paths)):
        result = both(sampler, videos)
    print("RESULT", json.dumps(result))
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
