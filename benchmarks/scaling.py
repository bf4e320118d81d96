"""Compares one worker with two, on a standalone cluster on loopback.

    python -m benchmarks.scaling [--short 240] [--rounds 3] [--cache FOLDER] [--videos FOLDER]

Each of the two workers is pinned to one core with all its processes, like a machine of one core.
One application has an executor on one worker, another has one on both. They take turns, and are
idle in between. Each samples a folder of `--short` real clips, as read_videos divides it, into a
table, with CLIP ViT-B/32 of random weights at 1 fps. Just before, each samples a tenth of the clips
to warm up.

The fixed cost of an action, such as listing the folder and committing the table, is the same for
both. With few clips it lowers the ratio.

For comparison, the same runs without Spark: one process with all clips, and two with half of them
each, pinned to a core each. That shows how much the machine itself loses, because two cores share
its memory.

Prints the seconds of each action, how many cores the whole machine had busy meanwhile (one or two
on an idle machine), and the ratios of the medians.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import asdict
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Self

from benchmarks import inputs
from benchmarks.process import OURS, Process, Side, machine_cpu
from spark_keyframes import VideoAdaptiveKeyframesSampling
from tests.spark.cluster import Cluster, Driver

_LIMIT = 1200
"""longest time of an action, in seconds"""
SPARK, BARE = "Spark", "without Spark"


def pin_workers(cluster: Cluster) -> None:
    """Pin each worker to a core; its child processes inherit it."""
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


class Bare:
    """Runs the same work without Spark, in one or two warm processes, each pinned to a core."""

    def __init__(self, model: Path, cache: Path, folder: Path, few: Path) -> None:
        # Sorted, the copies of a clip are adjacent, and each process gets as many of them.
        by_size = sorted(folder.iterdir(), key=lambda path: path.stat().st_size)
        self._videos = [str(path) for path in by_size]
        warm_up = [str(path) for path in sorted(few.iterdir())]
        side = Side("without Spark", "ours", python=OURS, precision="bfloat16")
        self._stack = ExitStack()
        self._processes = [
            self._stack.enter_context(Process(side, model=model, cache=cache, cores={core}))
            for core in sorted(os.sched_getaffinity(0))[:2]
        ]
        for process in self._processes:
            process.work(limit=_LIMIT, video="", fps=1.0, videos=warm_up)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def run(self, workers: int) -> None:
        """Sample all videos, by one process or by two at the same time."""
        with ThreadPoolExecutor(workers) as threads:
            shares = [self._videos[number::workers] for number in range(workers)]
            list(threads.map(self._work, self._processes, shares))

    @staticmethod
    def _work(process: Process, videos: list[str]) -> None:
        process.work(limit=_LIMIT, video="", fps=1.0, videos=videos)


Seconds = dict[tuple[str, int], list[float]]


def measure(
    cluster: Cluster, folder: Path, few: Path, table: Path, options: argparse.Namespace
) -> Seconds:
    """Return the seconds of each action, by engine and number of workers."""
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
    seconds: Seconds = {}
    with (
        cluster.driver({"spark.cores.max": "1"}) as one,
        cluster.driver({"spark.cores.max": "2"}) as two,
        Bare(model, options.cache, folder, few) as bare,
    ):
        drivers = {1: one, 2: two}
        for driver in drivers.values():
            sample(driver, parameters, few, table)  # so that each application has its executors
        executors = len(cluster.processes("executor"))
        if executors != 3:
            raise SystemExit(f"expected 3 executors, got {executors}")
        for turn in range(options.rounds):
            for workers, driver in drivers.items():
                # Spark ends Python workers that are idle for a minute.
                sample(driver, parameters, few, table)
                ways = {
                    SPARK: partial(sample, driver, parameters, folder, table),
                    BARE: partial(bare.run, workers),
                }
                for way, action in ways.items():
                    busy, began = machine_cpu(), time.perf_counter()
                    action()
                    took = time.perf_counter() - began
                    cores = (machine_cpu() - busy) / took
                    seconds.setdefault((way, workers), []).append(took)
                    print(
                        f"{turn + 1}  {way:13} {workers} worker(s) {took:7.2f} s, "
                        f"{cores:.2f} cores busy",
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
    for way in (SPARK, BARE):
        one, two = (statistics.median(seconds[way, workers]) for workers in (1, 2))
        print(f"{way}, medians: {one:.2f} s with one, {two:.2f} s with two: {one / two:.2f} times")


if __name__ == "__main__":
    main()
