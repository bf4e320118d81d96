"""The interface of a file on a server, the check of its answers, and the retries of requests."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

from spark_keyframes.errors import SourceReadError
from spark_keyframes.redaction import redact_url
from spark_keyframes.storage.download.meter import Meter
from spark_keyframes.storage.retry import TransientError, backoff, retry

T = TypeVar("T")

ATTEMPTS = 4  # per transfer, the first included; the waits between them are about 0.5, 1 and 2 s
_LONGEST_WAIT = 30.0  # seconds of a server's Retry-After that are respected
FIRST_PART = 4 << 20  # bytes of the first request; a file of this size needs no other
BLOCK = 256 << 10  # bytes that become readable at a time, and that the video reader requests
# At most 19 digits: int() raises for very long numbers.
_RANGE = re.compile(r"bytes ([0-9]{1,19})-([0-9]{1,19})/([0-9]{1,19})")


@dataclass(frozen=True)
class Part:
    """The range of bytes that an answer holds."""

    start: int
    stop: int
    total: int
    """Bytes of the whole file."""
    version: str
    """Identifies this state of the file; empty if the server gives no identifier."""


def requested_part(
    content_range: str, length: int | None, start: int, stop: int, version: str
) -> Part | None:
    """Return the part that an answer announces, or None if it is not the requested one.

    Args:
        content_range: the Content-Range header.
        length: the announced bytes of the body, or None.
        start: the first requested byte.
        stop: the end of the requested bytes. A part ends at the end of the file too.
        version: identifies the state of the file, see `Part`.
    """
    match = _RANGE.fullmatch(content_range.strip())
    if not match:
        return None
    first, last, total = map(int, match.groups())
    if (first, last + 1) != (start, min(stop, total)) or first > last:
        return None
    return Part(start, last + 1, total, version) if length in (None, last + 1 - start) else None


@dataclass(frozen=True)
class Answer:
    """The answer to one request. Read it through `body`."""

    blocks: Iterator[bytes]
    """The body as it was sent. Raises TransientError if the connection breaks."""
    close: Callable[[], None]
    """Releases the connection. Called by the thread that reads the body."""
    part: Part | None = None
    """None: the body is the whole file, whose length may be unknown."""
    length: int | None = None
    """Announced bytes of the body, or None."""
    decompress: Callable[[Iterator[bytes]], Iterator[bytes]] | None = None
    """Decompresses the body. None if it is not compressed."""

    def body(self, url: str, meter: Meter) -> Iterator[bytes]:
        """Yield the body, see `complete`, without its compression.

        The bytes are counted as they were sent: compressed ones may expand to nothing, without end.

        The length is known if the answer is a part or announces its length. Otherwise a body that
        ends when the server closes the connection cannot be told from one that broke off.
        """
        length = self.part.stop - self.part.start if self.part else self.length
        blocks = complete(self.blocks, length, url)
        return self.decompress(measured(blocks, meter)) if self.decompress else blocks


def measured(blocks: Iterable[bytes], meter: Meter) -> Iterator[bytes]:
    """Yield the blocks of a whole object, and check their bytes and the time."""
    size = 0
    for block in blocks:
        size += len(block)
        meter.check_size(size)
        meter.check_time()
        yield block


def complete(blocks: Iterable[bytes], length: int | None, url: str) -> Iterator[bytes]:
    """Yield the blocks of a transfer, and compare their bytes with those it must have.

    Every transfer passes through here, whatever the storage promises.

    Args:
        blocks: the transfer.
        length: the bytes that it must have, or None if nobody knows.
        url: for messages.

    Raises:
        TransientError: it has fewer bytes, as after a lost connection.
        SourceReadError: it has more. No byte beyond the length is yielded.
    """
    received = 0
    for block in blocks:
        received += len(block)
        if length is not None and received > length:
            raise SourceReadError(
                f"the server of {redact_url(url)} sent more than the {length} bytes that it "
                "announced; try again, or copy the video to another server"
            )
        yield block
    if length not in (None, received):
        raise TransientError(
            lambda attempts: SourceReadError(
                f"could not read all of {redact_url(url)} in {attempts} attempts: the body is "
                f"incomplete, received {received} of {length} bytes; check the server, and the "
                "network between it and the executors"
            )
        )


class RemoteFile(Protocol):
    """One file on a server."""

    url: str

    def get(self, start: int, stop: int | None, version: str = "") -> Answer:
        """Request the bytes from `start` up to `stop`, or all bytes if `stop` is None.

        Without `version` the answer may be the whole file, and a part ends at the end of the file.
        With `version` the answer is a part of the file in that state.

        Raises:
            TransientError: another attempt may succeed.
            KeyframesError: another attempt would fail too.
        """
        ...

    def verify(self, content: Iterator[bytes]) -> None:
        """Check the received parts, now complete, against the file's checksum if there is one.

        Args:
            content: reads the whole file again.

        Raises:
            SourceReadError: the checksum differs.
        """
        ...

    def close(self) -> None:
        """Close all connections."""
        ...


def retry_download(attempt: Callable[[], T], sleep: Callable[[float], object], meter: Meter) -> T:
    """Return the result of `attempt`, called up to `ATTEMPTS` times while it fails transiently.

    No wait between the attempts goes beyond the deadline of `meter`.
    """

    def wait(number: int, asked: float) -> bool:
        if number + 1 == ATTEMPTS:
            return False
        meter.restart_window()
        seconds = max(min(asked, _LONGEST_WAIT), backoff(number))
        sleep(max(0.0, min(seconds, meter.seconds_left())))
        return True

    return retry(attempt, wait)
