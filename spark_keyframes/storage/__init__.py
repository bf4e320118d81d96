"""Reading videos and writing images, by the scheme of their URL."""

import threading
from typing import BinaryIO

from spark_keyframes.limits import Limits
from spark_keyframes.storage.access import Access
from spark_keyframes.storage.base import storage_of
from spark_keyframes.storage.download.retry import stored

__all__ = ["Access", "check_accepted", "check_writable", "open_url", "write_url"]


def open_url(url: str, *, access: Access = Access(), limits: Limits = Limits()) -> BinaryIO:
    """Open a video for reading.

    Args:
        url: a plain local path, file://, http(s)://, tos://bucket/key, or any other scheme that
            fsspec serves where it is installed.
        access: where it may lead, by redirects and symbolic links too.
        limits: how much a download may take: bytes, seconds, and how slow it may be.

    Returns:
        A seekable, read-only binary file at position 0. What is not local is downloaded to a
        temporary file, which `close()` removes. Over http(s) and tos, what is longer than 4 MB may
        still be arriving: reading waits for it, and raises the same errors as opening.

    Raises:
        SourceNotFoundError: there is no such file or object.
        HttpStatusError: a web server answered with another status than success.
        CredentialsError: credentials for the storage are missing or were refused.
        UnsupportedSchemeError: nothing here serves this scheme.
        AccessError: it leads to where `access` does not allow.
        LimitError: the download exceeds one of `limits`.
        SourceReadError: anything else that kept the bytes from being read whole.
    """
    access.check_url(url)
    return storage_of(url).open_url(url, access=access, limits=limits)


def write_url(
    url: str, data: bytes, *, content_type: str, cancelled: threading.Event | None = None
) -> None:
    """Store an object, whole or not at all; what was there before is replaced.

    Returns once the storage has acknowledged it. Trouble that may pass is waited for, see
    `patience.stored`.

    Args:
        url: where to, see `open_url`; http(s) cannot be written to.
        data: the object's bytes.
        content_type: its media type, such as "image/jpeg", for storages that keep one.
        cancelled: ends the waiting when it is set, from another thread: a last error is raised.

    Raises:
        CredentialsError: credentials for the storage are missing or were refused.
        UnsupportedSchemeError: nothing here can write to this scheme.
        StorageWriteError: anything else that kept the object from being stored.
    """
    storage = storage_of(url)
    stored(
        lambda: storage.write_url(url, data, content_type=content_type),
        cancelled or threading.Event(),
    )


def check_writable(output_dir: str) -> None:
    """Check what can be known before any task runs, without network: for the driver.

    Args:
        output_dir: the folder that images will go to, as a URL or a plain path.

    Raises:
        ParameterError: the URL cannot work: no bucket, a bad endpoint, a file where a folder is
            due.
        CredentialsError: environment variables are missing; the message names them.
        UnsupportedSchemeError: nothing here can write to this scheme.
    """
    storage_of(output_dir).check_writable(output_dir)


def check_accepted(output_dir: str) -> None:
    """Ask the storage whether it would let this process write: for the start of a task.

    Only some storages have something to ask; what may pass is no error here.

    Args:
        output_dir: the folder that images will go to, as a URL or a plain path.

    Raises:
        CredentialsError: missing, or not those of anyone whom the storage knows.
        StorageWriteError: there is no such server or bucket.
    """
    ask = getattr(storage_of(output_dir), "check_accepted", None)
    if ask is not None:
        ask(output_dir)
