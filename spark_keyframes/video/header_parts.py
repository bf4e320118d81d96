"""What the readers of container headers share: the facts of a track, and how to find its parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar

MOST_PARTS = 1_000_000
"""Of one part: a crafted file may hold any number. A live recording has two for each fragment."""

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


def read_at(file: SeekableReader, start: int, stop: int) -> bytes:
    """Return the bytes of a range, as far as the file has them."""
    if stop <= start:
        return b""
    file.seek(start)
    return file.read(stop - start)


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
