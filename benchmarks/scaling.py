"""Throughput of one worker and of two, on a standalone cluster on loopback.

    python -m benchmarks.scaling [--short 240] [--rounds 3] [--cache FOLDER] [--videos FOLDER]

Two workers, each on a core of its own with all that it starts, as a machine of one core would be.
One application has an executor on one of them, another has one on each; they take turns, and are
idle in between. Each samples a folder of `--short` real clips, as read_videos spreads it, to a
table: CLIP ViT-B/32 with random weights at 1 fps. Right before, they have done a tenth of them.

What an action costs once, such as to list the folder and to commit the table, is the same for both:
with few clips the ratio tells of that, too.

Prints the seconds of each action, how many cores the machine had busy meanwhile (one and two, where
nothing else runs), and the ratio of the medians.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict
from itertools import cycle, islice
from pathlib import Path

from benchmarks import inputs
from benchmarks.process import machine_cpu
from spark_keyframes import VideoAdaptiveKeyframesSampling
from tests.engine.cluster import Cluster, Driver

_LIMIT = 1200
"""seconds that an action may take"""


def pin_workers(cluster: Cluster) -> None:
    """Give each worker a core of its own; what it starts inherits it."""
    cores = sorted(os.sched_getaffinity(0))
    workers = cluster.processes("worker")
    if len(cores) < len(workers):
        raise SystemExit(f"needs a core for each of {len(workers)} workers, there are {len(cores)}")
    for core, worker in zip(cores, workers, strict=False):
        for thread in Path(f"/proc/{worker.pid}/task").iterdir():
            with suppress(ProcessLookupError):
                os.sched_setaffinity(int(thread.name), {core})


def sample(driver: Driver, parameters: dict[str, object], folder: Path, table: Path) -> None:
    driver.send("sample", parameters=parameters, folder=str(folder), table=str(table))
    answer = driver.answer(_LIMIT)
    if answer != {"done": len(list(folder.iterdir()))}:
        raise SystemExit(f"not every video was done: {answer}")
    shutil.rmtree(table)


def measure(
    cluster: Cluster, folder: Path, few: Path, table: Path, options: argparse.Namespace
) -> dict[int, list[float]]:
    """The seconds of each action, by the number of workers."""
    model = inputs.prepare_clip(options.cache)
    sampler = VideoAdaptiveKeyframesSampling(
        text="spoon",
        model_path=str(model.parent),
        clip_model_name=model.name,
        return_keyframes=False,
    )
    parameters = asdict(sampler)
    for nested in ("limits", "access"):
        del parameters[nested]
    pin_workers(cluster)
    seconds: dict[int, list[float]] = {1: [], 2: []}
    with (
        cluster.driver({"spark.cores.max": "1"}) as one,
        cluster.driver({"spark.cores.max": "2"}) as two,
    ):
        drivers = {1: one, 2: two}
        for driver in drivers.values():
            sample(driver, parameters, few, table)  # so that each has its executors
        executors = len(cluster.processes("executor"))
        if executors != 3:
            raise SystemExit(f"there were to be 3 executors, not {executors}")
        for turn in range(options.rounds):
            for workers, driver in drivers.items():
                # Spark has ended Python workers that had nothing to do for a minute.
                sample(driver, parameters, few, table)
                busy, began = machine_cpu(), time.perf_counter()
                sample(driver, parameters, folder, table)
                took = time.perf_counter() - began
                cores = (machine_cpu() - busy) / took
                seconds[workers].append(took)
                print(
                    f"{turn + 1}  {workers} worker(s) {took:7.2f} s, {cores:.2f} cores busy",
                    flush=True,
                )
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--short", type=int, default=240)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cache", type=Path, default=inputs.CACHE)
    parser.add_argument("--videos", type=Path, default=inputs.VIDEOS)
    options = parser.parse_args()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    options.cache.mkdir(parents=True, exist_ok=True)
    clips = inputs.real_clips(options.videos) or [inputs.prepare_warm_up(cache=options.cache)]
    with tempfile.TemporaryDirectory(dir=options.cache) as temporary:
        place = Path(temporary)
        folder, few = place / "videos", place / "few"
        for target, count in ((folder, options.short), (few, max(4, options.short // 10))):
            target.mkdir()
            for number, clip in enumerate(islice(cycle(clips), count)):
                shutil.copy(clip, target / f"{number:04}{clip.suffix}")
        with Cluster(place / "cluster") as cluster:
            seconds = measure(cluster, folder, few, place / "table", options)
    one, two = (statistics.median(seconds[workers]) for workers in (1, 2))
    print(f"\nmedians: {one:.2f} s with one worker, {two:.2f} s with two: {one / two:.2f} times")


if __name__ == "__main__":
    main()
