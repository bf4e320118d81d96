"""Videos that arrive: folders and tables as streams."""

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from spark_keyframes.jobs.inputs import (
    TABLE_FORMATS,
    VIDEO_SUFFIXES,
    in_order,
    read_table,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_BINARY_FILE = "path string, modificationTime timestamp, length bigint, content binary"

# By default Spark leaves out files that are a week older than the newest, for good: those that were
# moved here and have kept their time.
_ANY_AGE = "36500d"


def read_stream(
    spark: "SparkSession",
    location: str,
    *,
    column: str | None,
    table_format: str | None,
    content: bool,
    files_at_once: int,
) -> "tuple[DataFrame, str]":
    """A streaming DataFrame of videos, and the name of its column that holds them.

    Arguments:
        spark: the session.
        location: a folder of videos with its subfolders, or a glob; with `column` one of tables.
        column: of the tables.
        table_format: of the tables, "table" for a name in the catalogue; None: by the suffix of
            `location`, else parquet.
        content: read the bytes of the videos: `path string, content binary`. Otherwise Spark opens
            no video: `video string, length bigint`.
        files_at_once: how many files make a batch, at most.

    Raises SourceNotFoundError where there is nothing.
    """
    from pyspark.sql import functions as sf

    if column is not None:
        # Asked once, as a batch: a stream is told the schema.
        schema = read_table(spark, location, table_format).schema
        if table_format == "table":
            return spark.readStream.table(location), column
        suffix = PurePosixPath(location).suffix.lower()
        name = table_format or TABLE_FORMATS.get(suffix, "parquet")
        reader = spark.readStream.format(name).schema(schema)
        if name == "csv":
            reader = reader.option("header", True)
    else:
        read_table(spark, location, "binaryFile")
        reader = spark.readStream.format("binaryFile").schema(_BINARY_FILE)
        reader = reader.option("recursiveFileLookup", True)
    reader = reader.option("maxFilesPerTrigger", files_at_once).option("maxFileAge", _ANY_AGE)
    files = reader.load(location)
    if column is not None:
        return files, column
    if not any(character in location for character in "*?[{"):
        suffixes = "|".join(suffix.removeprefix(".") for suffix in sorted(VIDEO_SUFFIXES))
        files = files.where(sf.col("path").rlike(rf"(?i)\.({suffixes})$"))
    if content:
        return files.select("path", "content"), "content"
    # Hadoop writes file:/a/b, with one slash.
    plain = sf.regexp_replace("path", "^file:/+", "/").alias("video")
    return files.select(plain, "length"), "video"


def share_videos(files: "DataFrame", cpus: int | None) -> "DataFrame":
    """The rows of a batch of `read_stream`, `video string`, with the largest first: see `in_order`.

    A batch without rows stays as it is.
    """
    rows = sorted(files.select("video", "length").collect())
    if not rows:
        return files.select("video")
    paths, sizes = [row["video"] for row in rows], [row["length"] for row in rows]
    return in_order(files.sparkSession, paths, sizes, cpus=cpus)
