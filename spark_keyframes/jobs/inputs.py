"""Reads an input, such as a folder, a list or a table, as a DataFrame with a column of videos."""

import logging
import os
import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote

from spark_keyframes.errors import SourceNotFoundError
from spark_keyframes.jobs.file_systems import check_file_system, has_file_system
from spark_keyframes.jobs.listing import hadoop_files_hidden, local_path
from spark_keyframes.jobs.partitioning import VIDEOS_PER_TASK, assign_to_tasks, cpus_for_largest
from spark_keyframes.limits import Limits
from spark_keyframes.listing.globs import escaped, is_glob
from spark_keyframes.listing.local_files import NO_VIDEO, local_files, warn_of
from spark_keyframes.listing.remote_files import Files, remote_files
from spark_keyframes.listing.suffixes import is_video
from spark_keyframes.listing.videos import (
    is_list,
    is_single_object,
    no_videos_in,
    nothing_at,
    videos_of,
)
from spark_keyframes.redaction import redact_url
from spark_keyframes.spark.versions import condition_of, default_parallelism, frame_of, is_connect
from spark_keyframes.storage import Access, open_url
from spark_keyframes.urls import scheme_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

logger = logging.getLogger("spark_keyframes")

TABLE_FORMATS = {".parquet": "parquet", ".orc": "orc", ".json": "json", ".csv": "csv"}

LISTED_AS_URL = r"^(?:file|dbfs(?=:/+Volumes/)):/+"
"""How a listing of Spark begins local paths: file:/a/b, and in Databricks dbfs:/Volumes/a."""

SIZE_COL = "spark_keyframes_bytes"
"""The column of `sized_videos` with the size of each video."""

_FILES = ("binaryFile", "text")  # formats of videos and of lists of videos, and not of tables


def read_videos(
    spark: "SparkSession",
    location: str | os.PathLike[str],
    *,
    limit: int | None = None,
    cpus: int | None = None,
    access: Access = Access(),
    limits: Limits = Limits(),
) -> "DataFrame":
    """Return one row per video, `video: string`.

    Up to one video per running task, the order is that of the names or the list. More videos are
    assigned by `assign_to_tasks`: files of a folder or glob the largest first, a list in its order.

    Args:
        spark: the session.
        location: a video, a folder of videos (with its subfolders), a glob, an http(s):// URL, or
            a .txt file with one path or URL per line (blank lines and those that begin with # are
            skipped). Folders, globs and lists may be on any file system that this Spark reads, on
            tos://, and where a package of fsspec lists.
        limit: take only this many, the first by name or in the list.
        cpus: CPUs of each task that samples them; None: spark.task.cpus.
        access: the folders that may be listed on tos:// and by fsspec.
        limits: `max_download_seconds` is the time for a listing there.

    Raises:
        SourceNotFoundError: there is nothing at `location`.
        ParameterError: there is something, but no video.
        KeyframesError: a storage that Spark does not read could not be listed; see `list_url`.
    """
    paths, sizes = _found(spark, os.fspath(location), limit, access, limits)
    return partitioned_videos(spark, paths, sizes, cpus=cpus)


def sized_videos(
    spark: "SparkSession",
    location: str | os.PathLike[str],
    *,
    limit: int | None = None,
    access: Access = Access(),
    limits: Limits = Limits(),
) -> "DataFrame":
    """Return what `read_videos` does, with the size of each video in bytes, in any partitions.

    The sizes are in the column `SIZE_COL`, null where only opening the videos would tell.
    """
    import pyarrow as pa

    paths, sizes = _found(spark, os.fspath(location), limit, access, limits)
    known = pa.array(sizes, pa.int64()) if sizes else pa.nulls(len(paths), pa.int64())
    return frame_of(spark, pa.table({"video": pa.array(paths, pa.string()), SIZE_COL: known}))


