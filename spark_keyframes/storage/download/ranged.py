"""Opens a file on a server. A small file is downloaded first, a large one while it is read."""

import time
from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO, cast

from spark_keyframes.limits import Limits
from spark_keyframes.storage.download.meter import Meter
from spark_keyframes.storage.download.parts import PartFetcher
from spark_keyframes.storage.download.remote import FIRST_PART, Answer, RemoteFile, retry_download
from spark_keyframes.storage.download.temporary import save
from spark_keyframes.storage.seekable import SeekableFile

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


def open_remote(remote: RemoteFile, limits: Limits, *, whole: bool = True) -> BinaryIO:
    """Open a remote file for reading, and close `remote` with it.

    The first request asks for one part. The whole file is downloaded before this returns if it is
    no longer than that, or if the server gives no parts. A longer file is a `RangedFile`, which
    downloads while it is read; all of it, or with `whole` False, little more than what is read.

    Raises:
        LimitError: the announced size exceeds a limit. Other limits are checked during reads too.
        KeyframesError: the first request failed.
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
        answer = get(FIRST_PART)
        part = answer.part
        if part is not None and part.stop < part.total:
            if part.version:
                return cast("BinaryIO", RangedFile(PartFetcher(remote, answer, meter, whole=whole)))
            # Without a version, parts of two states of the file could be mixed.
            answer.close()
            answer = get(None)
            if answer.length is None and answer.decompress is None:
                answer = replace(answer, length=part.total)
        try:
            return save(remote.url, answer.body(remote.url, meter), meter)
        finally:
            answer.close()
            remote.close()

    try:
        return retry_download(attempt, time.sleep, meter)
    except BaseException:
        remote.close()
        raise


class RangedFile(SeekableFile):
    """A read-only file whose parts are downloaded while it is read.

    A read waits for its bytes. After a jump far ahead, for example to the index at the end of an
    MP4, the bytes there are fetched first. After a final failure every read raises it. One thread
    at a time may read; any thread may call `close()`.
    """

    def __init__(self, parts: PartFetcher) -> None:
        super().__init__(parts.total)
        self._parts = parts

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Fill the buffer up to the end of the file; wait for missing bytes."""
        self._checkClosed()
        target = memoryview(buffer).cast("B")
        if not len(target) or self.position >= self.size:
            return 0
        count = self._parts.read_into(self.position, target)
        self.position += count
        return count

    def close(self) -> None:
        """Stop the download, and release its connections and disk space."""
        if not self.closed:
            self._parts.close()
        super().close()
