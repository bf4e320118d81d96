"""Local files: plain paths and file:// URLs."""

import os
import re
import stat
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from spark_keyframes.errors import (
    KeyframesError,
    ParameterError,
    SourceNotFoundError,
    SourceReadError,
    StorageWriteError,
)
from spark_keyframes.limits import Limits
from spark_keyframes.redaction import redact_url
from spark_keyframes.storage.access import Access
from spark_keyframes.storage.atomic import advice_on, write_atomically
from spark_keyframes.urls import scheme_of

_NAMED = re.compile("file:(/[^/].*)", re.IGNORECASE | re.DOTALL)


def open_url(url: str, *, access: Access, limits: Limits, whole: bool = True) -> BinaryIO:
    """Open a regular file in one of the allowed folders."""
    path = _path(url, SourceReadError)
    # Hadoop writes file:/path as it is, and others encode it: a file with this very name wins.
    if (as_it_is := _NAMED.match(url)) and os.path.lexists(as_it_is[1]):
        path = Path(as_it_is[1])
    try:
        if access.allowed_roots:
            # First, so that errors do not show which files exist in other folders.
            access.check_path(url, os.path.realpath(path))
        # Before opening: to open a named pipe would wait for a writer.
        mode = path.stat().st_mode
        if stat.S_ISREG(mode):
            return _open(path, url, access)
    except (FileNotFoundError, NotADirectoryError):
        raise SourceNotFoundError(
            f"no file {redact_url(url)}; check the path. On a cluster it must exist on every "
            "machine that runs tasks: put the file on shared storage, or use a URL"
        ) from None  # the system's error has the path as it was given
    except (OSError, ValueError) as error:
        raise SourceReadError(f"could not read {redact_url(url)}: {_reason(error)}") from None
    kind = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
    raise SourceReadError(
        f"could not read {redact_url(url)}: it is {kind}; give the path of a video file"
    )


def _open(path: Path, url: str, access: Access) -> BinaryIO:
    # The path may have changed since: do not wait for a pipe, and check the file that was opened.
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    try:
        if access.allowed_roots:
            access.check_path(url, str(Path(f"/proc/self/fd/{file.fileno()}").readlink()))
        if not os.fstat(file.fileno()).st_size and not _is_empty(file.fileno()):
            raise SourceReadError(
                f"could not read {redact_url(url)}: it is no file on a disk but one of the system, "
                "such as those in /proc; give the path of a video file"
            )
    except BaseException:
        file.close()
        raise
    return file


def _is_empty(descriptor: int) -> bool:
    """Return whether a file of size 0 is empty; those of the system are not, or cannot be read."""
    try:
        return not os.pread(descriptor, 1, 0)
    except OSError:
        return False


def write_url(url: str, data: bytes, *, content_type: str) -> None:
    """Write a file, see `write_atomically`, and create its folders."""
    _write(url, data, f"could not store {redact_url(url)}")


def _write(url: str, data: bytes, failed: str) -> None:
    path = _path(url, StorageWriteError)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, data)
    except OSError as error:
        raise StorageWriteError(f"{failed}: {_reason(error)}{advice_on(error)}") from None
    except ValueError as error:  # a null byte in the path
        raise StorageWriteError(f"{failed}: {error}") from None


def remove_url(url: str) -> None:
    """Remove a file."""
    try:
        _path(url, StorageWriteError).unlink(missing_ok=True)
    except (OSError, ValueError) as error:
        raise StorageWriteError(f"could not remove {redact_url(url)}: {_reason(error)}") from None


def check_writable(output_dir: str) -> None:
    """Check that the folder, or its nearest existing parent, is writable."""
    folder = _path(output_dir, ParameterError).absolute()
    existing = folder
    try:
        while not existing.exists() and existing != existing.parent:
            existing = existing.parent
        is_folder = existing.is_dir()
    except (OSError, ValueError) as error:
        raise ParameterError(
            f"output_tos_dir cannot be used, got {redact_url(output_dir)!r}: {_reason(error)}"
        ) from None
    if not is_folder:
        raise ParameterError(
            f"output_tos_dir must be a folder, got {redact_url(output_dir)!r}, but {existing} is a "
            "file"
        )
    if not os.access(existing, os.W_OK | os.X_OK):
        raise ParameterError(
            f"output_tos_dir must be writable, got {redact_url(output_dir)!r}, but there is no "
            f"permission to write in {existing}"
        )


def check_accepted(output_dir: str, check_url: str) -> None:
    """Create the folder, and the empty file in it."""
    _write(check_url, b"", f"could not store images in {redact_url(output_dir)}")


def _path(url: str, error: type[KeyframesError]) -> Path:
    if not scheme_of(url):
        return Path(url)
    try:
        parts = urlsplit(url.replace("?", "%3F").replace("#", "%23"))
    except ValueError:  # its message may show a password
        raise error(
            f"not a valid file URL: {redact_url(url)}; write file:///path, with three slashes"
        ) from None
    if parts.netloc.lower() not in ("", "localhost"):
        raise error(
            f"a file:// URL must name a local file, got host {parts.hostname!r} in "
            f"{redact_url(url)}; write file:///path, with three slashes"
        )
    return Path(unquote(parts.path))


def _reason(error: Exception) -> str:
    # Only strerror: the full text repeats the path, which may be very long.
    return getattr(error, "strerror", None) or str(error)
