"""Other schemes (s3, gs, hdfs, …) through fsspec and the package of the scheme.

The package reads its credentials and addresses from the environment.

A URL must name one file in one file system. Chains of fsspec, such as `zip://a.mp4::file:///b.zip`,
are refused: they would bypass the rules on schemes and folders.
"""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, BinaryIO, TypeVar

from spark_keyframes.errors import (
    KeyframesError,
    ParameterError,
    SourceNotFoundError,
    SourceReadError,
    StorageWriteError,
    UnsupportedSchemeError,
)
from spark_keyframes.limits import Limits
from spark_keyframes.redaction import redact_url
from spark_keyframes.storage.access import Access
from spark_keyframes.storage.download.meter import Meter
from spark_keyframes.storage.download.remote import complete, retry_download
from spark_keyframes.storage.download.temporary import save
from spark_keyframes.storage.package_logs import of_this_package, redact_logs
from spark_keyframes.storage.retry import TransientError
from spark_keyframes.urls import scheme_of

T = TypeVar("T")

_BLOCK = 1 << 20
_UPLOAD_SECONDS = 300.0  # of one attempt; a package that takes longer hangs

# File systems that open other file systems, or local files, from the rest of the URL.
_NESTED = {
    "async_wrapper", "asynclocal", "asyncwrapper", "blockcache", "cached", "dir", "dvc",
    "filecache", "generic", "git", "libarchive", "reference", "simplecache", "tar", "zip",
}  # fmt: skip


def open_url(url: str, *, access: Access, limits: Limits) -> BinaryIO:
    """Download the whole file; incomplete bodies are retried."""
    _check_installed(url, stage="open")
    meter = Meter(url, limits)
    return retry_download(lambda: save(url, _blocks(url, meter), meter), time.sleep, meter)


def write_url(url: str, data: bytes, *, content_type: str) -> None:
    """Store the object with one call, which is atomic in object storages.

    On other file systems (hdfs, sftp, …) a killed task can leave part of a file. The task that
    replaces it writes the file again. Errors of the connection are a TransientError.
    """
    _check_installed(url, stage="upload")
    try:
        filesystem, path = _file_system(url)
        _start(lambda: _store(filesystem, path, data)).result(_UPLOAD_SECONDS)
    except Exception as error:  # noqa: BLE001 - each file system has its own exceptions
        failed = StorageWriteError(_message(error, url, "store"))
        if isinstance(error, ConnectionError | TimeoutError):
            raise TransientError(lambda attempts: failed) from None
        raise failed from None


def _store(filesystem: Any, path: str, data: bytes) -> None:
    try:
        filesystem.pipe_file(path, data)
    except FileNotFoundError:
        # The folder is missing. Object storages have no folders, so do not create it first.
        filesystem.makedirs(filesystem._parent(path), exist_ok=True)
        filesystem.pipe_file(path, data)


def check_writable(output_dir: str) -> None:
    """Check that the package that serves the scheme is installed."""
    _check_installed(output_dir, stage="parameters")
    # hdfs:///path is valid: the host is in Hadoop's configuration.
    if not output_dir.partition("://")[2].strip("/"):
        raise ParameterError(
            f"output_tos_dir must name a bucket or folder, got {redact_url(output_dir)!r}; write "
            f"e.g. {scheme_of(output_dir)}://bucket/keyframes"
        )


def _file_system(url: str) -> tuple[Any, str]:
    """Return the file system of the scheme, and the path in it."""
    import fsspec

    kind = fsspec.get_filesystem_class(scheme_of(url))
    redact_logs()  # its modules are imported
    with of_this_package():
        return kind(**kind._get_kwargs_from_urls(url)), kind._strip_protocol(url)


def _blocks(url: str, meter: Meter) -> Iterator[bytes]:
    try:
        filesystem, path = _file_system(url)
        size = _within(meter, lambda: filesystem.info(path).get("size"))
        size = size if isinstance(size, int) else None
        meter.check_size(size)
        source = _within(meter, lambda: filesystem.open(path, "rb"))
        yield from complete(_read(source, meter), size, url)
    except (KeyframesError, TransientError):
        raise
    except FileNotFoundError:
        raise SourceNotFoundError(f"no object {redact_url(url)}; check the address") from None
    except Exception as error:  # noqa: BLE001 - each file system has its own exceptions
        raise SourceReadError(_message(error, url, "read")) from None


def _read(source: Any, meter: Meter) -> Iterator[bytes]:
    try:
        while True:
            with meter.waiting():
                block = _within(meter, lambda: source.read(_BLOCK))
            meter.received(len(block))
            if not block:
                break
            yield block
    except BaseException:
        _start(source.close)  # not waited for: it may hang too
        raise
    _within(meter, source.close)


def _within(meter: Meter, call: Callable[[], T]) -> T:
    """Return the result of a call of the scheme's package, if it ends before the deadline.

    Packages have timeouts of their own or none. After the deadline, a call that hangs is left to
    its thread, which nothing can end.
    """
    meter.check_time()
    try:
        return _start(call).result(min(meter.seconds_left(), threading.TIMEOUT_MAX))
    except TimeoutError:
        meter.check_time()
        raise  # the package's own


def _start(call: Callable[[], T]) -> Future[T]:
    future: Future[T] = Future()

    def run() -> None:
        try:
            with of_this_package():
                future.set_result(call())
        except BaseException as error:  # noqa: BLE001 - raised in the thread that waits
            future.set_exception(error)

    # A daemon thread: a call that hangs must not keep Python from ending.
    threading.Thread(target=run, name="fsspec", daemon=True).start()
    return future


def _message(error: Exception, url: str, doing: str) -> str:
    reason = type(error).__name__
    # The error's text may repeat the URL, so it is shown only if the URL holds no secret.
    if redact_url(url) == url and str(error):
        reason = f"{reason}: {error}"
    advice = "; check its credentials" if isinstance(error, PermissionError) else ""
    return f"could not {doing} {redact_url(url)}: {' '.join(reason.split())[:500]}{advice}"


def _check_installed(url: str, *, stage: str) -> None:
    scheme = scheme_of(url)
    if scheme in _NESTED:
        raise UnsupportedSchemeError(
            f"{scheme}:// is a file system inside another, got {redact_url(url)}; give the URL "
            "of the file itself",
            stage=stage,
        )
    try:
        import fsspec
    except ImportError:
        raise UnsupportedSchemeError(
            f"{scheme}:// needs fsspec, got {redact_url(url)}; run "
            "pip install 'spark_keyframes[fsspec]', and install the package for the scheme",
            stage=stage,
        ) from None
    try:
        fsspec.get_filesystem_class(scheme)
    except ImportError as error:
        # fsspec's message names the package: "Install s3fs to access S3".
        raise UnsupportedSchemeError(
            f"the package for {scheme}:// is not installed, got {redact_url(url)}; {error}",
            stage=stage,
        ) from None
    except ValueError:
        raise UnsupportedSchemeError(
            f"unknown scheme {scheme}://, got {redact_url(url)}; use a path, file://, http(s)://, "
            "tos:// or a scheme that fsspec knows",
            stage=stage,
        ) from None
