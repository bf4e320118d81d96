"""Threads of OpenMP, and what of threads a forked process inherits.

OpenMP keeps a pool of threads for each thread that computes with it. A fork copies the pool of the
thread that calls it, but not the pool's threads. Processes forked by other threads are safe.
"""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from spark_keyframes.errors import ForkError

_thread = threading.local()
_lock = threading.Lock()
_runs: list[int] = []
"""OpenMP threads of this process, once for each run at work."""


def wait_passively() -> None:
    """Let OpenMP's threads sleep while they wait. No effect once torch is loaded.

    By default they wait busily, on CPUs that the decode threads need: on two busy cores a video
    took 37 to 59 s instead of 9 s.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@contextmanager
def torch_threads_restored() -> Iterator[None]:
    """Compute with torch's threads as they were before the first run at work, and restore them.

    Threads of this block may call `torch.set_num_threads`, which is also the default of threads
    that start later. Blocks may overlap.
    """
    import torch

    with _lock:
        before = _runs[0] if _runs else torch.get_num_threads()
        _runs.append(before)
    torch.set_num_threads(before)  # a new thread would compute with as few as another run's
    try:
        yield
    finally:
        with _lock:
            _runs.pop()
        torch.set_num_threads(before)


@contextmanager
def video_threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """Return a pool of threads for this number of videos, each with one thread of OpenMP."""
    import torch

    # Each thread that calls torch gets OpenMP threads of its own. One per CPU for each video would
    # wait for each other busily, so the videos' threads get one each.
    with (
        torch_threads_restored(),
        ThreadPoolExecutor(
            count,
            thread_name_prefix="video",
            initializer=torch.set_num_threads,
            initargs=(1,),
        ) as pool,
    ):
        yield pool


def check_fork(threads: int) -> None:
    """Call this in a thread before it computes with this number of OpenMP threads.

    Raises:
        ForkError: this process was forked by a thread that had computed with several.
    """
    if getattr(_thread, "lacks_pool", False):
        raise ForkError(
            f"process {os.getpid()} was forked from one that had sampled already, and would hang "
            'in OpenMP; start it by multiprocessing.get_context("spawn") or "forkserver", or fork '
            "before the first video is sampled"
        )
    _thread.has_pool = getattr(_thread, "has_pool", False) or threads > 1


def _remember() -> None:
    _thread.lacks_pool = getattr(_thread, "has_pool", False)


os.register_at_fork(after_in_child=_remember)


def renew_after_fork(variables: dict[str, Any], name: str, make: Callable[[], object]) -> None:
    """Set a module's variable anew in each forked process: a lock that a thread may have held."""
    os.register_at_fork(after_in_child=lambda: variables.__setitem__(name, make()))


renew_after_fork(globals(), "_lock", threading.Lock)
renew_after_fork(globals(), "_runs", list)
