"""The pool of decode processes. It serves all tasks until this process ends."""

from __future__ import annotations

import itertools
import logging
import os
import threading

from spark_keyframes.video.process.decode_process import DecodeProcess
from spark_keyframes.video.process.shared_thread_slots import ThreadCounts

logger = logging.getLogger("spark_keyframes")


class ProcessPool:
    """Starts decode processes, keeps idle ones for the next video, and replaces unusable ones."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[DecodeProcess] = []
        self._processes: set[DecodeProcess] = set()
        """All that were not ended, idle or at work."""
        self._ending: list[DecodeProcess] = []
        """Killed processes that the kernel has not ended yet."""
        self.thread_counts = ThreadCounts()

    def acquire(self, *, is_new: bool = False, card: int | None = None) -> DecodeProcess:
        """Return an idle process, or a new one; give it back with `release`.

        Args:
            is_new: return no idle one.
            card: number of the GPU that decodes; None: the CPU does.
        """
        while True:
            with self._lock:
                idle = None if is_new else self._idle_for(card)
                if idle is None:
                    return self._start(card)
                process = self._idle.pop(idle)
            if self._may_decode(process):
                return process
            self._end(process)

    def warm_up(self) -> None:
        """Start a process if none is idle, because starting takes 0.2 s."""
        with self._lock:
            if self._idle_for(None) is None:
                self._idle.append(self._start())

    def release(self, process: DecodeProcess) -> None:
        """Keep the process for another video if it is usable, otherwise end it."""
        if self._may_decode(process):
            with self._lock:
                self._idle.append(process)
        else:
            self._end(process)

    def detach(self) -> None:
        """Free the resources in a forked copy of the engine; the processes go on."""
        for process in self._processes:
            process.detach()

    def _may_decode(self, process: DecodeProcess) -> bool:
        # Between two videos a process has no decode thread, unless it writes what it likes.
        return process.is_usable and not self.thread_counts.counts[process.index]

    def _idle_for(self, card: int | None) -> int | None:
        """Return the place of an idle process of this kind, the last one used."""
        places = range(len(self._idle) - 1, -1, -1)
        return next((n for n in places if self._idle[n].card == card), None)

    def _start(self, card: int | None = None) -> DecodeProcess:
        self._ending = [process for process in self._ending if not process.has_ended]
        used = {each.index for each in self._processes}
        index = next(i for i in itertools.count() if i not in used)
        process = DecodeProcess(self.thread_counts, index, card)
        self._processes.add(process)
        return process

    def _end(self, process: DecodeProcess) -> None:
        process.end()  # without the lock, because it may take seconds
        with self._lock:
            if not process.has_ended:
                logger.warning("decode process %d was killed, but does not end yet", process.pid)
                self._ending.append(process)
            self._processes.discard(process)
            at_work = self._processes.difference(self._idle)
            self.thread_counts.repair({each.index for each in at_work})


_pool: ProcessPool | None = None
_lock = threading.Lock()


def process_pool() -> ProcessPool:
    """Return the pool of this process; it is created once and kept between tasks."""
    global _pool  # noqa: PLW0603
    with _lock:
        if _pool is None:
            _pool = ProcessPool()
        return _pool


def _reset_after_fork() -> None:
    global _pool, _lock
    parents_pool, _pool, _lock = _pool, None, threading.Lock()
    if parents_pool is not None:
        parents_pool.detach()


os.register_at_fork(after_in_child=_reset_after_fork)
