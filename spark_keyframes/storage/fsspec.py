"""Any other scheme (s3, gs, hdfs, …) through fsspec, where the package that serves it is installed.

Credentials and addresses are those that the scheme's own package reads from the environment.

A URL is one file of one file system. fsspec itself would also open chains of them, such as
`zip://a.mp4::file:///b.zip`, and so get around whatever is said about schemes and folders.
"""

from collections.abc import Iterator
from typing import Any, BinaryIO

from spark_keyframes.errors import (
    KeyframesError,
    ParameterError,
    SourceNotFoundError,
    SourceReadError,
    StorageWriteError,
    UnsupportedSchemeError,
)
from spark_keyframes.limits import Limits
from spark_keyframes.storage.access import Access
from spark_keyframes.storage.base import download
from spark_keyframes.storage.download.meter import Meter
from spark_keyframes.storage.download.ranged import fill
from spark_keyframes.storage.download.remote import Interrupted
from spark_keyframes.urls import redact_url, scheme_of

_BLOCK = 1 << 20

# File systems inside of others, or of this machine, whatever the rest of the URL says.
_NESTED = {
    "async_wrapper", "asynclocal", "asyncwrapper", "blockcache", "cached", "dir", "dvc",
    "filecache", "generic", "git", "libarchive", "reference", "simplecache", "tar", "zip",
}  # fmt: skip


def open_url(url: str, *, access: Access, limits: Limits) -> BinaryIO:
    """Download the whole file; a wait for it ends with the wait that its package allows."""
    _check_installed(url, stage="open")
    meter = Meter(url, limits)
    return download(url, lambda file: fill(file, _blocks(url, meter), meter))


def write_url(url: str, data: bytes, *, content_type: str) -> None:
    """Store the object with one call, which object storages do whole or not at all.

    On file systems without such a call (hdfs, sftp, …) a task that is killed in the middle leaves
    a part of the file, and the task that takes its place writes it anew. What a package has not
    mended by itself is `Interrupted` where the connection is to blame.
    """
    _check_installed(url, stage="upload")
    try:
        filesystem, path = _file_system(url)
        try:
            filesystem.pipe_file(path, data)
        except FileNotFoundError:
            # Only where folders exist is one missing; object storages should not be asked first.
            filesystem.makedirs(filesystem._parent(path), exist_ok=True)
            filesystem.pipe_file(path, data)
    except Exception as error:  # noqa: BLE001 - every file system has exceptions of its own
        failed = StorageWriteError(_message(error, url, "store"))
        if isinstance(error, ConnectionError | TimeoutError):
            raise Interrupted(lambda attempts: failed) from None
        raise failed from None


def check_writable(output_dir: str) -> None:
    """Check that the package that serves the scheme is installed."""
    _check_installed(output_dir, stage="parameters")
    # hdfs:///path is good: the host is in Hadoop's configuration.
    if not output_dir.partition("://")[2].strip("/"):
        raise ParameterError(
            f"output_tos_dir must name a bucket or folder, got {redact_url(output_dir)!r}; write "
            f"e.g. {scheme_of(output_dir)}://bucket/keyframes"
        )


def _file_system(url: str) -> tuple[Any, str]:
    """The one that the scheme names, and the path in it."""
    import fsspec

    kind = fsspec.get_filesystem_class(scheme_of(url))
    return kind(**kind._get_kwargs_from_urls(url)), kind._strip_protocol(url)


def _blocks(url: str, meter: Meter) -> Iterator[bytes]:
    try:
        filesystem, path = _file_system(url)
        size = filesystem.info(path).get("size")
        meter.check_size(size if isinstance(size, int) else None)
        with filesystem.open(path, "rb") as source:
            while True:
                with meter.waiting():
                    block = source.read(_BLOCK)
                meter.received(len(block))
                if not block:
                    return
                yield block
    except KeyframesError:
        raise
    except FileNotFoundError:
        raise SourceNotFoundError(f"no object {redact_url(url)}; check the address") from None
    except Exception as error:  # noqa: BLE001 - every file system has exceptions of its own
        raise SourceReadError(_message(error, url, "read")) from None


def _message(error: Exception, url: str, doing: str) -> str:
    reason = type(error).__name__
    # What a file system says may repeat the URL: not where that could hold a secret.
    if redact_url(url) == url and str(error):
        reason = f"{reason}: {error}"
    advice = "; check its credentials" if isinstance(error, PermissionError) else ""
    return f"could not {doing} {redact_url(url)}: {' '.join(reason.split())[:500]}{advice}"


def _check_installed(url: str, *, stage: str) -> None:
    scheme = scheme_of(url)
    if scheme in _NESTED:
        raise UnsupportedSchemeError(
            f"{scheme}:// is a file system inside of another, got {redact_url(url)}; give the URL "
            "of the file itself",
            stage=stage,
        )
    try:
        import fsspec
    except ImportError:
        raise UnsupportedSchemeError(
            f"{scheme}:// needs fsspec, got {redact_url(url)}; run "
            "pip install 'spark_keyframes[fsspec]', and the package that serves the scheme",
            stage=stage,
        ) from None
    try:
        fsspec.get_filesystem_class(scheme)
    except ImportError as error:
        # fsspec's own words name the package: "Install s3fs to access S3".
        raise UnsupportedSchemeError(
            f"{scheme}:// is served by a package that is not installed, got {redact_url(url)}; "
            f"{error}",
            stage=stage,
        ) from None
    except ValueError:
        raise UnsupportedSchemeError(
            f"unknown scheme {scheme}://, got {redact_url(url)}; use a path, file://, http(s)://, "
            "tos:// or a scheme that fsspec knows",
            stage=stage,
        ) from None
