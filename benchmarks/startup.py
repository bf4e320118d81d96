"""Measures the time from a Spark action to its first row in a new Python worker.

    python -m benchmarks.startup [--rounds 5] [--cache FOLDER]

It compares the preloading daemon with Spark's own. The video is drawn and 3.5 seconds long, the
model CLIP ViT-B/32 of random weights, with the default dtype on local[1]. The JVM has run the same
query before. Each round starts a SparkContext per side, and runs three actions, each in a new
worker (spark.python.worker.reuse=false):

    executor  the first: the daemon, or the executor's Python, starts too
    worker    the second: a new worker of a running executor
    split     the third, timed step by step: start of the stage, imports, model, video, return

Medians are reported: of wall clock, and of the worker's own CPU time and memory in the third
action. Wall clock is meaningful only on idle cores.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyspark.sql import SparkSession

from benchmarks import inputs
from benchmarks.scope import Scope
from benchmarks.section import Section, at_most, table
from spark_keyframes import VideoAdaptiveKeyframesSampling

if TYPE_CHECKING:
    import pyarrow as pa

DAEMON = "spark_keyframes.spark.daemon"
PLAIN = "pyspark.daemon"


@dataclass(frozen=True)
class Start:
    """The cost of a start: wall-clock seconds, and megabytes."""

    executor: float
    """from the first action of an executor to its row"""
    worker: float
    """from an action to its row, in a new worker of a running executor"""
    reach: float
    """the first part of `worker`: until the worker runs the stage"""
    imports: float
    """importing torch and CLIP"""
    load: float
    """loading the model's weights and tokenizer"""
    video: float
    """from the URL to the keyframes, the first use of the model included"""
    back: float
    """from there until the driver has the row"""
    cpu: float
    """CPU seconds of the worker from its fork to its row"""
    private_mb: float
    """memory that no other process has mapped"""
    dirty_mb: float
    """the part of it that is not a page of a file, such as the model's, and cannot be dropped"""


def measure(scope: Scope) -> Section:
    """Return the part of RESULTS.md."""
    starts = measure_starts(scope.rounds, cache=scope.cache)
    names = [field.name for field in fields(Start)]
    rows = []
    for daemon, start in starts.items():
        values = [(name, getattr(start, name)) for name in names]
        cells = [f"{v:.0f}" if name.endswith("_mb") else f"{v:.2f}" for name, v in values]
        rows.append([daemon, *cells])
    return Section(
        "The first result of a new Python worker",
        "`python -m benchmarks.startup` describes the columns. Wall-clock seconds, MB.\n\n"
        + table(["spark.python.daemon.module", *names], rows),
        (at_most("first result in a new worker with the daemon, s", starts[DAEMON].worker, 1.5),),
    )


def measure_starts(rounds: int, *, cache: Path = inputs.CACHE) -> dict[str, Start]:
    """Return the medians of both sides, by the daemon's module: PLAIN and DAEMON."""
    model, video = inputs.prepare_clip(cache), inputs.prepare_warm_up(cache=cache)
    starts: dict[str, list[Start]] = {PLAIN: [], DAEMON: []}
    for turn in range(rounds + 1):
        for daemon, side in starts.items():
            start = _start(daemon, model, video)
            if turn > 0:  # the JVM compiles its code in the first action
                side.append(start)
    return {daemon: _median(side) for daemon, side in starts.items()}


def _median(starts: list[Start]) -> Start:
    values = {
        field.name: statistics.median(getattr(start, field.name) for start in starts)
        for field in fields(Start)
    }
    return Start(**values)


def _start(daemon: str, model: Path, video: Path) -> Start:
    sampler = VideoAdaptiveKeyframesSampling(
        text="spoon",
        model_path=str(model.parent),
        clip_model_name=model.name,
        return_keyframes=False,
    )
    spark = (
        SparkSession.builder.master("local[1]")
        .config("spark.ui.enabled", False)
        .config("spark.log.level", "ERROR")
        .config("spark.python.worker.reuse", False)
        .config("spark.python.daemon.module", daemon)
        .getOrCreate()
    )
    try:
        videos = spark.createDataFrame([(str(video),)], "video string").coalesce(1)
        videos.collect()
        result = sampler.transform(videos, on_error="raise")
        executor, worker = _seconds(result.collect), _seconds(result.collect)
        schema = "began double, imported double, loaded double, done double, "
        schema += "cpu double, private_mb double, dirty_mb double"
        split = videos.mapInArrow(_steps(sampler), schema)
        called = time.time()
        seen = split.collect()[0]
        return Start(
            executor=executor,
            worker=worker,
            reach=seen.began - called,
            imports=seen.imported - seen.began,
            load=seen.loaded - seen.imported,
            video=seen.done - seen.loaded,
            back=time.time() - seen.done,
            cpu=seen.cpu,
            private_mb=seen.private_mb,
            dirty_mb=seen.dirty_mb,
        )
    finally:
        spark.stop()


def _seconds(action: Callable[[], object]) -> float:
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def _steps(sampler: VideoAdaptiveKeyframesSampling) -> Callable[[Iterator[Any]], Iterator[Any]]:
    # Nested, so that it is pickled by value: the worker has no benchmarks folder.
    def steps(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import time

        seen = {"began": time.time()}
        from pathlib import Path

        import pyarrow as pa

        from spark_keyframes.engine import resolve_device
        from spark_keyframes.ready_modules import ready_module

        device = resolve_device(rank=0)
        from transformers import CLIPModel, CLIPTokenizer  # noqa: F401
        from transformers.models.clip.image_processing_pil_clip import (  # noqa: F401
            CLIPImageProcessorPil,
        )

        seen["imported"] = time.time()
        with ready_module(sampler.make_module(), device):
            seen["loaded"] = time.time()
        for batch in batches:
            for video in batch.column(0).to_pylist():
                sampler.sample(video)
        seen["done"] = time.time()
        seen["cpu"] = time.process_time()
        lines = map(str.split, Path("/proc/self/smaps_rollup").read_text().splitlines())
        kilobytes = {line[0]: int(line[1]) for line in lines if line[-1] == "kB"}
        dirty, clean = kilobytes["Private_Dirty:"], kilobytes["Private_Clean:"]
        seen |= {"private_mb": (clean + dirty) / 1024, "dirty_mb": dirty / 1024}
        yield pa.RecordBatch.from_pylist([seen])

    return steps


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cache", type=Path, default=inputs.CACHE)
    options = parser.parse_args()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    sides = measure_starts(options.rounds, cache=options.cache)
    print(f"\n{'':32}" + "".join(f"{field.name:>11}" for field in fields(Start)))
    for daemon, start in sides.items():
        numbers = (
            f"{value:11.0f}" if name.endswith("_mb") else f"{value:11.2f}"
            for name, value in asdict(start).items()
        )
        print(f"{daemon:32}" + "".join(numbers))


if __name__ == "__main__":
    main()
