"""Opening what a server holds: whole where it is small, else readable while its parts arrive."""

import time
from collections.abc import Iterable
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from spark_keyframes.limits import Limits
from spark_keyframes.storage.base import download
from spark_keyframes.storage.download.meter import Meter
from spark_keyframes.storage.download.parts import Parts
from spark_keyframes.storage.download.remote import FIRST, Answer, Remote, retried
from spark_keyframes.storage.seekable import SeekableFile

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


def open_remote(remote: Remote, limits: Limits) -> BinaryIO:
    """Open an object for reading: a seekable file in a temporary file without a name.

    The first request asks for a part. What is no longer, and what a server only gives whole, is
    downloaded before this returns. Anything longer can be read while its parts arrive; see
    `RangedFile`. Raises what is wrong with the first answer, and reading what comes later; so for
    `limits`, where the size that is announced comes with the first answer.
    """
    meter = Meter(remote.url, limits)

    def get(stop: int | None) -> Answer:
        with meter.requesting():
            answer = remote.get(0, stop)
        try:
            meter.check_size(answer.part.total if answer.part else answer.length)
        except BaseException:
            answer.close()
            raise
        return answer

    def attempt() -> BinaryIO:
        answer = get(FIRST)
        part = answer.part
        if part is not None and part.stop < part.total:
            if part.version:
                return cast("BinaryIO", RangedFile(Parts(remote, answer, meter)))
            # Parts of two states of the object could not be told apart.
            answer.close()
            answer = get(None)
        try:
            return download(remote.url, lambda file: fill(file, answer.blocks, meter))
        finally:
            answer.close()
            remote.close()

    try:
        return retried(attempt, time.sleep, meter)
    except BaseException:
        remote.close()
        raise


def fill(file: IO[bytes], blocks: Iterable[bytes], meter: Meter) -> None:
    """Write the blocks of a whole object, as they come: what was announced may be wrong."""
    size = 0
    for block in blocks:
        size += len(block)
        meter.check_size(size)
        meter.check_time()
        file.write(block)


class RangedFile(SeekableFile):
    """A read-only file over an object whose parts arrive while it is read.

    Reading waits for the bytes that are asked for. A jump far ahead, to the index at the end of
    an MP4 for example, is fetched at once, and what follows it next. What fails for good is raised
    by every read from there on. For one thread at a time; `close()` may be called by any.
    """

    def __init__(self, parts: Parts) -> None:
        super().__init__(parts.total)
        self._parts = parts

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Fill the buffer, as far as the object goes; waits for what has not arrived."""
        self._checkClosed()
        target = memoryview(buffer).cast("B")
        if not len(target) or self.position >= self.size:
            return 0
        count = self._parts.read_into(self.position, target)
        self.position += count
        return count

    def close(self) -> None:
        """Stop what is still arriving, and free the connections and the disk."""
        if not self.closed:
            self._parts.close()
        super().close()
