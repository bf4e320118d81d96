"""Any other scheme (s3, gs, hdfs, …) through fsspec, where the package that serves it is installed.

Credentials and addresses are those that the scheme's own package reads from the environment.
"""

from collections.abc import Iterator
from typing import IO, BinaryIO

from spark_keyframes.errors import (
    ParameterError,
    SourceNotFoundError,
    SourceReadError,
    StorageWriteError,
    UnsupportedSchemeError,
)
from spark_keyframes.storage.base import download, redact_url, scheme_of

_BLOCK = 1 << 20


def open_url(url: str) -> BinaryIO:
    """Download the whole file."""
    _check_installed(url, stage="open")
    return download(url, lambda file: _fetch(url, file))


def write_url(url: str, data: bytes, *, content_type: str) -> None:
    """Store the object with one call, which object storages do whole or not at all.

    On file systems without such a call (hdfs, sftp, …) a task that is killed in the middle leaves
    a part of the file, and the task that takes its place writes it anew.
    """
    _check_installed(url, stage="upload")
    import fsspec

    try:
        filesystem, path = fsspec.core.url_to_fs(url)
        try:
            filesystem.pipe_file(path, data)
        except FileNotFoundError:
            # Only where folders exist is one missing; object storages should not be asked first.
            filesystem.makedirs(filesystem._parent(path), exist_ok=True)
            filesystem.pipe_file(path, data)
    except Exception as error:  # noqa: BLE001 - every file system has exceptions of its own
        raise StorageWriteError(_message(error, url, "store")) from None


def check_writable(output_dir: str) -> None:
    """Check that the package that serves the scheme is installed."""
    _check_installed(output_dir, stage="parameters")
    # hdfs:///path is good: the host is in Hadoop's configuration.
    if not output_dir.partition("://")[2].strip("/"):
        raise ParameterError(
            f"output_tos_dir must name a bucket or folder, got {redact_url(output_dir)!r}; write "
            f"e.g. {scheme_of(output_dir)}://bucket/keyframes"
        )


def _fetch(url: str, file: IO[bytes]) -> None:
    for block in _blocks(url):
        file.write(block)


def _blocks(url: str) -> Iterator[bytes]:
    import fsspec

    try:
        filesystem, path = fsspec.core.url_to_fs(url)
        with filesystem.open(path, "rb") as source:
            while block := source.read(_BLOCK):
                yield block
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
