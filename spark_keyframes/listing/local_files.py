"""Lists the files of a local folder or glob, whatever characters are in their names."""

import logging
import os
import stat
from collections.abc import Collection, Iterator
from glob import glob
from pathlib import Path, PurePosixPath

from spark_keyframes.checks import lone_surrogate
from spark_keyframes.errors import SourceReadError
from spark_keyframes.listing.globs import alternatives, for_python
from spark_keyframes.redaction import redact_url

logger = logging.getLogger("spark_keyframes")

NO_VIDEO = "whose names do not end as those of videos do"
_NO_TEXT = "whose names are not UTF-8"
_SHOWN = 5


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
