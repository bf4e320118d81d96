"""`Slots` for the decode threads of several processes, with a cell of shared memory for each."""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray

from spark_keyframes.video.process.memory import map_memory, shared_memory
from spark_keyframes.video.thread_slots import Slots

_PROCESSES = 1024


class Cells:
    """How many threads of each process decode just now; each process writes its own cell only.

    So nothing is lost where a process is killed: its cell is cleared, and that is all.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        size = _PROCESSES * 4
        self.descriptor = shared_memory(size) if descriptor is None else descriptor
        """To be passed on to the processes."""
        self.counts: NDArray[np.int32] = map_memory(os.dup(self.descriptor), size).view(np.int32)


class SharedSlots(Slots):
    """The threads of this process among those of all.

    Two processes may take the last slot at the same time; one gives it back after its run.
    """

    def __init__(self, count: int, cells: Cells, cell: int) -> None:
        super().__init__(count)
        self._counts = cells.counts
        self._cell = cell

    @property
    def _free(self) -> int:
        return self._count - int(self._counts.sum())

    def _add(self, change: int) -> None:
        self._counts[self._cell] += change
