"""Reads videos and writes images by URL: local, http(s), tos, s3, and the schemes of fsspec."""

import threading
from importlib import import_module
from typing import BinaryIO, Protocol, cast

from spark_keyframes.errors import KeyframesError, ParameterError, UnsupportedSchemeError
from spark_keyframes.limits import Limits
from spark_keyframes.redaction import redact_url
from spark_keyframes.storage.access import Access
from spark_keyframes.storage.retry import retry_upload
from spark_keyframes.urls import advice_on_url, is_local, scheme_of

__all__ = [
    "Access",
    "check_accepted",
    "check_writable",
    "list_url",
    "open_url",
    "remove_url",
    "write_url",
]

_CHECK_NAME = ".spark_keyframes_check"

# The module of each scheme, imported when first needed. Other schemes go to fsspec.
_MODULES = {
    "http": "http.http_storage",
    "https": "http.http_storage",
    "tos": "tos.tos_storage",
    "s3": "s3.s3_storage",
    "s3a": "s3.s3_storage",
    "s3n": "s3.s3_storage",
    "data": "data_url",
}


class Storage(Protocol):
    """Access to bytes by URL. A module with these functions is a storage.

    One that lists folders has `list_url` too, with the arguments of `list_url` below.
    """

    def open_url(self, url: str, *, access: Access, limits: Limits, whole: bool) -> BinaryIO:
        """Open for reading, as `open_url` below; scheme and host have been checked."""
        ...

    def write_url(self, url: str, data: bytes, *, content_type: str) -> None:
        """Store `data`, as `write_url` below, in one attempt.

        Raises:
            TransientError: another attempt may succeed.
        """
        ...

    def remove_url(self, url: str) -> None:
        """Remove an object, as `remove_url` below, in one attempt.

        Raises:
            TransientError: another attempt may succeed.
        """
        ...

    def check_writable(self, output_dir: str) -> None:
        """Check without network, as `check_writable` below."""
        ...

    def check_accepted(self, output_dir: str, check_url: str) -> None:
        """Store an empty object at `check_url`, as `check_accepted` below.

        Messages show `output_dir`, the folder that the user gave.
        """
        ...


def open_url(
    url: str, *, access: Access = Access(), limits: Limits = Limits(), whole: bool = True
) -> BinaryIO:
    """Open a video for reading.

    Args:
        url: a plain local path, file://, http(s)://, tos://bucket/key, s3://bucket/key, data:, or
            another scheme if fsspec and the package for the scheme are installed.
        access: the addresses and folders that may be read, after redirects and symbolic links too.
        limits: limits on the bytes, the seconds and the rate of a download.
        whole: False where only parts of the file may be read: storages that give parts, such as
            http(s), tos and s3, fetch little else. Others may fetch all of it.

    Returns:
        A seekable, read-only binary file at position 0. A remote file is downloaded to a temporary
        file, which `close()` removes. Where a storage gives parts, a file of more than 4 MB may
        still be downloading: reading waits for it, and raises the same errors as opening.

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
        return _storage_of(url).open_url(url, access=access, limits=limits, whole=whole)
    except KeyframesError as error:
        if advice := advice_on_url(url):
            error.args = (f"{error}; {advice}",)
        raise


def list_url(
    url: str, *, recursive: bool = True, access: Access = Access(), limits: Limits = Limits()
) -> dict[str, int | None]:
    """Return what a folder in a storage holds: URLs, and the sizes of files in bytes.

    Names may have any characters. They stand in the URLs as they are.

    Args:
        url: tos://bucket/folder, s3://bucket/folder, or a URL of fsspec. Local folders are not
            listed here. With "/" at its end, a folder; otherwise it may be a file, which then is
            all there is.
        recursive: also list subfolders, but nothing whose name begins with a dot. Otherwise the
            URLs of subfolders end with "/", and no name is left out.
        access: the addresses that may be read.
        limits: `max_download_seconds` is the time for one call.

    Returns:
        Nothing, where there is neither a file nor a folder. A size that is not known is None.

    Raises:
        CredentialsError: credentials for the storage are missing or were refused.
        SourceNotFoundError: there is no such bucket.
        UnsupportedSchemeError: the scheme has no folders, is unknown, or lacks its package.
        AccessError: `access` does not allow the address.
        LimitError: it took longer than one of `limits`.
        SourceReadError: it could not be listed completely, for any other reason.
    """
    access.check_url(url)
    found = getattr(_storage_of(url), "list_url", None)
    if found is None:
        raise UnsupportedSchemeError(
            f"{scheme_of(url)}:// has no folders to list, got {redact_url(url)}; give the URLs of "
            "the videos, for example in a .txt file"
        )
    return cast(dict[str, int | None], found(url, recursive=recursive, limits=limits))


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


def remove_url(url: str) -> None:
    """Remove one object or file; no error where there is none, as far as the storage tells.

    Nothing of a run is ever removed: this is for what the doctor has written.

    Raises:
        CredentialsError: credentials for the storage are missing, or do not permit it.
        UnsupportedSchemeError: the scheme is unknown or read-only.
        StorageWriteError: the object could not be removed, for any other reason.
    """
    storage = _storage_of(url)
    retry_upload(lambda: storage.remove_url(url), threading.Event())


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
    """Check that images can be stored: write one empty object into the folder.

    It is called `.spark_keyframes_check`. It is written again by each process, and never deleted:
    the key may lack that right. Folders are created, buckets are not. A transient failure is no
    error here, because the uploads retry it.

    Args:
        output_dir: the folder for the images, as a URL or a plain path.

    Raises:
        CredentialsError: credentials are missing, unknown to the storage, or do not permit it.
        BucketNotFoundError: the bucket or container does not exist.
        StorageWriteError: the server does not exist, or nothing can be written for another reason.
    """
    check_url = f"{output_dir.rstrip('/')}/{_CHECK_NAME}"
    _storage_of(output_dir).check_accepted(output_dir, check_url)


def _storage_of(url: str) -> Storage:
    module = "local" if is_local(url) else _MODULES.get(scheme_of(url), "fsspec.fsspec_storage")
    return cast(Storage, import_module(f"{__package__}.{module}"))
