"""The bound on what the videos of an engine hold together."""

import threading


class ByteBudget:
    """Memory that the tasks of an engine share for frames which can still be selected."""

    def __init__(self, limit: int) -> None:
        self._left = limit
        self._lock = threading.Lock()

    def take(self, size: int) -> bool:
        """Take `size` bytes if there are as many left."""
        with self._lock:
            if size > self._left:
                return False
            self._left -= size
            return True

    def give_back(self, size: int) -> None:
        """Return what `take` took."""
        with self._lock:
            self._left += size
