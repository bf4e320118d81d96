"""A bound on the decode threads of all videos together."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Slots:
    """So many threads decode at a time, over all videos that share this object.

    The first thread of a video is counted, but never kept waiting; its further ones come and go
    with what the other videos leave free. So one long video has all CPUs, and many have one each.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._taken = 0
        self._lock = threading.Lock()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Count one thread meanwhile, whether a slot is free or not."""
        with self._lock:
            self._add(1)
        try:
            yield
        finally:
            self.leave()

    def try_enter(self) -> bool:
        """Take a slot if one is free; to be given back with `leave`."""
        with self._lock:
            if self._free <= 0:
                return False
            self._add(1)
            return True

    def leave(self) -> None:
        """Give a slot back."""
        with self._lock:
            self._add(-1)

    @property
    def are_short(self) -> bool:
        """Whether there are more threads than slots: a further one should end."""
        return self._free < 0

    @property
    def _free(self) -> int:
        return self._count - self._taken

    def _add(self, change: int) -> None:
        self._taken += change
