"""Memory that a decoding process shares with the engine, and the limit on all that it takes."""

from __future__ import annotations

import fcntl
import mmap
import os
import resource
import tempfile

import numpy as np
from numpy.typing import NDArray

from spark_keyframes.video.shortage import address_space

_IS_LINUX = hasattr(os, "memfd_create")
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL if _IS_LINUX else 0


def shared_memory(size: int) -> int:
    """A descriptor of so many bytes of memory, which no process can take away from another."""
    if not _IS_LINUX:
        with tempfile.TemporaryFile() as file:
            file.truncate(size)
            return os.dup(file.fileno())
    descriptor = os.memfd_create("spark_keyframes", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(descriptor, size)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def map_memory(descriptor: int, size: int) -> NDArray[np.uint8]:
    """The memory as bytes; closes the descriptor.

    Raises ValueError where it is smaller, or might be made so: to read it would then be a crash.
    """
    try:
        if os.fstat(descriptor).st_size < size:
            raise ValueError(f"shared memory of less than {size} bytes")
        if _SEALS and fcntl.fcntl(descriptor, fcntl.F_GET_SEALS) & _SEALS != _SEALS:
            raise ValueError("shared memory that is not sealed")
        return np.frombuffer(mmap.mmap(descriptor, size), np.uint8)
    finally:
        os.close(descriptor)


def limit_memory(more: int) -> None:
    """Let this process take so many bytes of address space more than now."""
    taken = address_space()
    if taken is None:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = taken + more if hard == resource.RLIM_INFINITY else min(taken + more, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
