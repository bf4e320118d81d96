"""Calls of fsspec's packages: their file systems, their deadlines, their errors."""

import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from typing import Any, TypeVar

from spark_keyframes.errors import UnsupportedSchemeError
from spark_keyframes.redaction import redact_url
from spark_keyframes.storage.download.interrupt import register, unregister
from spark_keyframes.storage.download.meter import Meter
from spark_keyframes.storage.package_logs import of_this_package, redact_logs
from spark_keyframes.urls import scheme_of

T = TypeVar("T")

# File systems that open other file systems, or local files, from the rest of the URL.
_NESTED = {
    "async_wrapper", "asynclocal", "asyncwrapper", "blockcache", "cached", "dir", "dvc",
    "filecache", "generic", "git", "libarchive", "reference", "simplecache", "tar", "zip",
}  # fmt: skip


def file_system(url: str) -> tuple[Any, str]:
    """Return the file system of the scheme, and the path in it."""
    import fsspec

    kind = fsspec.get_filesystem_class(scheme_of(url))
    redact_logs()  # its modules are imported
    with of_this_package():
        return kind(**kind._get_kwargs_from_urls(url)), kind._strip_protocol(url)


def within(meter: Meter, call: Callable[[], T]) -> T:
    """Return the result of a call of the scheme's package, if it ends before the deadline.

    Packages have timeouts of their own or none. After the deadline, a call that hangs is left to
    its thread, which nothing can end.
    """
    meter.check_time()
    future = start(call)
    register(future)  # the end of a download ends this wait too
    try:
        return future.result(min(meter.seconds_left(), threading.TIMEOUT_MAX))
    except TimeoutError:
        meter.check_time()
        raise  # the package's own
    finally:
        unregister()


def start(call: Callable[[], T]) -> Future[T]:
    """Begin a call of the scheme's package in a thread of its own, which may hang."""
    future: Future[T] = Future()

    def run() -> None:
        with contextlib.suppress(InvalidStateError):  # nobody waits any more
            try:
                with of_this_package():
                    result = call()
            except BaseException as error:  # noqa: BLE001 - raised in the thread that waits
                future.set_exception(error)
            else:
                future.set_result(result)

    # A daemon thread: a call that hangs must not keep Python from ending.
    threading.Thread(target=run, name="fsspec", daemon=True).start()
    return future


def message(error: Exception, url: str, doing: str) -> str:
    """Return the message for an error of the scheme's package; `doing` is a verb."""
    reason = type(error).__name__
    # The error's text may repeat the URL, so it is shown only if the URL holds no secret.
    if redact_url(url) == url and str(error):
        reason = f"{reason}: {error}"
    advice = "; check its credentials" if isinstance(error, PermissionError) else ""
    return f"could not {doing} {redact_url(url)}: {' '.join(reason.split())[:500]}{advice}"


def check_installed(url: str, *, stage: str) -> None:
    """Raise UnsupportedSchemeError, of that stage, unless a package serves the URL's scheme."""
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
