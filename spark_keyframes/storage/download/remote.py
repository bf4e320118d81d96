"""The interface of a file on a server, and the retries of its requests."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol, TypeVar

from spark_keyframes.storage.download.meter import Meter
from spark_keyframes.storage.retry import backoff, retry

T = TypeVar("T")

ATTEMPTS = 4  # per transfer, the first included; the waits between them are about 0.5, 1 and 2 s
_LONGEST_WAIT = 30.0  # seconds of a server's Retry-After that are respected
FIRST_PART = 4 << 20  # bytes of the first request; a file of this size needs no other
BLOCK = 256 << 10  # bytes that become readable at a time, and that the video reader requests


@dataclass(frozen=True)
class Part:
    """The range of bytes that an answer holds."""

    start: int
    stop: int
    total: int
    """Bytes of the whole file."""
    version: str
    """Identifies this state of the file; empty if the server gives no identifier."""


@dataclass(frozen=True)
class Answer:
    """The answer to one request."""

    blocks: Iterator[bytes]
    """The body. Raises TransientError if it breaks off or ends early."""
    close: Callable[[], None]
    """Releases the connection. Called by the thread that reads the body."""
    part: Part | None = None
    """None: the body is the whole file, whose length may be unknown."""
    length: int | None = None
    """Announced bytes of the body, or None."""


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
