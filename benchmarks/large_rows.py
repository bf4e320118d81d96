"""Measures the memory of rows with video bytes, small and large, in executors of 2 GB.

    python -m benchmarks.large_rows [--small 10000] [--large 200] [--megabytes 50] [--memory 2g]
        [--cases small large ...] [--cache FOLDER]

Two executors of one core run on local-cluster, with Spark's defaults. A small row is a drawn video
of 3.5 seconds (94 KB). A large row is the same with padding in a `free` box: it decodes quickly, so
the run measures the transport of its bytes. Spark makes the rows, except in the cases of files. The
cases:

    small        many small rows, to a table
    large        many large rows, to a table
    shuffled     an eighth of them, after repartition()
    parquet      an eighth, from a Parquet table of row groups of a few rows
    files        an eighth, from files by binaryFile
    base64       an eighth, as base64
    kept         an eighth, with keep_video=True

Prints a line of JSON for each: rows, how many have the right keyframes, seconds, and the peak
memory of one process of each kind in MB, without pages of files, sampled twice a second. The line
of a case that fails says why.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pyspark
from pyspark.errors import PySparkException
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as sf

from benchmarks.inputs import CACHE, ROOT, prepare_warm_up
from spark_keyframes import VideoAdaptiveKeyframesSampling
from spark_keyframes.demo import MODELS
from tests.spark.processes import all_processes

_ROWS_PER_TASK = 16

# By default Parquet checks its memory only every 100 rows, too late for such large ones. Padding
# compresses, unlike a video, and Spark's reader decodes a whole row group at once.
_LARGE_ROWS = {
    "parquet.page.size.row.check.min": "1",
    "parquet.block.size.row.check.min": "1",
    "compression": "none",
}

SAMPLER = VideoAdaptiveKeyframesSampling(
    text="spoon",
    model_path=str(MODELS),
    clip_model_name="tiny_clip",
    max_num_frames=2,
    video_src_type="video_binary",
    return_keyframes=False,
)


class Rows:
    """Makes the rows of the cases, with the columns `id` and `video`."""

    def __init__(self, spark: SparkSession, options: argparse.Namespace, folder: Path) -> None:
        self._spark, self._options, self._folder = spark, options, folder
        self.clip = prepare_warm_up(cache=options.cache).read_bytes()

    def small(self) -> DataFrame:
        return self._made(self._options.small, sf.lit(self.clip))

    def large(self, share: int = 1) -> DataFrame:
        padding = int(self._options.megabytes * 1e6) - len(self.clip) - 8
        head = self.clip + struct.pack(">I4s", padding + 8, b"free")
        # It depends on the id, so that Spark makes it in each row and not once in the plan.
        digit = (sf.col("id") % 10).cast("string")
        body = sf.repeat(digit, sf.lit(padding)).cast("binary")
        return self._made(max(1, self._options.large // share), sf.concat(sf.lit(head), body))

    def shuffled(self) -> DataFrame:
        videos = self.large(8)
        return videos.repartition(max(2, self._options.large // 8 // 4))

    def parquet(self) -> DataFrame:
        table = str(self._folder / "parquet")
        self.large(8).write.options(**_LARGE_ROWS).parquet(table)
        return self._spark.read.parquet(table)

    def files(self) -> DataFrame:
        folder = self._folder / "files"
        folder.mkdir()
        size = int(self._options.megabytes * 1e6)
        for number in range(max(1, self._options.large // 8)):
            with (folder / f"{number}.mp4").open("wb") as file:
                file.write(self.clip + struct.pack(">I4s", size - len(self.clip), b"free"))
                file.truncate(size)
        files = self._spark.read.format("binaryFile").load(str(folder))
        return files.select(sf.col("path").alias("id"), sf.col("content").alias("video"))

    def base64(self) -> DataFrame:
        return self.large(8).withColumn("video", sf.base64("video"))

    def kept(self) -> DataFrame:
        return self.large(8)

    def _made(self, count: int, video: Column) -> DataFrame:
        tasks = max(2, count // _ROWS_PER_TASK)
        return self._spark.range(0, count, 1, tasks).select("id", video.alias("video"))


CASES: dict[str, Callable[[Rows], DataFrame]] = {
    "small": Rows.small,
    "large": Rows.large,
    "shuffled": Rows.shuffled,
    "parquet": Rows.parquet,
    "files": Rows.files,
    "base64": Rows.base64,
    "kept": Rows.kept,
}


def measure(case: str, rows: Rows, folder: Path) -> dict[str, object]:
    """Sample the rows of a case into a table, and read the table."""
    expected = SAMPLER.sample(rows.clip).frame_ids
    videos = CASES[case](rows)
    kept = case == "kept"
    sampler = replace(SAMPLER, video_src_type="video_base64") if case == "base64" else SAMPLER
    sampled = sampler.transform(videos, error_col="error", keep_video=kept)
    table = str(folder / "table")
    begin = time.perf_counter()
    with peaks() as memory:
        sampled.write.options(**(_LARGE_ROWS if kept else {})).parquet(table)
    seconds = time.perf_counter() - begin
    right = sf.col("keyframes.frame_ids") == sf.lit(expected)
    written = rows._spark.read.schema(sampled.schema).parquet(table)
    found = written.select(
        sf.count(sf.lit(1)).alias("rows"),
        sf.count_distinct("id").alias("videos"),
        sf.count_if(right).alias("right"),
        sf.max("error.message").alias("error"),
        *([sf.sum(sf.length("video")).alias("bytes")] if kept else []),
    ).collect()[0]
    return {**found.asDict(), "seconds": round(seconds, 1), "peak_mb": memory}


@contextlib.contextmanager
def peaks() -> Iterator[dict[str, int]]:
    """The peak memory of this program's processes meanwhile, by their kind, in MB."""
    found: dict[str, int] = {}
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.5):
            alive = all_processes()
            for process in alive.values():
                line = [process]
                while line[-1].parent in alive:
                    line.append(alive[line[-1].parent])
                if process.kind != "other" and os.getpid() in (each.pid for each in line):
                    found[process.kind] = max(found.get(process.kind, 0), _anonymous(process.pid))

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


def _anonymous(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("RssAnon"):
                return int(line.split()[1]) // 1000
    return 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--small", type=int, default=10_000)
    parser.add_argument("--large", type=int, default=200)
    parser.add_argument("--megabytes", type=float, default=50)
    parser.add_argument("--memory", default="2g")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--cache", type=Path, default=CACHE)
    options = parser.parse_args()
    # local-cluster starts its executors with Spark's own scripts.
    os.environ.setdefault("SPARK_HOME", str(Path(pyspark.__file__).parent))
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ["PYTHONPATH"] = str(ROOT)
    options.cache.mkdir(parents=True, exist_ok=True)
    spark = (
        SparkSession.builder.master("local-cluster[2,1,2048]")
        .config("spark.executor.memory", options.memory)
        .config("spark.ui.enabled", False)
        .config("spark.log.level", "ERROR")
        .getOrCreate()
    )
    for case in options.cases:
        folder = Path(tempfile.mkdtemp(dir=options.cache))
        try:
            rows = Rows(spark, options, folder)
            answer = measure(case, rows, folder)
        except PySparkException as error:
            answer = {"failed": str(error).splitlines()[0]}
        finally:
            shutil.rmtree(folder)
        print(json.dumps({"case": case, **answer}), flush=True)
    spark.stop()


if __name__ == "__main__":
    main()
