"""Samples videos on Daft, as sampling_program.py does on Spark; the runner is DAFT_RUNNER."""

import json
import sys

import daft

from spark_keyframes.daft import VideoAdaptiveKeyframesSampling, las_udf


def main():
    options = json.loads(sys.argv[1])
    (way,) = options["ways"]
    keyframes = las_udf(
        VideoAdaptiveKeyframesSampling, options["parameters"], concurrency=2, batch_size=2
    )
    rows = daft.from_pydict(options["videos"]).with_column(
        "keyframes", keyframes(daft.col("video"))
    )
    rows.write_parquet(f"{options['folder']}/{way}")
    print("WROTE", json.dumps({"way": way, "seen": None}), flush=True)


if __name__ == "__main__":
    main()