def _found(
    spark: "SparkSession", location: str, limit: int | None, access: Access, limits: Limits
) -> tuple[list[str], list[int] | None]:
    """Return the videos, and their sizes where these are known."""
    sizes: list[int] | None = None
    if is_single_object(location):
        paths = [location]
    elif is_list(location) and not _is_folder(spark, location):
        paths = videos_of(_lines(spark, location, limits))
    elif Path(location).is_file():
        # Over Connect too, where the server may not have it.
        paths = [str(Path(location).absolute())]
    else:
        files = _listed(spark, location, access, limits)
        paths, known = list(files), [size for size in files.values() if size is not None]
        sizes = known if len(known) == len(paths) else None
    if not paths:
        raise no_videos_in(location)
    return paths[:limit], sizes and sizes[:limit]


def partitioned_videos(
    spark: "SparkSession",
    paths: list[str],
    sizes: list[int] | None = None,
    *,
    cpus: int | None = None,
) -> "DataFrame":
    """Return one row per video, `video: string`, in partitions by `assign_to_tasks`.

    Args:
        spark: the session.
        paths: at least one; up to one per running task, they keep their order.
        sizes: of the videos, in bytes; None: not known.
        cpus: CPUs of each task that samples them; None: spark.task.cpus.
    """
    import pyarrow as pa

    cpus = cpus or int(spark.conf.get("spark.task.cpus", "1") or 1)
    cores = _cores(spark)
    at_once = max(1, cores // cpus)
    if len(paths) > at_once:
        if sizes and (wanted := cpus_for_largest(sizes, cores=cores)) > 2 * cpus:
            logger.warning(
                "one video has %.0f%% of all bytes: its task has %d of %d CPUs, and the other CPUs "
                "will wait for it at the end; set cpus (or spark.task.cpus, where cpus is refused) "
                "to up to %d for a shorter job",
                *(100 * max(sizes) / sum(sizes), cpus, cores, wanted),
            )
        return frame_of_tasks(spark, assign_to_tasks(paths, sizes, at_once=at_once, cpus=cpus))
    # Spark divides a local Arrow table into one task per core, in order. A list of tuples would
    # start a second daemon on each executor, which imports torch too: 4 s of CPU.
    return frame_of(spark, pa.table({"video": pa.array(paths, pa.string())}))


def frame_of_tasks(spark: "SparkSession", tasks: list[list[str]]) -> "DataFrame":
    """Return one row per video, `video: string`, and a partition per task, in their order."""
    import pyarrow as pa
    from pyspark.sql import functions as sf

    number = pa.array(range(len(tasks)), pa.int32())
    videos = pa.array(tasks, pa.list_(pa.string()))
    rows = frame_of(spark, pa.table({"task": number, "videos": videos}))
    # With as many rows as ranges, each row gets its own partition. Nothing else places rows exactly
    # in all versions of Spark.
    rows = rows.repartitionByRange(len(tasks), "task")
    return rows.select(sf.explode("videos").alias("video"))


def repartition_videos(videos: "DataFrame", count: int) -> "DataFrame":
    """Distribute `count` videos over enough tasks: one per core, and few videos in each."""
    tasks = max(_cores(videos.sparkSession), count // VIDEOS_PER_TASK)
    return videos.repartition(max(1, min(count, tasks)))


def _cores(spark: "SparkSession") -> int:
    """Return the cores of all executors: those present, or those that the conf announces."""
    present = default_parallelism(spark)

    def configured(name: str) -> int:
        return int(spark.conf.get(name, "0") or 0)

    counts = ("spark.executor.instances", "spark.dynamicAllocation.maxExecutors")
    executors = max(map(configured, counts))
    return max(
        present, configured("spark.cores.max"), executors * configured("spark.executor.cores")
    )


def read_table(spark: "SparkSession", location: str, table_format: str | None) -> "DataFrame":
    """Return a table in any format that this Spark reads.

    Args:
        spark: the session.
        location: its path, or its name in the catalogue for the format "table".
        table_format: "parquet", "delta", "csv", …; None: by the suffix, else parquet.

    Raises:
        SourceNotFoundError: there is nothing at `location`.
    """
    if table_format == "table":
        return spark.table(location)
    suffix = PurePosixPath(location).suffix.lower()
    name = table_format or TABLE_FORMATS.get(suffix, "parquet")
    if local_path(spark, location) is None:
        check_file_system(spark, "input", location)
    return _read(spark, name, resolve(spark, location)[0])


def _listed(spark: "SparkSession", location: str, access: Access, limits: Limits) -> Files:
    """Return the files and their sizes in bytes, ordered by name."""
    path = local_path(spark, location)
    files: Files
    if path is not None:
        exists = os.path.lexists(path)
        files, pattern = {**local_files(path)}, is_glob(path) and not exists
        alone = Path(path).is_file()
        if not files and not exists:
            raise nothing_at(location)
    elif not has_file_system(spark, location):
        files, pattern = ({}, False)
        if scheme_of(location):  # not s3:/bucket/key
            files, pattern = remote_files(location, access, limits)
        alone = location in files
        if not files:
            raise nothing_at(location)
    else:
        resolved, pattern = resolve(spark, location)
        # Without the column content, binaryFile reads no bytes of the files.
        rows = _read(spark, "binaryFile", resolved).select("path", "length").collect()
        found = {row["path"]: row["length"] for row in rows}
        if not is_connect(spark):
            found |= hadoop_files_hidden(spark, resolved, len(found))
        plain = {re.sub(LISTED_AS_URL, "/", path): size for path, size in found.items()}
        files = dict(sorted(plain.items()))
        name = unquote(PurePosixPath(location).name)
        alone = [unquote(PurePosixPath(each).name) for each in files] == [name]
    if pattern or alone:
        return files
    warn_of([each for each in files if not is_video(each)], NO_VIDEO)
    return {each: size for each, size in files.items() if is_video(each)}


def _is_folder(spark: "SparkSession", location: str) -> bool:
    path = local_path(spark, location)
    return location.endswith("/") or (path is not None and Path(path).is_dir())


def _lines(spark: "SparkSession", location: str, limits: Limits) -> list[str]:
    """Return the lines of a text file."""
    path = local_path(spark, location)
    if path is None and not has_file_system(spark, location):
        # Without the rules of `access`, as a local list: they are for the videos in it.
        with open_url(location, limits=limits) as file:
            return file.read().decode("utf-8-sig", errors="replace").splitlines()
    if path is None or not Path(path).is_file():
        return [row[0] for row in _read(spark, "text", resolve(spark, location)[0]).collect()]
    # Spark leaves out a file whose name begins with "_".
    return Path(path).read_text("utf-8-sig", errors="replace").splitlines()


def resolve(spark: "SparkSession", location: str) -> tuple[str, bool]:
    """Return the location as Spark reads it, and whether it is a glob.

    It is none where there is something of this very name.
    """
    path = local_path(spark, location)
    if path is not None:
        exists = os.path.lexists(path)
        return f"file://{escaped(path) if exists else path}", is_glob(path) and not exists
    if not is_glob(location):
        return location, False
    try:
        _read(spark, "binaryFile", escaped(location))
    except SourceNotFoundError:
        return location, True
    return escaped(location), False


def _read(spark: "SparkSession", table_format: str, location: str) -> "DataFrame":
    from pyspark.errors import AnalysisException, IllegalArgumentException

    reader = spark.read.format(table_format)
    if table_format == "csv":
        reader = reader.option("header", True)
    if table_format == "binaryFile":
        reader = reader.option("recursiveFileLookup", True)
    try:
        table = reader.load(location)
        table.schema  # noqa: B018 - Connect reads nothing before
        return table
    except AnalysisException as error:
        if condition_of(error) != "PATH_NOT_FOUND":
            raise
        raise nothing_at(location, table=table_format not in _FILES) from error
    except IllegalArgumentException as error:
        if "URISyntaxException" not in str(error):
            raise
        raise SourceNotFoundError(
            f"{redact_url(location)!r} cannot be listed: Hadoop takes a colon in a name for the "
            "end of a scheme; rename the file or folder, or give the folder above it"
        ) from None
