"""A limit on the number of decode threads that all videos use together."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class ThreadSlots:
    """A semaphore of `count` slots, one for each decode thread; shared by all videos.

    The first thread of a video never waits, so the count may be exceeded. Its further threads use
    the slots that other videos leave free. One long video gets all CPUs; many videos get one each.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._taken = 0
        self._lock = threading.Lock()

    @contextmanager
    def first_thread(self) -> Iterator[None]:
        """Count one thread while the block runs, even if no slot is free."""
        with self._lock:
            self._add(1)
        try:
            yield
        finally:
            self.release()

    def try_acquire(self) -> bool:
        """Take a slot if one is free; return whether one was. Give it back with `release`."""
        with self._lock:
            if self._free <= 0:
                return False
            self._add(1)
            return True

    def release(self) -> None:
        """Give a slot back."""
        with self._lock:
            self._add(-1)

    @property
    def is_exceeded(self) -> bool:
        """Whether there are more threads than slots, so that a further thread should end."""
        return self._free < 0

    @property
    def _free(self) -> int:
        return self._count - self._taken

    def _add(self, change: int) -> None:
        self._taken += change
