"""Other schemes (gs, abfs, hdfs, …) through fsspec and the package of the scheme.

The package reads its credentials and addresses from the environment.

A URL must name one file in one file system. Chains of fsspec, such as `zip://a.mp4::file:///b.zip`,
are refused: they would bypass the rules on schemes and folders.
"""

from typing import Any, BinaryIO

from spark_keyframes.errors import (
    BucketNotFoundError,
    ParameterError,
    StorageWriteError,
)
from spark_keyframes.limits import Limits
from spark_keyframes.redaction import redact_url
from spark_keyframes.storage.access import Access
from spark_keyframes.storage.download.ranged import open_remote
from spark_keyframes.storage.fsspec.calls import check_installed, file_system, message, start
from spark_keyframes.storage.fsspec.fsspec_file import FsspecFile
from spark_keyframes.storage.fsspec.fsspec_listing import list_url
from spark_keyframes.storage.retry import TransientError
from spark_keyframes.urls import scheme_of

__all__ = [
    "check_accepted",
    "check_writable",
    "list_url",
    "open_url",
    "remove_url",
    "write_url",
]

_UPLOAD_SECONDS = 300.0  # of one attempt; a package that takes longer hangs
_CHECK_SECONDS = 30.0  # of `check_accepted`; a package may look for credentials on the network
_accepted: set[str] = set()
"""The URLs that `check_accepted` has stored in this process."""


def open_url(url: str, *, access: Access, limits: Limits, whole: bool = True) -> BinaryIO:
    """Open for reading, see `open_remote`; in parts where the storage tells versions apart."""
    check_installed(url, stage="open")
    return open_remote(FsspecFile(url), limits, whole=whole)


def write_url(url: str, data: bytes, *, content_type: str) -> None:
    """Store the object with one call, which is atomic in object storages.

    On other file systems (hdfs, sftp, …) a killed task can leave part of a file. The task that
    replaces it writes the file again. Errors of the connection are a TransientError.
    """
    check_installed(url, stage="upload")
    _store(url, data, url, _UPLOAD_SECONDS)


def remove_url(url: str) -> None:
    """Remove the object with one call."""
    check_installed(url, stage="upload")
    try:
        filesystem, path = file_system(url)
        start(lambda: filesystem.rm_file(path)).result(_CHECK_SECONDS)
    except FileNotFoundError:
        return
    except Exception as error:  # noqa: BLE001 - each file system has its own exceptions
        raise StorageWriteError(message(error, url, "remove")) from None


def check_accepted(output_dir: str, check_url: str) -> None:
    """Store the object, once per process for each folder."""
    if check_url in _accepted:
        return
    try:
        _store(check_url, b"", output_dir, _CHECK_SECONDS)
    except TransientError:
        return
    _accepted.add(check_url)


def _store(url: str, data: bytes, shown: str, seconds: float) -> None:
    """Store an object in one attempt of at most `seconds`; errors name the URL `shown`."""
    bucket = ""
    try:
        filesystem, path = file_system(url)
        bucket = _bucket(filesystem, url, path)
        start(lambda: _pipe(filesystem, path, data, may_make_folder=not bucket)).result(seconds)
    except Exception as error:  # noqa: BLE001 - each file system has its own exceptions
        if bucket and isinstance(error, FileNotFoundError):
            raise BucketNotFoundError(
                f"there is no bucket or container {bucket!r}, got {redact_url(shown)}; correct its "
                "name, or create it: it is not created here"
            ) from None
        failed = StorageWriteError(message(error, shown, "store"))
        if isinstance(error, ConnectionError | TimeoutError):
            raise TransientError(lambda attempts: failed) from None
        raise failed from None


def _pipe(filesystem: Any, path: str, data: bytes, *, may_make_folder: bool) -> None:
    try:
        filesystem.pipe_file(path, data)
    except FileNotFoundError:
        if not may_make_folder:
            raise
        filesystem.makedirs(filesystem._parent(path), exist_ok=True)
        filesystem.pipe_file(path, data)


def _bucket(filesystem: Any, url: str, path: str) -> str:
    """Return the bucket or container of a URL; "" where it has folders only, as on a server.

    An object storage has its bucket in the path, and no folders: only the bucket can be missing.
    """
    authority = url.partition("://")[2].partition("/")[0].partition("@")[0]
    first = path.lstrip("/").partition("/")[0]
    is_server = "host" in type(filesystem)._get_kwargs_from_urls(url)
    return first if first == authority and not is_server else ""


def check_writable(output_dir: str) -> None:
    """Check that the package that serves the scheme is installed."""
    check_installed(output_dir, stage="parameters")
    # hdfs:///path is valid: the host is in Hadoop's configuration.
    if not output_dir.partition("://")[2].strip("/"):
        raise ParameterError(
            f"output_tos_dir must name a bucket or folder, got {redact_url(output_dir)!r}; write "
            f"e.g. {scheme_of(output_dir)}://bucket/keyframes"
        )
