"""Keeps forked processes from waiting for ever: for a lock, or in OpenMP.

OpenMP keeps a pool of threads for each thread that computes with it. A fork copies the pool of the
thread that calls it, but not the pool's threads. Processes forked by other threads are safe.
"""

import os
import threading
from collections.abc import Callable
from typing import Any

from spark_keyframes.errors import ForkError

_thread = threading.local()


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
