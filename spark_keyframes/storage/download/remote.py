"""What the storages that are reached over a network have in common: requests, and retries."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Protocol, TypeVar

from spark_keyframes.errors import KeyframesError
from spark_keyframes.storage import base
from spark_keyframes.storage.base import backoff
from spark_keyframes.storage.download.meter import Meter

T = TypeVar("T")

_LONGEST_WAIT = 30.0  # seconds: what a server's Retry-After may cost a task
FIRST = 4 << 20  # bytes of the first request; an object that is no longer needs no other
BLOCK = 256 << 10  # bytes that become readable at a time, and that the video reader asks for


class Interrupted(Exception):  # noqa: N818 -- a turn in the path, which never reaches the user
    """A transfer broke in a way that another attempt may mend.

    `error` gives what to raise where no attempt is left, from how many there were; `wait` are the
    seconds that the server asked for.
    """

    def __init__(self, error: Callable[[int], KeyframesError], *, wait: float = 0.0) -> None:
        super().__init__("interrupted")
        self.error, self.wait = error, wait


@dataclass(frozen=True)
class Part:
    """Which bytes of an object an answer holds."""

    start: int
    stop: int
    total: int
    """Bytes of the whole object."""
    version: str
    """Tells this state of the object from any other; empty where the server does not."""


@dataclass(frozen=True)
class Answer:
    """What one request brings."""

    blocks: Iterator[bytes]
    """The body. Raises `Interrupted` where it breaks or ends early."""
    close: Callable[[], None]
    """Lets the connection go; to be called by the thread that reads."""
    part: Part | None = None
    """None: it is the whole object, of a length that may be unknown."""
    length: int | None = None
    """Bytes of the body, where it is announced."""


class Remote(Protocol):
    """One object on a server."""

    url: str

    def get(self, start: int, stop: int | None, version: str = "") -> Answer:
        """Request the bytes from `start` up to `stop`, or all where `stop` is None.

        The answer may be the whole object where no version is asked for, and may end before
        `stop` at the object's end. With a version it is a part of the object in that state.
        Raises `Interrupted`, or a `KeyframesError` where another attempt would mend nothing.
        """
        ...

    def verify(self, whole: Iterator[bytes]) -> None:
        """Check the parts that came, now all of the object, against its checksum if there is one.

        `whole` reads the object once more. Raises `SourceReadError`.
        """
        ...

    def close(self) -> None:
        """Let go of all connections."""
        ...


def retried(attempt: Callable[[], T], sleep: Callable[[float], object], meter: Meter) -> T:
    """Return what `attempt` returns, after several tries where it raises `Interrupted`.

    No wait between them goes beyond the end that `meter` sets.
    """
    for number in range(base.ATTEMPTS):
        try:
            return attempt()
        except Interrupted as interrupted:
            if number + 1 == base.ATTEMPTS:
                # `from None`: the exceptions of requests carry the URL with its query.
                raise interrupted.error(number + 1) from None
            meter.restart()
            wait = max(min(interrupted.wait, _LONGEST_WAIT), backoff(number))
            sleep(max(0.0, min(wait, meter.seconds_left())))
    raise AssertionError("unreachable")


def retry_after(headers: Mapping[str, str]) -> float:
    """Return for how many seconds the server asked to be left alone, by a number or a date."""
    value = headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):  # no date, or one that no clock shows
        return 0.0
