"""Compares Daft with Spark: the same videos on the same cores, in turn.

    python -m benchmarks.daft_and_spark [--rows 48] [--rounds 3] [--sides ...] [--tiny]
        [--cache FOLDER] [--videos FOLDER]

The rows are the real clips, again and again, sampled at 1 fps with CLIP ViT-B/32 of random weights,
or with `--tiny` the small model of the demo, so that decoding is nearly all of the work. The sides:

    spark        local[all cores], a task of one core each; the workers have loaded the model before
    daft 1x16    one actor for all cores, 16 rows at a time
    daft 1x1     one actor for all cores, one row at a time, as in the documented example
    daft nx1     an actor for each core, one row at a time
    ray 1x16     as daft 1x16, on Daft's Ray runner

The order changes from round to round. `all` is the seconds of a query of all rows, `start` of one
of a single short clip, and `videos` their difference: Daft starts its actors for each query, and
they load the model. Prints medians, and the ratios of `videos` to that of spark. Wall clock is
meaningful only on idle cores.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from benchmarks import inputs
from spark_keyframes import VideoAdaptiveKeyframesSampling
from spark_keyframes.demo import MODEL, MODELS

CORES = len(os.sched_getaffinity(0))
SIDES: dict[str, dict[str, Any]] = {
    "spark": {},
    "daft 1x16": {"concurrency": 1, "batch_size": 16},
    "daft 1x1": {"concurrency": 1, "batch_size": 1},
    "daft nx1": {"concurrency": CORES, "batch_size": 1},
    "ray 1x16": {"concurrency": 1, "batch_size": 16},
}


class OnSpark:
    """A session whose Python workers stay."""

    def __init__(self, parameters: dict[str, Any], warm_up: str) -> None:
        from pyspark.sql import SparkSession

        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        self._spark = (
            SparkSession.builder.master(f"local[{CORES}]")
            .config("spark.ui.enabled", False)
            .config("spark.log.level", "ERROR")
            .getOrCreate()
        )
        self._sampler = VideoAdaptiveKeyframesSampling(**parameters)
        self.seconds([warm_up] * CORES)

    def seconds(self, videos: list[str]) -> float:
        """Return the seconds of a query."""
        rows = self._spark.createDataFrame([(video,) for video in videos], "video string")
        tasks = rows.repartition(min(len(videos), 4 * CORES))
        began = time.perf_counter()
        self._sampler.transform(tasks, on_error="raise").collect()
        return time.perf_counter() - began


def on_daft(side: str, parameters: dict[str, Any], videos: list[str]) -> float:
    """Return the seconds of a query, in a process of its own: the runner is one of a process."""
    work = json.dumps([SIDES[side], parameters, videos])
    runner = "ray" if side.startswith("ray") else "native"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.daft_and_spark", "--work", work],
        env={**os.environ, "DAFT_RUNNER": runner},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    (seconds,) = (line[8:] for line in done.stdout.splitlines() if line.startswith("SECONDS "))
    return float(seconds)


def work(options: dict[str, Any], parameters: dict[str, Any], videos: list[str]) -> None:
    """Run a query on Daft, and print its seconds."""
    import daft

    from spark_keyframes.daft import las_udf

    if os.environ["DAFT_RUNNER"] == "ray":
        import ray

        ray.init(log_to_driver=False)
        daft.set_runner_ray()
    keyframes = las_udf(VideoAdaptiveKeyframesSampling, parameters, on_error="raise", **options)
    rows = daft.from_pydict({"video": videos})
    rows = rows.with_column("keyframes", keyframes(daft.col("video")))
    began = time.perf_counter()
    rows.collect()
    print("SECONDS", time.perf_counter() - began, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rows", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--cache", type=Path, default=inputs.CACHE)
    parser.add_argument("--videos", type=Path, default=inputs.VIDEOS)
    parser.add_argument("--work", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(*json.loads(options.work))
        return
    options.cache.mkdir(parents=True, exist_ok=True)
    model = MODELS / MODEL if options.tiny else inputs.prepare_clip(options.cache)
    parameters = {
        "text": "spoon",
        "model_path": str(model.parent),
        "clip_model_name": model.name,
        "return_keyframes": False,
    }
    short = str(inputs.prepare_warm_up(cache=options.cache))
    clips = [str(clip) for clip in inputs.real_clips(options.videos)] or [short]
    videos = list(islice(cycle(clips), options.rows))
    spark = OnSpark(parameters, short) if "spark" in options.sides else None
    found: dict[str, list[tuple[float, float]]] = {side: [] for side in options.sides}
    for number in range(options.rounds):
        for side in options.sides[:: -1 if number % 2 else 1]:
            start, everything = (
                spark.seconds(rows)
                if side == "spark" and spark
                else on_daft(side, parameters, rows)
                for rows in ([short], videos)
            )
            found[side].append((start, everything))
            print(f"{side}: {everything:.1f} s, of which {start:.1f} to start", flush=True)
    print(f"\n{len(videos)} rows, {CORES} cores, medians of {options.rounds}")
    print(f"{'side':12}{'all':>8}{'start':>8}{'videos':>8}{'of spark':>10}")
    base = None
    for side, runs in found.items():
        start, everything = (statistics.median(column) for column in zip(*runs, strict=True))
        base = everything - start if side == "spark" else base
        ratio = f"{(everything - start) / base:10.2f}" if base else ""
        print(f"{side:12}{everything:8.1f}{start:8.1f}{everything - start:8.1f}{ratio}")


if __name__ == "__main__":
    main()
