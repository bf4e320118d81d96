"""Turns what people type as an input into a DataFrame with a column of videos."""

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from spark_keyframes.errors import ParameterError, SourceNotFoundError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

VIDEO_SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("3gp", "asf", "avi", "flv", "gif", "m2ts", "m4v", "mkv", "mov", "mp4"),
        *("mpeg", "mpg", "mts", "mxf", "ogv", "ts", "webm", "wmv"),
    )
)
_TABLE_FORMATS = {".parquet": "parquet", ".orc": "orc", ".json": "json", ".csv": "csv"}

_VIDEOS_PER_TASK = 16

# Schemes that no Hadoop file system lists, so that what is behind them is taken as one video.
_SINGLE_OBJECTS = ("http", "https", "tos")


def read_videos(spark: "SparkSession", location: str) -> "DataFrame":
    """One row per video, `video: string`, in the order of their names or of the list.

    Arguments:
        location: a video, a folder of videos (with its subfolders), a glob, an http(s):// or
            tos:// URL, or a .txt file with one path or URL per line (blank lines and those that
            begin with # are skipped). Folders, globs and lists may be on any file system that
            this Spark reads.

    Raises:
        SourceNotFoundError: there is nothing there.
        ParameterError: there is something, but no video.
    """
    import pyarrow as pa

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
        paths = _listed(spark, location)
    if not paths:
        raise ParameterError(
            f"no videos in {location!r}; looked for {', '.join(sorted(VIDEO_SUFFIXES))}"
            if suffix != ".txt"
            else f"no videos in {location!r}: every line is empty or a comment"
        )
    # Of a list of tuples, Spark would make rows in Python workers of a second daemon of each
    # executor, which imports all of torch too: 4 s of CPU.
    videos = spark.createDataFrame(pa.table({"video": pa.array(paths, pa.string())}))
    # Spark makes as many tasks of a local list as there are cores, in the list's order.
    many = len(paths) > _VIDEOS_PER_TASK * _cores(spark)
    return spread(videos, len(paths)) if many else videos


def spread(videos: "DataFrame", count: int) -> "DataFrame":
    """`count` videos over enough tasks: every core has one, and one that is lost loses little."""
    tasks = max(_cores(videos.sparkSession), count // _VIDEOS_PER_TASK)
    return videos.repartition(max(1, min(count, tasks)))


def _cores(spark: "SparkSession") -> int:
    from pyspark.errors import PySparkException

    try:
        return int(spark.sparkContext.defaultParallelism)
    except (PySparkException, AttributeError):
        return 64  # Spark Connect does not say


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
    return _read(spark, table_format or _TABLE_FORMATS.get(suffix, "parquet"), location)


def _listed(spark: "SparkSession", location: str) -> list[str]:
    # Asked for the path alone, binaryFile reads no content.
    rows = _read(spark, "binaryFile", location).select("path").collect()
    paths = sorted(_plain(row["path"]) for row in rows)
    if any(character in location for character in "*?[{") or len(paths) == 1:
        return paths
    return [path for path in paths if PurePosixPath(path).suffix.lower() in VIDEO_SUFFIXES]


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
        return reader.load(location)
    except AnalysisException as error:
        if error.getCondition() != "PATH_NOT_FOUND":
            raise
        raise SourceNotFoundError(
            f"nothing found at {location!r}; give a video, a folder, a glob in quotes, a URL, "
            "or a .txt file with one of them per line"
        ) from error
