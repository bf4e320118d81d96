"""Turns what people type as an input into a DataFrame with a column of videos."""

import logging
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from spark_keyframes.errors import ParameterError, SourceNotFoundError
from spark_keyframes.jobs.partitioning import VIDEOS_PER_TASK, cpus_for_largest, shared_tasks
from spark_keyframes.spark.versions import condition_of, default_parallelism, frame_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

logger = logging.getLogger(__name__)

VIDEO_SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("3gp", "asf", "avi", "flv", "gif", "m2ts", "m4v", "mkv", "mov", "mp4"),
        *("mpeg", "mpg", "mts", "mxf", "ogv", "ts", "webm", "wmv"),
    )
)
TABLE_FORMATS = {".parquet": "parquet", ".orc": "orc", ".json": "json", ".csv": "csv"}

# Schemes that no Hadoop file system lists, so that what is behind them is taken as one video.
_SINGLE_OBJECTS = ("http", "https", "tos")


def read_videos(
    spark: "SparkSession", location: str, *, limit: int | None = None, cpus: int | None = None
) -> "DataFrame":
    """One row per video, `video: string`.

    As many as run beside each other are in the order of their names or of the list. More are shared
    out as `shared_tasks` says: files of a folder or glob the largest first, a list in its order.

    Arguments:
        location: a video, a folder of videos (with its subfolders), a glob, an http(s):// or
            tos:// URL, or a .txt file with one path or URL per line (blank lines and those that
            begin with # are skipped). Folders, globs and lists may be on any file system that
            this Spark reads.
        limit: take only the first so many, by name or in the list.
        cpus: of each task that they are for; None: spark.task.cpus.

    Raises:
        SourceNotFoundError: there is nothing there.
        ParameterError: there is something, but no video.
    """
    sizes = None
    scheme = urlsplit(location).scheme.lower()
    suffix = PurePosixPath(urlsplit(location).path).suffix.lower()
    if scheme in _SINGLE_OBJECTS:
        if suffix == ".txt":
            raise ParameterError(
                f"a list of videos must be on a file system that Spark reads, got {location!r}; "
                "copy it to a local file first"
            )
        paths = [location]
    elif not scheme and Path(location).is_file() and suffix != ".txt":
        # Before it could be taken for a glob: brackets are common in the names of videos.
        paths = [str(Path(location).absolute())]
    elif suffix == ".txt":
        lines = [row[0].strip() for row in _read(spark, "text", location).collect()]
        paths = [line for line in lines if line and not line.startswith("#")]
    else:
        files = _listed(spark, location)
        paths, sizes = list(files), list(files.values())
    if not paths:
        raise ParameterError(
            f"no videos in {location!r}; looked for {', '.join(sorted(VIDEO_SUFFIXES))}"
            if suffix != ".txt"
            else f"no videos in {location!r}: every line is empty or a comment"
        )
    return in_order(spark, paths[:limit], sizes and sizes[:limit], cpus=cpus)


