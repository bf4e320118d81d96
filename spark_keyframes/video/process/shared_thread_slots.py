"""`ThreadSlots` across decode processes: their thread counts are in shared memory."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from spark_keyframes.video.process.shared_memory import create_shared_memory, map_shared_memory
from spark_keyframes.video.thread_slots import ThreadSlots

_MAX_PROCESSES = 1024


class ThreadCounts:
    """The number of running decode threads of each process, in shared memory.

    Each process writes only its own element, unless a video has taken control of it. Wrong counts
    change how many threads decode, but not what they decode; `repair` corrects them.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        size = _MAX_PROCESSES * 4
        self.descriptor = create_shared_memory(size) if descriptor is None else descriptor
        """File descriptor to pass to the processes."""
        memory = map_shared_memory(self.descriptor, size)
        self.counts: NDArray[np.int32] = memory.view(np.int32)

    def repair(self, used: Collection[int]) -> None:
        """Reset the elements of processes that have ended or are idle, and negative ones.

        Args:
            used: elements of processes that decode.
        """
        unused = np.ones(_MAX_PROCESSES, bool)
        unused[list(used)] = False
        self.counts[unused | (self.counts < 0)] = 0


class SharedThreadSlots(ThreadSlots):
    """The slots of one process out of those that all processes share.

    Two processes may take the last slot at the same time; one of them then ends a thread early.
    """

    def __init__(self, count: int, thread_counts: ThreadCounts, index: int) -> None:
        super().__init__(count)
        self._counts = thread_counts.counts
        self._index = index

    @property
    def _free(self) -> int:
        return self._count - int(self._counts.sum())

    def _add(self, change: int) -> None:
        self._counts[self._index] += change
