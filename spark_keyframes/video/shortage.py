"""Telling a lack of memory from damage: FFmpeg's codecs often report the one as the other."""

from __future__ import annotations

import mmap
import resource
from pathlib import Path

from spark_keyframes.errors import LimitError

_ROOM = 8 << 20  # bytes of address space; with less left, any allocation may just have failed
_FRAME_COPIES = 2  # of a picture that a codec asks for at a time


def check_memory(error: Exception, pixels: int = 0) -> None:
    """Raise `LimitError` if not the video is to blame for `error` but a lack of memory.

    `pixels` is the size of the pictures that were being decoded. Called for every error: else
    frames for which there was no room would pass for damaged ones, and silently be left out.
    """
    needed = _ROOM + _FRAME_COPIES * pixels * 3 // 2
    if isinstance(error, MemoryError) or _address_space_left() < needed:
        raise LimitError(
            "decoding the video takes more memory than there is, or than max_decode_bytes of "
            "limits allows; raise it, or scale the video down"
        ) from MemoryError()


def address_space() -> int | None:
    """Bytes of address space that this process has taken; None where nothing tells (no Linux)."""
    try:
        pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[0]
    except OSError:
        return None
    return int(pages) * mmap.PAGESIZE


def _address_space_left() -> float:
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    taken = None if limit == resource.RLIM_INFINITY else address_space()
    return float("inf") if taken is None else limit - taken
