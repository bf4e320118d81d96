"""What a storage is, and which module serves which URL scheme."""

import contextlib
import errno
import os
import random
import tempfile
from collections.abc import Callable
from importlib import import_module
from typing import IO, TYPE_CHECKING, BinaryIO, Protocol, cast

from spark_keyframes.errors import SourceReadError
from spark_keyframes.limits import Limits
from spark_keyframes.urls import redact_url, scheme_of

if TYPE_CHECKING:
    from spark_keyframes.storage.access import Access

ATTEMPTS = 4  # of one transfer, the first included: waits of about 0.5, 1 and 2 s between them

# One line per scheme: the module of this folder that serves it, imported when first needed.
# Schemes that are not listed go to fsspec.
_MODULES = {
    "": "local",  # a plain path
    "file": "local",
    "local": "local",  # fsspec's name for it
    "http": "http.http_storage",
    "https": "http.http_storage",
    "tos": "tos.tos_storage",
}


class Storage(Protocol):
    """One way to reach bytes by URL; a module with these three functions is one."""

    def open_url(self, url: str, *, access: "Access", limits: Limits) -> BinaryIO:
        """Open for reading, see `spark_keyframes.storage.open_url`; the URL itself is checked."""
        ...

    def write_url(self, url: str, data: bytes, *, content_type: str) -> None:
        """Store `data`, see `spark_keyframes.storage.write_url`."""
        ...

    def check_writable(self, output_dir: str) -> None:
        """Check without network, see `spark_keyframes.storage.check_writable`."""
        ...


def is_local(url: str) -> bool:
    """Tell whether this is a plain path or a URL of this machine's files."""
    return _MODULES.get(scheme_of(url)) == "local"


def storage_of(url: str) -> Storage:
    """Return the implementation that serves this URL."""
    module = _MODULES.get(scheme_of(url), "fsspec")
    return cast(Storage, import_module(f"{__package__}.{module}"))


def backoff(attempt: int) -> float:
    """Return the seconds to wait after failed attempt number `attempt`, counted from 0.

    Jitter keeps the tasks that one outage stopped from coming back all at once.
    """
    return float(0.5 * 2**attempt * random.uniform(0.5, 1.5))  # noqa: S311 - not a secret


def download(url: str, fill: Callable[[IO[bytes]], None]) -> BinaryIO:
    """Return a temporary file that `fill` has written, positioned at its start.

    The file has no name (on Linux), so nothing is left behind even when the process is killed.
    """
    with tempfile.TemporaryFile() as file:
        try:
            fill(file)
            file.flush()
        except OSError as error:
            with contextlib.suppress(OSError):
                file.truncate(0)  # else closing tries to flush what does not fit, and fails again
            raise disk_error(url, error) from None
        file.seek(0)
        return os.fdopen(os.dup(file.fileno()), "rb")


def disk_error(url: str, error: OSError) -> SourceReadError:
    """Return the error to raise where the temporary file could not be written."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        # Not str(error): those of requests are OSErrors too, and hold the whole URL.
        reason = error.strerror or type(error).__name__
        return SourceReadError(f"could not read {redact_url(url)}: {reason}")
    return SourceReadError(
        f"no room for {redact_url(url)} in {tempfile.gettempdir()} ({error.strerror}); "
        "free space there, or point TMPDIR of the executors to a larger disk"
    )
