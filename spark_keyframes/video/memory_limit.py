"""The limit on this process's memory, and the errors that result from reaching it.

FFmpeg's codecs often report a failed allocation as damaged data. Without a check, frames that did
not fit into memory would count as damaged and would be left out silently.
"""

from __future__ import annotations

import mmap
import os
import resource

import av

from spark_keyframes.errors import LimitError

_MARGIN = 8 << 20  # bytes of address space; with less left, any allocation may just have failed
_FRAME_COPIES = 2  # frame buffers that a codec allocates at a time


def limit_memory(more: int) -> None:
    """Limit this process to `more` bytes of address space beyond what it has now (Linux only)."""
    taken = _address_space()
    if taken is None:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    limit = taken + more if hard == resource.RLIM_INFINITY else min(taken + more, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


def raise_if_out_of_memory(error: Exception, pixels: int = 0) -> None:
    """Raise `LimitError` if a lack of memory, not damaged data, caused `error`.

    Args:
        error: an error of FFmpeg or PyAV. Call this for each of them.
        pixels: width × height of the frames that were being decoded; 0 outside a codec.
    """
    if _was_out_of_memory(error, _MARGIN + _FRAME_COPIES * pixels * 3 // 2):
        raise LimitError(
            "decoding the video takes more memory than there is, or than max_decode_bytes of "
            "limits allows; raise it, or scale the video down"
        ) from MemoryError()


def used_over_half_of_memory() -> bool:
    """Return whether this process ever used more than half of its limit.

    Such a process must decode no other video: the kernel's peak never falls, and
    `raise_if_out_of_memory` would blame the next video for it.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return limit != resource.RLIM_INFINITY and _peak() > limit // 2


def _was_out_of_memory(error: Exception, needed: int) -> bool:
    if isinstance(error, MemoryError) and not isinstance(error, av.error.FFmpegError):
        return True
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        # FFmpeg itself refuses gigabytes in one piece, and only damaged headers ask for them.
        return False
    # The codec has already freed its memory, but the kernel keeps the peak. An index grows by
    # doubling, so it may fail with up to half of the limit left. Frames are allocated one by one.
    left = limit - _peak()
    return left < needed or (isinstance(error, MemoryError) and left < limit // 2)


def _peak() -> int:
    status = _read("/proc/self/status")
    return int(status.split(b"VmPeak:")[1].split(maxsplit=1)[0]) * 1024


def _address_space() -> int | None:
    """Return the bytes of address space of this process; None outside Linux."""
    try:
        return int(_read("/proc/self/statm").split(maxsplit=1)[0]) * mmap.PAGESIZE
    except OSError:
        return None


def _read(path: str) -> bytes:
    # A fifth of the time that `Path.read_text` takes, for each video.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, 4096)
    finally:
        os.close(descriptor)
