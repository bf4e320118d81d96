"""A limit on the time that a decoder waits for the bytes of a video.

A storage has limits of its own. This one holds too if the storage does not keep them.
"""

from __future__ import annotations

import os
import stat
import threading
import time
from typing import BinaryIO

from spark_keyframes.errors import LimitError, SourceReadError


class TimedFile:
    """A binary file whose reads take at most `limit` wall-clock seconds together.

    A read that blocks is not ended, but `seconds` counts it while it is in progress, so that
    another thread can give up.
    """

    def __init__(self, file: BinaryIO, limit: float) -> None:
        self._file = file
        self._limit = limit
        self._lock = threading.Lock()
        self._seconds = 0.0
        self._began: float | None = None
        self.seek = file.seek
        self.tell = file.tell

    @property
    def seconds(self) -> float:
        """Wall-clock seconds of all reads so far, network included."""
        with self._lock:
            return self._until(time.perf_counter())

    @property
    def seconds_left(self) -> float:
        """Seconds until the limit."""
        return self._limit - self.seconds

    def read(self, size: int = -1) -> bytes:
        """Read up to `size` bytes.

        Raises:
            LimitError: the limit is exceeded.
            SourceReadError: the system cannot read the file.
        """
        with self._lock:
            self._began = time.perf_counter()
        try:
            data = self._file.read(size)
        except OSError as error:
            raise read_error(error) from error
        finally:
            with self._lock:
                self._seconds, self._began = self._until(time.perf_counter()), None
        self.check()
        return data

    def check(self) -> None:
        """Raise LimitError if the limit is exceeded."""
        if self.seconds_left <= 0:
            raise LimitError(
                f"reading the video took longer than {self._limit:g} s, which is "
                "max_download_seconds of limits; raise it, or bring the video closer",
                stage="open",
            )

    def _until(self, now: float) -> float:
        return self._seconds + (now - self._began if self._began is not None else 0.0)


def descriptor_of(file: BinaryIO) -> int | None:
    """Return the descriptor of a regular file, which a process can read itself; otherwise None."""
    try:
        descriptor = file.fileno()
    except OSError:  # includes io.UnsupportedOperation
        return None
    return descriptor if stat.S_ISREG(os.fstat(descriptor).st_mode) else None


def read_error(error: Exception) -> Exception:
    """Return the error for a file that cannot be read: one of ours for those of the system."""
    if isinstance(error, OSError) and error.strerror:
        return SourceReadError(f"the video could not be read: {error.strerror}")
    return error