def in_order(
    spark: "SparkSession",
    paths: list[str],
    sizes: list[int] | None = None,
    *,
    cpus: int | None = None,
) -> "DataFrame":
    """One row per video, `video: string`, shared out between tasks as `shared_tasks` says.

    Arguments:
        spark: the session.
        paths: at least one; as many as run beside each other stay in their order.
        sizes: of each, in bytes, where they are known.
        cpus: of each task that they are for; None: spark.task.cpus.
    """
    import pyarrow as pa

    cpus = cpus or int(spark.conf.get("spark.task.cpus", "1") or 1)
    cores = _cores(spark)
    at_once = max(1, cores // cpus)
    if len(paths) > at_once:
        if sizes and (wanted := cpus_for_largest(sizes, cores=cores)) > 2 * cpus:
            logger.warning(
                "one video has %.0f%% of all bytes: a task has %d of %d CPUs, and the others will "
                "wait for it at the end; more up to %d make the job shorter, with --cpus, or "
                "spark.task.cpus where that is refused",
                *(100 * max(sizes) / sum(sizes), cpus, cores, wanted),
            )
        return in_tasks(spark, shared_tasks(paths, sizes, at_once=at_once, cpus=cpus))
    # Spark makes as many tasks of a local list as there are cores, in the list's order. Of a list
    # of tuples, it would make rows in Python workers of a second daemon of each executor, which
    # imports all of torch too: 4 s of CPU.
    return frame_of(spark, pa.table({"video": pa.array(paths, pa.string())}))


def in_tasks(spark: "SparkSession", tasks: list[list[str]]) -> "DataFrame":
    """One row per video, those of each list in a partition, which start in the lists' order."""
    import pyarrow as pa
    from pyspark.sql import functions as sf

    number = pa.array(range(len(tasks)), pa.int32())
    videos = pa.array(tasks, pa.list_(pa.string()))
    rows = frame_of(spark, pa.table({"task": number, "videos": videos}))
    # Of as many rows as ranges, each becomes one: no other way in all versions of Spark puts a row
    # where it is to go.
    rows = rows.repartitionByRange(len(tasks), "task")
    return rows.select(sf.explode("videos").alias("video"))


def spread(videos: "DataFrame", count: int) -> "DataFrame":
    """`count` videos over enough tasks: every core has one, and one that is lost loses little."""
    tasks = max(_cores(videos.sparkSession), count // VIDEOS_PER_TASK)
    return videos.repartition(max(1, min(count, tasks)))


def _cores(spark: "SparkSession") -> int:
    """Of all executors: those that are there, or that the conf says will be."""
    present = default_parallelism(spark)

    def said(name: str) -> int:
        return int(spark.conf.get(name, "0") or 0)

    counts = ("spark.executor.instances", "spark.dynamicAllocation.maxExecutors")
    executors = max(map(said, counts))
    return max(present, said("spark.cores.max"), executors * said("spark.executor.cores"))


def read_table(spark: "SparkSession", location: str, table_format: str | None) -> "DataFrame":
    """A table in any format that this Spark reads.

    Arguments:
        location: its path, or its name in the catalogue for the format "table".
        table_format: "parquet", "delta", "csv", …; None: by the suffix, else parquet.

    Raises SourceNotFoundError where there is none.
    """
    if table_format == "table":
        return spark.table(location)
    suffix = PurePosixPath(location).suffix.lower()
    return _read(spark, table_format or TABLE_FORMATS.get(suffix, "parquet"), location)


def _listed(spark: "SparkSession", location: str) -> dict[str, int]:
    """The files there in the order of their names, and their bytes."""
    # Not asked for the content, binaryFile reads none.
    rows = _read(spark, "binaryFile", location).select("path", "length").collect()
    files = dict(sorted((_plain(row["path"]), row["length"]) for row in rows))
    if any(character in location for character in "*?[{") or len(files) == 1:
        return files
    return {
        path: size
        for path, size in files.items()
        if PurePosixPath(path).suffix.lower() in VIDEO_SUFFIXES
    }


def _plain(path: str) -> str:
    # Hadoop writes file:/a/b, with one slash.
    return path.removeprefix("file:") if path.startswith("file:/") else path


def _read(spark: "SparkSession", table_format: str, location: str) -> "DataFrame":
    from pyspark.errors import AnalysisException

    reader = spark.read.format(table_format)
    if table_format == "csv":
        reader = reader.option("header", True)
    if table_format == "binaryFile":
        reader = reader.option("recursiveFileLookup", True)
    try:
        table = reader.load(location)
        table.schema  # noqa: B018 - Connect looks at nothing before
        return table
    except AnalysisException as error:
        if condition_of(error) != "PATH_NOT_FOUND":
            raise
        raise SourceNotFoundError(
            f"nothing found at {location!r}; give a video, a folder, a glob in quotes, a URL, "
            "or a .txt file with one of them per line"
        ) from error
