"""The pool of decode processes. It serves all tasks until this process ends."""

from __future__ import annotations

import itertools
import os
import threading

from spark_keyframes.video.process.decode_process import DecodeProcess
from spark_keyframes.video.process.shared_thread_slots import ThreadCounts


class ProcessPool:
    """Starts decode processes, keeps idle ones for the next video, and replaces unusable ones."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[DecodeProcess] = []
        self._used_indexes: set[int] = set()
        self.thread_counts = ThreadCounts()

    def acquire(self, *, is_new: bool = False) -> DecodeProcess:
        """Return an idle process, or a new one; give it back with `release`."""
        with self._lock:
            while self._idle and not is_new:
                process = self._idle.pop()
                if process.is_usable:
                    return process
                self._end(process)
            return self._start()

    def warm_up(self) -> None:
        """Start a process if none is idle, because starting takes 0.2 s."""
        with self._lock:
            if not self._idle:
                self._idle.append(self._start())

    def release(self, process: DecodeProcess) -> None:
        """Keep the process for another video if it is usable, otherwise end it."""
        with self._lock:
            if process.is_usable:
                self._idle.append(process)
            else:
                self._end(process)

    def detach(self) -> None:
        """Free the resources in a forked copy of the engine; the processes go on."""
        for process in self._idle:
            process.detach()

    def _start(self) -> DecodeProcess:
        index = next(i for i in itertools.count() if i not in self._used_indexes)
        process = DecodeProcess(self.thread_counts, index)
        self._used_indexes.add(index)
        return process

    def _end(self, process: DecodeProcess) -> None:
        process.kill_and_wait()
        self.thread_counts.counts[process.index] = 0
        self._used_indexes.discard(process.index)


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
