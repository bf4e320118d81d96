"""Memory that the engine and a decode process share."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import tempfile

import numpy as np
from numpy.typing import NDArray

_IS_LINUX = hasattr(os, "memfd_create")
_SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL if _IS_LINUX else 0


# Bytes. Buffers grow in steps, so that they are rarely replaced. A step holds six pictures of 360p
# or one of 720p.
_BUFFER_STEP = 4 << 20


def buffer_bytes(size: int) -> int:
    """Return the size of a new buffer for an RGB picture of `size` bytes."""
    return -(-size // _BUFFER_STEP) * _BUFFER_STEP


def create_shared_memory(size: int) -> int:
    """Return the descriptor of `size` bytes of memory; on Linux no process can resize it."""
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


def map_shared_memory(descriptor: int, size: int) -> NDArray[np.uint8]:
    """Return the memory as an array of `size` bytes; the descriptor may be closed afterwards.

    Raises:
        MemoryError: this process may not have as much more memory.
        ValueError: it cannot be mapped, is smaller, or could be shrunk: then a read would crash the
            reader.
    """
    try:
        # First, because only memory has seals: a file could be on a file system that hangs.
        if _SEALS and _seals_of(descriptor) & _SEALS != _SEALS:
            raise ValueError("shared memory that is not sealed")
        if os.fstat(descriptor).st_size < size:
            raise ValueError(f"shared memory of less than {size} bytes")
        return np.frombuffer(mmap.mmap(descriptor, size), np.uint8)
    except OSError as error:
        if error.errno == errno.ENOMEM:
            raise MemoryError(f"no {size} bytes of address space are left") from None
        raise ValueError(f"shared memory that cannot be mapped: {error.strerror}") from None


def _seals_of(descriptor: int) -> int:
    try:
        return fcntl.fcntl(descriptor, fcntl.F_GET_SEALS)
    except OSError:
        return 0
