"""Opening what a server holds: whole where it is small, else readable while its parts arrive."""

import io
import time
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from spark_keyframes.storage.base import download
from spark_keyframes.storage.parts import Parts
from spark_keyframes.storage.remote import FIRST, Answer, Remote, retried

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


def open_remote(remote: Remote) -> BinaryIO:
    """Open an object for reading: a seekable file in a temporary file without a name.

    The first request asks for a part. What is no longer, and what a server only gives whole, is
    downloaded before this returns. Anything longer can be read while its parts arrive; see
    `RangedFile`. Raises what is wrong with the first answer, and reading what comes later.
    """

    def attempt() -> BinaryIO:
        answer = remote.get(0, FIRST)
        part = answer.part
        if part is not None and part.stop < part.total:
            if part.version:
                return cast("BinaryIO", RangedFile(Parts(remote, answer)))
            # Parts of two states of the object could not be told apart.
            answer.close()
            answer = remote.get(0, None)
        try:
            return download(remote.url, lambda file: _fill(file, answer))
        finally:
            answer.close()
            remote.close()

    try:
        return retried(attempt, time.sleep)
    except BaseException:
        remote.close()
        raise


def _fill(file: IO[bytes], answer: Answer) -> None:
    file.writelines(answer.blocks)
    answer.finish(file)


class RangedFile(io.RawIOBase):
    """A read-only file over an object whose parts arrive while it is read.

    Reading waits for the bytes that are asked for. A jump far ahead, to the index at the end of
    an MP4 for example, is fetched at once, and what follows it next. What fails for good is raised
    by every read from there on. For one thread at a time; `close()` may be called by any.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._position = 0

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Fill the buffer, as far as the object goes; waits for what has not arrived."""
        self._checkClosed()
        target = memoryview(buffer).cast("B")
        if not len(target) or self._position >= self._parts.total:
            return 0
        count = self._parts.read_into(self._position, target)
        self._position += count
        return count

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to another position; beyond the end there is nothing to read."""
        self._checkClosed()
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._parts.total}
        position = base[whence] + offset
        if position < 0:
            raise ValueError(f"negative seek position {position}")
        self._position = position
        return position

    def close(self) -> None:
        """Stop what is still arriving, and free the connections and the disk."""
        if not self.closed:
            self._parts.close()
        super().close()
