"""What the readers of container headers share: the facts of a track, and how to find its parts."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol, Self, TypeVar

_MOST_SEARCHED = 1 << 20  # bytes
_BLOCK = 4096  # bytes that are read at a time, since the parts of a header are small

Span = tuple[int, int]
"""Where the content of a part begins and ends in the file."""

Kind = TypeVar("Kind")


class Crop(NamedTuple):
    """Pixels to cut off at each side of a frame, before it is turned upright."""

    top: int = 0
    bottom: int = 0
    left: int = 0
    right: int = 0


NO_CROP = Crop()


@dataclass(frozen=True)
class TrackHeader:
    """What the header of a container says of one video track."""

    crop: Crop = NO_CROP
    encryption: str = ""
    """How it is encrypted; empty if it is not."""


class SeekableReader(Protocol):
    """A file, as far as it is needed here."""

    def read(self, size: int, /) -> bytes:
        """Return up to `size` bytes."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Set the position and return it."""

    def tell(self) -> int:
        """Return the position."""


class Window:
    """Reads small parts of a file. The file keeps its position while the context lasts."""

    def __init__(self, file: SeekableReader) -> None:
        self._file = file
        self._position = file.tell()
        self._start, self._block = 0, b""
        self.parts = 0
        """Parts of the file that were looked at so far, where they are counted."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.seek(self._position)

    @property
    def span(self) -> Span:
        """The whole file."""
        return 0, self._file.seek(0, io.SEEK_END)

    def read(self, start: int, stop: int) -> bytes:
        """Return the bytes of a range, as far as the file has them."""
        if stop <= start:
            return b""
        if not self._start <= start or stop > self._start + len(self._block):
            self._file.seek(start)
            self._start, self._block = start, self._file.read(max(stop - start, _BLOCK))
        return self._block[start - self._start : stop - self._start]

    def may_have(self, span: Span, pattern: re.Pattern[bytes]) -> bool:
        """Return whether a pattern occurs in a part; True if the part is too long to search.

        Most headers hold nothing of interest. To look at each part takes ten times longer.
        """
        start, stop = span
        is_long = stop - start > _MOST_SEARCHED
        return is_long or pattern.search(self.read(start, stop)) is not None


def is_mp4(container_format: str) -> bool:
    """Return whether FFmpeg's name of a format is that of MP4 and MOV."""
    return container_format.startswith("mov,")


def find(
    parts: Callable[[Span], Iterator[tuple[Kind, Span]]], span: Span, *path: Kind
) -> Iterator[Span]:
    """Yield the parts at a path of kinds, such as each `stbl` of each `minf`.

    Args:
        parts: yields the kind and the span of the parts in a span.
        span: where to search.
        path: the kinds, from the outermost.
    """
    for kind, inner in parts(span):
        if kind == path[0]:
            if len(path) == 1:
                yield inner
            else:
                yield from find(parts, inner, *path[1:])
