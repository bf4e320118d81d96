"""Temporary files for downloads."""

import contextlib
import errno
import os
import tempfile
from collections.abc import Iterable
from typing import BinaryIO

from spark_keyframes.errors import SourceReadError
from spark_keyframes.redaction import redact_url
from spark_keyframes.storage.download.meter import Meter
from spark_keyframes.storage.download.remote import measured


def save(url: str, blocks: Iterable[bytes], meter: Meter) -> BinaryIO:
    """Write the blocks of a whole object to a temporary file, and return it at position 0.

    On Linux the file has no name, so a killed process leaves nothing behind. The bytes are counted
    as they arrive, because the announced size may be wrong.
    """
    with tempfile.TemporaryFile() as file:
        try:
            for block in measured(blocks, meter):
                file.write(block)
            file.flush()
        except OSError as error:
            with contextlib.suppress(OSError):
                file.truncate(0)  # otherwise closing flushes the rest, and fails again
            raise disk_error(url, error) from None
        file.seek(0)
        return os.fdopen(os.dup(file.fileno()), "rb")


def disk_error(url: str, error: OSError) -> SourceReadError:
    """Return the error for a temporary file that could not be written."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        # Not str(error): the errors of requests are OSErrors too, and hold the whole URL.
        reason = error.strerror or type(error).__name__
        return SourceReadError(f"could not read {redact_url(url)}: {reason}")
    return SourceReadError(
        f"no room for {redact_url(url)} in {tempfile.gettempdir()} ({error.strerror}); "
        "free space there, or set TMPDIR of the executors to a folder on a larger disk"
    )
