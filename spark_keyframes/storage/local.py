"""Files of this machine: plain paths and file:// URLs."""

import os
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
from spark_keyframes.storage.access import Access
from spark_keyframes.storage.atomic import advice_on, write_whole
from spark_keyframes.urls import redact_url, scheme_of


def open_url(url: str, *, access: Access, limits: Limits) -> BinaryIO:
    """Open a regular file in one of the allowed folders; nothing is downloaded."""
    path = _path(url, SourceReadError)
    try:
        if access.allowed_roots:
            # Before anything else, so that nobody learns which files there are elsewhere.
            access.check_path(url, os.path.realpath(path))
        # Opening a named pipe would wait for its writer for ever, so look before.
        mode = path.stat().st_mode
        if stat.S_ISREG(mode):
            return _opened(path, url, access)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise SourceNotFoundError(
            f"no file {redact_url(url)}; the path must exist on every machine that runs tasks, "
            "so put the file on shared storage or use a URL"
        ) from error
    except (OSError, ValueError) as error:
        raise SourceReadError(f"could not read {redact_url(url)}: {_reason(error)}") from error
    kind = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
    raise SourceReadError(
        f"could not read {redact_url(url)}: it is {kind}; give the path of a video file"
    )


def _opened(path: Path, url: str, access: Access) -> BinaryIO:
    # Whatever the path leads to by now: a pipe is not waited for, and what was opened is checked.
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    try:
        if access.allowed_roots:
            access.check_path(url, str(Path(f"/proc/self/fd/{file.fileno()}").readlink()))
    except BaseException:
        file.close()
        raise
    return file


def write_url(url: str, data: bytes, *, content_type: str) -> None:
    """Write a file, see `write_whole`, and the folders that it lies in."""
    path = _path(url, StorageWriteError)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data)
    except OSError as error:
        raise StorageWriteError(
            f"could not store {redact_url(url)}: {_reason(error)}{advice_on(error)}"
        ) from error
    except ValueError as error:  # a null byte in the path
        raise StorageWriteError(f"could not store {redact_url(url)}: {error}") from error


def check_writable(output_dir: str) -> None:
    """Check that the folder, or the nearest one above it that exists, may be written to."""
    folder = _path(output_dir, ParameterError).absolute()
    existing = folder
    try:
        while not existing.exists() and existing != existing.parent:
            existing = existing.parent
        is_folder = existing.is_dir()
    except (OSError, ValueError) as error:
        raise ParameterError(
            f"output_tos_dir cannot be used, got {redact_url(output_dir)!r}: {_reason(error)}"
        ) from error
    if not is_folder:
        raise ParameterError(
            f"output_tos_dir must be a folder, got {redact_url(output_dir)!r}, and {existing} is "
            "a file"
        )
    if not os.access(existing, os.W_OK | os.X_OK):
        raise ParameterError(
            f"output_tos_dir must be writable, got {redact_url(output_dir)!r}, and there is no "
            f"permission to write in {existing}"
        )


def _path(url: str, error: type[KeyframesError]) -> Path:
    if not scheme_of(url):
        return Path(url)
    try:
        parts = urlsplit(url.replace("?", "%3F").replace("#", "%23"))
    except ValueError as reason:
        raise error(f"not a valid file URL: {redact_url(url)} ({reason})") from reason
    if parts.netloc.lower() not in ("", "localhost"):
        raise error(
            f"a file:// URL must name a file of this machine, got host {parts.netloc!r} in "
            f"{redact_url(url)}; write file:///path, with three slashes"
        )
    return Path(unquote(parts.path))


def _reason(error: Exception) -> str:
    # strerror alone: the full text repeats the path, which may be very long.
    return getattr(error, "strerror", None) or str(error)
