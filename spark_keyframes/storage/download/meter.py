"""Measures one download against the limits of downloads."""

import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from spark_keyframes.errors import LimitError
from spark_keyframes.limits import Limits
from spark_keyframes.redaction import redact_url
from spark_keyframes.storage.package_logs import of_this_package

WINDOW = 60.0  # seconds of waiting for the server over which the rate is measured


class Meter:
    """Counts the bytes and seconds of one video, over all its connections and attempts.

    Any thread may call it. Each check raises LimitError. After one has, `check_time` raises the
    same error again, so that other threads end too, even if a package replaced the error.
    """

    def __init__(self, url: str, limits: Limits) -> None:
        self._url = url
        self._limits = limits
        self._end = time.monotonic() + limits.max_download_seconds
        self._error: LimitError | None = None
        self._lock = threading.Lock()
        """Guards the fields below."""
        self._waiting = 0
        """Number of threads that wait for the server."""
        self._since = 0.0
        """Time up to which waiting has been counted, if a thread waits."""
        self._waited = 0.0
        """Seconds of this window in which at least one thread waited."""
        self._received = 0
        """Bytes of this window."""

    def check_size(self, size: int | None) -> None:
        """Check a size: the announced one, None if there is none, or the bytes received."""
        limit = self._limits.max_download_bytes
        if size is not None and size > limit:
            raise self._exceeded(
                f"has more than max_download_bytes={limit}: {size}; raise the limit for videos of "
                "this size"
            )

    def check_time(self) -> None:
        """Check the seconds since the download began."""
        if self._error is not None:
            raise self._error
        if self.seconds_left() <= 0:
            raise self._exceeded(
                f"took longer than max_download_seconds={self._limits.max_download_seconds:g}; "
                "raise the limit, or copy the video to faster storage"
            )

    def pass_over(self, seconds: float) -> None:
        """Leave these seconds, in which nobody read, out of the time of the download."""
        self._end += seconds

    def seconds_left(self) -> float:
        """Return the seconds until the download must be complete; negative after that."""
        return self._end - time.monotonic()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Count the seconds of this block as a wait for the server.

        Only these seconds count for the rate, so a slow reader or a busy machine does not lower it.
        """
        with self._lock:
            self._waiting += 1
            if self._waiting == 1:
                self._since = time.monotonic()
        try:
            yield
        finally:
            with self._lock:
                self._count_wait()
                self._waiting -= 1

    def received(self, count: int) -> None:
        """Count received bytes of any kind, and check the rate at the end of a window."""
        with self._lock:
            self._received += count
            self._count_wait()
            if self._waited < WINDOW:
                return
            received, waited = self._received, self._waited
            self._received, self._waited = 0, 0.0
        if received < self._limits.min_download_rate * waited:
            raise self._exceeded(
                f"arrives at {received / waited:.0f} bytes per second, below "
                f"min_download_rate={self._limits.min_download_rate:g}; lower the limit, or copy "
                "the video to faster storage"
            )

    def restart_window(self) -> None:
        """Start a new window after a lost connection. Silence before that has its own timeout."""
        with self._lock:
            self._count_wait()
            self._received, self._waited = 0, 0.0

    @contextmanager
    def requesting(self) -> Iterator[None]:
        """Make this the meter of the calling thread during a request; see `current`."""
        self.check_time()
        before, _thread.meter = current(), self
        try:
            with of_this_package():
                yield
        except BaseException:
            # An SDK may have replaced the LimitError by an error that would be retried.
            if self._error is not None:
                raise self._error from None
            raise
        finally:
            _thread.meter = before

    def _count_wait(self) -> None:
        if self._waiting:
            now = time.monotonic()
            self._waited += now - self._since
            self._since = now

    def _exceeded(self, what: str) -> LimitError:
        self._error = LimitError(f"{redact_url(self._url)} {what}", stage="open")
        return self._error


_thread = threading.local()


def current() -> Meter | None:
    """Return the meter of the calling thread's request, or None."""
    return getattr(_thread, "meter", None)


def seconds_left() -> float:
    """Return the seconds until the deadline of the calling thread's request, at least 0.

    Infinite without a meter, as during an upload.
    """
    meter = current()
    return math.inf if meter is None else max(0.0, meter.seconds_left())
