"""Base class of read-only files that Python provides: a size and a position."""

import io


class SeekableFile(io.RawIOBase):
    """A read-only file of `size` bytes. Subclasses define `readinto`, which moves `position`."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.position = 0

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move to another position, which may lie beyond the end, and return it."""
        self._checkClosed()
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.position, io.SEEK_END: self.size}
        position = base[whence] + offset
        if position < 0:
            raise ValueError(f"negative seek position {position}")
        self.position = position
        return position
