"""Reads folders and tables as streams of new videos."""

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from spark_keyframes.jobs.file_systems import check_file_system
from spark_keyframes.jobs.inputs import (
    LISTED_AS_URL,
    SIZE_COL,
    TABLE_FORMATS,
    partitioned_videos,
    read_table,
    resolve,
)
from spark_keyframes.jobs.listing import hidden_from_spark, local_path
from spark_keyframes.listing.local_files import NO_VIDEO, local_files, warn_of
from spark_keyframes.listing.suffixes import VIDEO_SUFFIXES, is_video
from spark_keyframes.spark.columns import actual_name

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

_BINARY_FILE = "path string, modificationTime timestamp, length bigint, content binary"

# By default Spark never reads files that are a week older than the newest. Moved files keep their
# old time.
_ANY_AGE = "36500d"

_INSTEAD = (
    "run jobs/sample.py with its option `resume`: it lists such a folder itself, and adds to the "
    "table what it lacks; or "
)


def read_stream(
    spark: "SparkSession",
    location: str,
    *,
    column: str | None,
    table_format: str | None,
    content: bool,
    files_per_batch: int,
) -> "tuple[DataFrame, str]":
    """Return a streaming DataFrame of videos, and the name of its column that holds them.

    Args:
        spark: the session.
        location: a folder of videos with its subfolders, or a glob; with `column`, of tables.
        column: the column of the tables that holds the videos; None: the files are the videos.
        table_format: of the tables, "table" for a name in the catalogue; None: by the suffix of
            `location`, else parquet.
        content: True: read the bytes of the videos, as `path string, content binary`. False: Spark
            opens no video, `video string, length bigint`.
        files_per_batch: the most files in a batch.

    Raises:
        SourceNotFoundError: there is nothing at `location`.
        ParameterError: Spark has no file system for its scheme, such as tos.
    """
    if column is not None:
        # A stream needs the schema: take it from a batch read.
        schema = read_table(spark, location, table_format).schema
        if table_format == "table":
            stream = spark.readStream.table(location)
            return stream, actual_name(stream, column)
        suffix = PurePosixPath(location).suffix.lower()
        name = table_format or TABLE_FORMATS.get(suffix, "parquet")
        reader = spark.readStream.format(name).schema(schema)
        if name == "csv":
            reader = reader.option("header", True)
    else:
        if local_path(spark, location) is None:
            check_file_system(spark, "input", location, instead=_INSTEAD)
        read_table(spark, location, "binaryFile")
        reader = spark.readStream.format("binaryFile").schema(_BINARY_FILE)
        reader = reader.option("recursiveFileLookup", True)
    reader = reader.option("maxFilesPerTrigger", files_per_batch).option("maxFileAge", _ANY_AGE)
    resolved, pattern = resolve(spark, location)
    files = reader.load(resolved)
    if column is not None:
        return files, actual_name(files, column)
    _warn_of_left_out(spark, location, pattern=pattern)
    files = _videos_in(files, pattern=pattern)
    if content:
        return files.select("path", "content"), "content"
    return files.select(_plain_path(), "length"), "video"


def read_now(
    spark: "SparkSession",
    location: str,
    *,
    column: str | None,
    table_format: str | None,
    content: bool,
) -> "tuple[DataFrame, str]":
    """Return what `read_stream` would give from its first batch on, as a DataFrame that is none.

    Of files that are videos, it has the sizes in the column `SIZE_COL`. No video is opened, so that
    `content` is null.

    Raises: as `read_stream`.
    """
    from pyspark.sql import functions as sf

    if column is not None:
        table = read_table(spark, location, table_format)
        return table, actual_name(table, column)
    if local_path(spark, location) is None:
        check_file_system(spark, "input", location, instead=_INSTEAD)
    _, pattern = resolve(spark, location)
    files = _videos_in(read_table(spark, location, "binaryFile"), pattern=pattern)
    size = sf.col("length").alias(SIZE_COL)
    if content:
        nothing = sf.lit(None).cast("binary").alias("content")
        return files.select("path", nothing, size), "content"
    return files.select(_plain_path(), size), "video"


def _videos_in(files: "DataFrame", *, pattern: bool) -> "DataFrame":
    """Return the files whose names end as those of videos do; all that a glob matches."""
    from pyspark.sql import functions as sf

    if pattern:
        return files
    suffixes = "|".join(suffix.removeprefix(".") for suffix in sorted(VIDEO_SUFFIXES))
    return files.where(sf.col("path").rlike(rf"(?i)\.({suffixes})$"))


def _plain_path() -> "Column":
    from pyspark.sql import functions as sf

    return sf.regexp_replace("path", LISTED_AS_URL, "/").alias("video")


def _warn_of_left_out(spark: "SparkSession", location: str, *, pattern: bool) -> None:
    """Log which local files the stream does not take."""
    path = local_path(spark, location)
    if path is None:
        return
    files = local_files(path)
    videos = [file for file in files if pattern or is_video(file)]
    warn_of(files.keys() - videos, NO_VIDEO)
    warn_of(
        hidden_from_spark(videos, path),
        'since Spark streams none whose name, or folder, begins with "_"; rename them, or add them '
        "to the table with jobs/sample.py and `resume`",
    )


def partition_batch(files: "DataFrame", cpus: int | None) -> "DataFrame":
    """Return the rows of a batch of `read_stream` as `partitioned_videos`, the largest first."""
    rows = sorted(files.select("video", "length").collect())
    if not rows:
        return files.select("video")
    paths, sizes = [row["video"] for row in rows], [row["length"] for row in rows]
    return partitioned_videos(files.sparkSession, paths, sizes, cpus=cpus)
