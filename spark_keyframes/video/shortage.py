"""Telling a lack of memory from damage: FFmpeg's codecs often report the one as the other."""

from __future__ import annotations

import mmap
import resource
from pathlib import Path

import av

from spark_keyframes.errors import LimitError

_ROOM = 8 << 20  # bytes of address space; with less left, any allocation may just have failed
_FRAME_COPIES = 2  # of a picture that a codec asks for at a time


def check_memory(error: Exception, pixels: int = 0) -> None:
    """Raise `LimitError` if not the video is to blame for `error` but a lack of memory.

    `pixels` is the size of the pictures that were being decoded. Called for every error: else
    frames for which there was no room would pass for damaged ones, and silently be left out.
    """
    if _was_short(error, _ROOM + _FRAME_COPIES * pixels * 3 // 2):
        raise LimitError(
            "decoding the video takes more memory than there is, or than max_decode_bytes of "
            "limits allows; raise it, or scale the video down"
        ) from MemoryError()


def is_worn() -> bool:
    """Whether this process should decode no other video: one took more than half of its memory.

    The kernel's peak never falls, so that it would be taken for that of the next ones, too.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return limit != resource.RLIM_INFINITY and _peak() > limit // 2


def _was_short(error: Exception, needed: int) -> bool:
    if isinstance(error, MemoryError) and not isinstance(error, av.error.FFmpegError):
        return True
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        # FFmpeg refuses gigabytes in one piece by itself, and only damaged headers ask for them.
        return False
    # What was freed on the way out is gone, but the kernel remembers the peak. An index grows by
    # doubling, pictures come one by one.
    left = limit - _peak()
    return left < needed or (isinstance(error, MemoryError) and left < limit // 2)


def _peak() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    return int(status.split("VmPeak:")[1].split()[0]) * 1024


def address_space() -> int | None:
    """Bytes of address space that this process has taken; None where nothing tells (no Linux)."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[0]
    except OSError:
        return None
    return int(pages) * mmap.PAGESIZE
