"""Reads videos and writes images by URL: local files, http(s), tos, and the schemes of fsspec."""

import threading
from importlib import import_module
from typing import BinaryIO, Protocol, cast

from spark_keyframes.errors import KeyframesError, ParameterError
from spark_keyframes.limits import Limits
from spark_keyframes.redaction import redact_url
from spark_keyframes.storage.access import Access
from spark_keyframes.storage.retry import retry_upload
from spark_keyframes.urls import advice_on_url, is_local, scheme_of

__all__ = ["Access", "check_accepted", "check_writable", "open_url", "write_url"]

# The module of each scheme, imported when first needed. Other schemes go to fsspec.
_MODULES = {
    "http": "http.http_storage",
    "https": "http.http_storage",
    "tos": "tos.tos_storage",
    "data": "data_url",
}


class Storage(Protocol):
    """Access to bytes by URL. A module with these three functions is a storage."""

    def open_url(self, url: str, *, access: Access, limits: Limits) -> BinaryIO:
        """Open for reading, as `open_url` below; scheme and host have been checked."""
        ...

    def write_url(self, url: str, data: bytes, *, content_type: str) -> None:
        """Store `data`, as `write_url` below, in one attempt.

        Raises:
            TransientError: another attempt may succeed.
        """
        ...

    def check_writable(self, output_dir: str) -> None:
        """Check without network, as `check_writable` below."""
        ...


def open_url(url: str, *, access: Access = Access(), limits: Limits = Limits()) -> BinaryIO:
    """Open a video for reading.

    Args:
        url: a plain local path, file://, http(s)://, tos://bucket/key, data:, or another scheme if
            fsspec and the package for the scheme are installed.
        access: the addresses and folders that may be read, after redirects and symbolic links too.
        limits: limits on the bytes, the seconds and the rate of a download.

    Returns:
        A seekable, read-only binary file at position 0. A remote file is downloaded to a temporary
        file, which `close()` removes. Over http(s) and tos, a file of more than 4 MB may still be
        downloading: reading waits for it, and raises the same errors as opening.

    Raises:
        SourceNotFoundError: the file or object does not exist.
        HttpStatusError: a web server answered with a status that is not success.
        CredentialsError: credentials for the storage are missing or were refused.
        UnsupportedSchemeError: the scheme is unknown, or its package is not installed.
        AccessError: `access` does not allow the address or folder.
        LimitError: the download exceeds one of `limits`.
        SourceReadError: the file could not be read completely, for any other reason.
    """
    try:
        access.check_url(url)
        return _storage_of(url).open_url(url, access=access, limits=limits)
    except KeyframesError as error:
        if advice := advice_on_url(url):
            error.args = (f"{error}; {advice}",)
        raise


def write_url(
    url: str, data: bytes, *, content_type: str, cancelled: threading.Event | None = None
) -> None:
    """Store an object completely or not at all, and replace an existing one.

    Returns when the storage has acknowledged the object. Transient errors are retried, see
    `retry_upload`.

    Args:
        url: the target, see `open_url`; http(s) is read-only.
        data: the object's bytes.
        content_type: its media type, such as "image/jpeg", for storages that keep one.
        cancelled: ends the retries when another thread sets it; the last error is raised.

    Raises:
        CredentialsError: credentials for the storage are missing or were refused.
        UnsupportedSchemeError: the scheme is unknown or read-only.
        StorageWriteError: the object could not be stored, for any other reason.
    """
    storage = _storage_of(url)
    retry_upload(
        lambda: storage.write_url(url, data, content_type=content_type),
        cancelled or threading.Event(),
    )


def check_writable(output_dir: str) -> None:
    """Check an output folder without network. For the driver, before any task runs.

    Args:
        output_dir: the folder for the images, as a URL or a plain path.

    Raises:
        ParameterError: the URL cannot work: no bucket, an invalid endpoint, a file in place of a
            folder.
        CredentialsError: environment variables are missing. The message names them.
        UnsupportedSchemeError: the scheme is unknown or read-only.
    """
    if is_local(output_dir) and (advice := advice_on_url(output_dir)):
        # Not to create a folder called "~" or "tos:".
        raise ParameterError(
            f"output_tos_dir cannot be used, got {redact_url(output_dir)!r}: {advice}"
        )
    _storage_of(output_dir).check_writable(output_dir)


def check_accepted(output_dir: str) -> None:
    """Check that the storage knows the credentials and the bucket. For the start of a task.

    Only TOS is asked. A transient failure is no error here: the uploads retry it.

    Args:
        output_dir: the folder for the images, as a URL or a plain path.

    Raises:
        CredentialsError: credentials are missing, or unknown to the storage.
        StorageWriteError: the server or the bucket does not exist.
    """
    check = getattr(_storage_of(output_dir), "check_accepted", None)
    if check is not None:
        check(output_dir)


def _storage_of(url: str) -> Storage:
    module = "local" if is_local(url) else _MODULES.get(scheme_of(url), "fsspec")
    return cast(Storage, import_module(f"{__package__}.{module}"))
