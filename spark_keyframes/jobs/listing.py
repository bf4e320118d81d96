"""Lists the files of a folder or glob, whatever characters are in their names.

Local files are listed by Python. Spark lists those of its own file systems. Its rules leave out
names that begin with "_" there, as phones give them, and colons break its globs.
`remote_listing` lists all others.
"""

import logging
import os
import re
import stat
from collections.abc import Collection, Iterator
from glob import glob
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from spark_keyframes.checks import lone_surrogate
from spark_keyframes.errors import SourceReadError
from spark_keyframes.jobs.globs import alternatives, for_python, is_glob
from spark_keyframes.redaction import redact_url
from spark_keyframes.spark.versions import is_connect
from spark_keyframes.urls import scheme_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

logger = logging.getLogger("spark_keyframes")

_NO_TEXT = "whose names are not UTF-8"
NO_VIDEO = "whose names do not end as those of videos do"

# Hadoop reads hdfs:/path, with the host of its configuration.
_ONE_SLASH = re.compile(r"(?!https?:|tos:)[A-Za-z][A-Za-z0-9+.-]+:/")
_SHOWN = 5


def local_path(spark: "SparkSession", location: str) -> str | None:
    """Return the plain path of a location on this machine, or None for other file systems.

    Over Connect the server lists, and its files may be other ones.
    """
    if scheme_of(location) == "file" and not is_connect(spark):
        path = "/" + location.partition(":")[2].removeprefix("//localhost").lstrip("/")
        return os.path.normpath(path if os.path.lexists(path) else unquote(path))
    of_hadoop = scheme_of(location) or _ONE_SLASH.match(location)
    if is_connect(spark) or (of_hadoop and not os.path.lexists(location)):
        return None
    context: Any = spark.sparkContext
    system = context._jvm.org.apache.hadoop.fs.FileSystem
    if str(system.getDefaultUri(context._jsc.hadoopConfiguration()).getScheme()) != "file":
        return None
    return os.path.normpath(Path(location).absolute())  # without "..", as Hadoop's paths


def local_files(path: str) -> dict[str, int]:
    """Return the files below a local path or glob, and their sizes in bytes.

    Hidden files and folders, whose names begin with ".", are left out.

    Raises:
        SourceReadError: a folder cannot be listed.
    """
    roots = [path] if os.path.lexists(path) else _matches(path)
    try:
        found = dict(sorted(found for root in roots for found in _files_in(root)))
    except OSError as error:
        raise SourceReadError(
            f"could not list {redact_url(str(error.filename))!r}: {error.strerror}"
        ) from None
    return _without_bytes(found)


def _without_bytes(files: dict[str, int]) -> dict[str, int]:
    """Return the files whose names are text, and log the others: Spark's columns hold text."""
    odd = [path for path in files if lone_surrogate(path)]
    warn_of([os.fsencode(path).decode("utf-8", "backslashreplace") for path in odd], _NO_TEXT)
    return {path: size for path, size in files.items() if path not in odd}


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


def warn_of(left_out: Collection[str], reason: str) -> None:
    """Log how many files are left out and why, with some of their names."""
    if left_out:
        names = [redact_url(PurePosixPath(path).name) for path in sorted(left_out)[:_SHOWN]]
        more = ", …" * (len(left_out) > _SHOWN)
        logger.warning(
            "%d files are left out, %s: %s", len(left_out), reason, ", ".join(names) + more
        )


def _files_in(path: str, above: tuple[str, ...] = ()) -> Iterator[tuple[str, int]]:
    """Yield the files below a path, or the file itself, with their sizes."""
    try:
        status = Path(path).stat()
    except FileNotFoundError:
        return  # a link to nothing, or removed since
    if not stat.S_ISDIR(status.st_mode):
        yield path, status.st_size
        return
    real = os.path.realpath(path)
    if real in above:
        return  # a link to a folder above
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            if entry.is_file(follow_symlinks=False):
                yield entry.path, entry.stat().st_size
            else:
                yield from _files_in(entry.path, (*above, real))


def _matches(pattern: str) -> list[str]:
    """Return the paths that match a glob of Hadoop's."""
    found = {path for each in alternatives(pattern) for path in glob(for_python(each))}  # noqa: PTH207 - of absolute patterns
    return sorted(found)
