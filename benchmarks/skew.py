"""Measures how long the cores wait for one long video beside many short ones.

    python -m benchmarks.skew [--minutes 20] [--short 60] [--cpus 1 2] [--rounds 3]
        [--plans ...] [--cache FOLDER] [--videos FOLDER]

The folder has `--short` real clips and, in the middle by name, one 720p video of `--minutes`. They
are scored by CLIP ViT-B/32 of random weights at 1 fps, on local[all cores], in one session for each
of `--cpus` (spark.task.cpus). The workers have loaded the model before. The plans take turns:

    by name    repartition() to tasks of 16, as programs often do with a list of paths
    16 each    the largest first, 16 in each task
    one each   the largest first, a task for each video
    shared     the plan of read_videos

Prints medians of the rounds, from Spark's event log. `wall` is from the first task's start to the
last one's end, `busy` the seconds that cores had a task, `idle` the others, `longest` the longest
task. No plan can be faster than the long video alone. Wall clock is meaningful only on idle cores.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, fields
from itertools import cycle, islice
from pathlib import Path

import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession

from benchmarks import inputs
from spark_keyframes import VideoAdaptiveKeyframesSampling
from spark_keyframes.jobs.inputs import frame_of_tasks, read_videos
from spark_keyframes.jobs.partitioning import VIDEOS_PER_TASK


@dataclass(frozen=True)
class Run:
    """Run one action over all videos; return its seconds."""

    tasks: float
    wall: float
    busy: float
    idle: float
    longest: float


def by_name(spark: SparkSession, folder: Path) -> DataFrame:
    paths = [str(path) for path in sorted(folder.iterdir())]
    tasks = max(spark.sparkContext.defaultParallelism, len(paths) // VIDEOS_PER_TASK)
    return spark.createDataFrame(pa.table({"video": paths})).repartition(tasks)


def largest_first(most: int) -> Callable[[SparkSession, Path], DataFrame]:
    def plan(spark: SparkSession, folder: Path) -> DataFrame:
        paths = sorted(folder.iterdir(), key=lambda path: -path.stat().st_size)
        starts = range(0, len(paths), most)
        return frame_of_tasks(
            spark, [list(map(str, paths[start : start + most])) for start in starts]
        )

    return plan


def shared(spark: SparkSession, folder: Path) -> DataFrame:
    return read_videos(spark, str(folder))


PLANS: dict[str, Callable[[SparkSession, Path], DataFrame]] = {
    "by name": by_name,
    "16 each": largest_first(16),
    "one each": largest_first(1),
    "shared": shared,
}


def measure(
    folder: Path, cpus: int, plans: Sequence[str], rounds: int, *, cache: Path
) -> dict[str, list[Run]]:
    """Run the plans in turn, in a session whose tasks have `cpus` CPUs; return their runs."""
    cores = len(os.sched_getaffinity(0))
    model = inputs.prepare_clip(cache)
    sampler = VideoAdaptiveKeyframesSampling(
        text="spoon",
        model_path=str(model.parent),
        clip_model_name=model.name,
        return_keyframes=False,
    )
    with tempfile.TemporaryDirectory() as log:
        spark = (
            SparkSession.builder.master(f"local[{cores}]")
            .config("spark.task.cpus", cpus)
            .config("spark.ui.enabled", False)
            .config("spark.log.level", "ERROR")
            .config("spark.eventLog.enabled", True)
            .config("spark.eventLog.dir", Path(log).as_uri())
            .config("spark.eventLog.rolling.enabled", False)
            .config("spark.eventLog.compress", False)
            .getOrCreate()
        )
        began: list[tuple[str, float]] = []
        try:
            warm_up = [[str(inputs.prepare_warm_up(cache=cache))] * 4] * cores
            sampler.transform(frame_of_tasks(spark, warm_up), on_error="raise").collect()
            for plan in list(plans) * rounds:
                videos = PLANS[plan](spark, folder)
                began.append((plan, time.time()))
                sampler.transform(videos, on_error="raise").collect()
                print(f"{plan} with cpus={cpus}: {time.time() - began[-1][1]:.1f} s", flush=True)
        finally:
            spark.stop()
        (events,) = Path(log).iterdir()
        tasks = _tasks(events)
    runs = defaultdict(list)
    ends = [start for _, start in began[1:]] + [float("inf")]
    for (plan, start), end in zip(began, ends, strict=True):
        runs[plan].append(_run(tasks, start, end, cpus=cpus, cores=cores))
    return runs


def _tasks(events: Path) -> dict[int, list[tuple[float, float]]]:
    """Return when the tasks of each stage began and ended."""
    stages = defaultdict(list)
    for line in events.read_text().splitlines():
        event = json.loads(line)
        if event["Event"] == "SparkListenerTaskEnd":
            task = event["Task Info"]
            times = task["Launch Time"] / 1000, task["Finish Time"] / 1000
            stages[event["Stage ID"]].append(times)
    return stages


def _run(
    stages: dict[int, list[tuple[float, float]]],
    start: float,
    end: float,
    *,
    cpus: int,
    cores: int,
) -> Run:
    within = [tasks for tasks in stages.values() if start <= min(tasks)[0] < end]
    tasks = max(within, key=lambda tasks: sum(last - first for first, last in tasks))
    wall = max(last for _, last in tasks) - min(first for first, _ in tasks)
    busy = cpus * sum(last - first for first, last in tasks)
    longest = max(last - first for first, last in tasks)
    return Run(len(tasks), wall, busy, cores * wall - busy, longest)


def prepare_folder(folder: Path, options: argparse.Namespace) -> None:
    long = inputs.prepare(
        inputs.KINDS["720p"], options.minutes, cache=options.cache, videos=options.videos
    )
    clips = inputs.real_clips(options.videos) or [inputs.prepare_warm_up(cache=options.cache)]
    shutil.copy(long, folder / "50-long.mp4")
    for number, clip in enumerate(islice(cycle(clips), options.short)):
        # By name, half of them come before the long one.
        shutil.copy(clip, folder / f"{100 * number // options.short:02}-{number}{clip.suffix}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--minutes", type=int, default=20)
    parser.add_argument("--short", type=int, default=60)
    parser.add_argument("--cpus", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--plans", nargs="+", choices=PLANS, default=list(PLANS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cache", type=Path, default=inputs.CACHE)
    parser.add_argument("--videos", type=Path, default=inputs.VIDEOS)
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    with tempfile.TemporaryDirectory(dir=options.cache) as folder:
        prepare_folder(Path(folder), options)
        sides = {
            (cpus, plan): runs
            for cpus in options.cpus
            for plan, runs in measure(
                Path(folder), cpus, options.plans, options.rounds, cache=options.cache
            ).items()
        }
    print(f"\n{'cpus':>4}  {'plan':10}" + "".join(f"{field.name:>9}" for field in fields(Run)))
    for (cpus, plan), runs in sides.items():
        medians = map(statistics.median, zip(*map(astuple, runs), strict=True))
        print(f"{cpus:4}  {plan:10}" + "".join(f"{value:9.1f}" for value in medians))


if __name__ == "__main__":
    main()
