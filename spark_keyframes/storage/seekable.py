"""What read-only files that are not the operating system's have in common: a size and a place."""

import io


class SeekableFile(io.RawIOBase):
    """A read-only file of `size` bytes; `readinto` is its subclass's, and moves `position`."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.position = 0

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to another position; beyond the end there is nothing to read."""
        self._checkClosed()
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.position, io.SEEK_END: self.size}
        position = base[whence] + offset
        if position < 0:
            raise ValueError(f"negative seek position {position}")
        self.position = position
        return position
