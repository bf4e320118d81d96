"""What one download has taken so far, against the limits of downloads."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from spark_keyframes.errors import LimitError
from spark_keyframes.limits import Limits
from spark_keyframes.urls import redact_url

WINDOW = 60.0  # seconds of waiting, over each of which the rate is looked at


class Meter:
    """Counts for one video, over all of its connections and attempts; any thread may call it.

    All checks raise LimitError. Once one has, `check_time` raises it again, so that what goes on
    in other threads, or was made another error of on the way, ends with it too.
    """

    def __init__(self, url: str, limits: Limits) -> None:
        self._url = url
        self._limits = limits
        self._end = time.monotonic() + limits.max_download_seconds
        self._error: LimitError | None = None
        self._lock = threading.Lock()
        """Guards all that follows."""
        self._waiting = 0
        """How many threads wait for the server."""
        self._since = 0.0
        """From when on at least one does."""
        self._waited = 0.0
        """Seconds of this window in which one did, up to `_since`."""
        self._received = 0
        """Bytes of this window."""

    def check_size(self, size: int | None) -> None:
        """Look at the size that a server announces, None for none, or that has arrived."""
        limit = self._limits.max_download_bytes
        if size is not None and size > limit:
            raise self._exceeded(
                f"has more than max_download_bytes={limit}: {size}; raise the limit for videos of "
                "this size"
            )

    def check_time(self) -> None:
        """Look at the clock."""
        if self._error is not None:
            raise self._error
        if self.seconds_left() <= 0:
            raise self._exceeded(
                f"took longer than max_download_seconds={self._limits.max_download_seconds:g}; "
                "raise the limit, or bring the video to where the network is faster"
            )

    def seconds_left(self) -> float:
        """Until the download has to be done; negative after it."""
        return self._end - time.monotonic()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Around every wait for data: only these seconds count for the rate.

        So a slow reader, or a machine that is busy, makes no slow server.
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
        """Count bytes that came, of whatever kind, and look at the rate once a window is over."""
        with self._lock:
            self._received += count
            self._count_wait()
            if self._waited < WINDOW:
                return
            received, waited = self._received, self._waited
            self._received, self._waited = 0, 0.0
        if received < self._limits.min_download_rate * waited:
            raise self._exceeded(
                f"comes at {received / waited:.0f} bytes per second, and "
                f"min_download_rate={self._limits.min_download_rate:g}; lower the limit, or bring "
                "the video to where the network is faster"
            )

    def restart(self) -> None:
        """Begin a window anew: the connection broke, and silence before that has its own limit."""
        with self._lock:
            self._count_wait()
            self._received, self._waited = 0, 0.0

    @contextmanager
    def requesting(self) -> Iterator[None]:
        """Around a request, whose answer is counted from then on; see `current`."""
        self.check_time()
        before, _thread.meter = current(), self
        try:
            yield
        except BaseException:
            # An SDK may have made another error of ours, which would be tried again.
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
    """The meter that this thread's request is counted by, if it is one for a video."""
    return getattr(_thread, "meter", None)
