"""Which files Spark's Hadoop lists, and which of them it leaves out.

Local files are listed by Python. Spark lists those of its own file systems. Its rules leave out
names that begin with "_" there, as phones give them, and colons break its globs.
`spark_keyframes.listing` lists local files and all others.
"""

import os
import re
from collections.abc import Collection
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from spark_keyframes.listing.globs import is_glob
from spark_keyframes.listing.videos import path_of_local
from spark_keyframes.spark.versions import is_connect
from spark_keyframes.urls import scheme_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Hadoop reads hdfs:/path, with the host of its configuration.
_ONE_SLASH = re.compile(r"(?!https?:|tos:)[A-Za-z][A-Za-z0-9+.-]+:/")


def local_path(spark: "SparkSession", location: str) -> str | None:
    """Return the plain path of a location on this machine, or None for other file systems.

    Over Connect the server lists, and its files may be other ones.
    """
    if scheme_of(location) == "file" and not is_connect(spark):
        return path_of_local(location)
    of_hadoop = scheme_of(location) or _ONE_SLASH.match(location)
    if is_connect(spark) or (of_hadoop and not os.path.lexists(location)):
        return None
    context: Any = spark.sparkContext
    system = context._jvm.org.apache.hadoop.fs.FileSystem
    if str(system.getDefaultUri(context._jsc.hadoopConfiguration()).getScheme()) != "file":
        return None
    return os.path.normpath(Path(location).absolute())  # without "..", as Hadoop's paths


def hidden_from_spark(files: Collection[str], path: str) -> list[str]:
    """Return the files that Spark leaves out of a folder, or of the matches of a glob."""

    def names(file: str) -> tuple[str, ...]:
        below = PurePosixPath(file)
        return below.relative_to(path).parts if below.is_relative_to(path) else (below.name,)

    return [
        file
        for file in files
        if any(name.startswith("_") and "=" not in name for name in names(file))
    ]


def hadoop_files_hidden(spark: "SparkSession", location: str, seen: int) -> dict[str, int]:
    """Return the files that Spark leaves out of a folder or glob, on any file system of Hadoop's.

    Args:
        spark: a classic session.
        location: as Spark reads it.
        seen: how many files Spark finds there. Where there are no more, nothing is walked: each
            file takes a call to the JVM.
    """
    context: Any = spark.sparkContext
    hadoop = context._jvm.org.apache.hadoop.fs
    system = hadoop.Path(location).getFileSystem(context._jsc.hadoopConfiguration())
    found: dict[str, int] = {}
    if is_glob(location):
        for match in system.globStatus(hadoop.Path(location), hadoop.GlobFilter("_*")) or []:
            found |= _hadoop_files(system, match)
        return found
    for root in system.globStatus(hadoop.Path(location)) or []:
        if system.getContentSummary(root.getPath()).getFileCount() > seen:
            found |= _hadoop_files(system, root)
        hidden = hidden_from_spark(found, str(root.getPath()))
        found = {path: found[path] for path in hidden}
    return found


def _hadoop_files(system: Any, status: Any) -> dict[str, int]:
    if not status.isDirectory():
        return {str(status.getPath()): int(status.getLen())}
    found: dict[str, int] = {}
    for each in system.listStatus(status.getPath()):
        if not str(each.getPath().getName()).startswith("."):
            found |= _hadoop_files(system, each)
    return found
