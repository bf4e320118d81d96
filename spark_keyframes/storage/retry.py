"""Retries: errors that another attempt may cure, and the waits between attempts."""

import itertools
import random
import threading
import time
from collections.abc import Callable, Mapping
from email.utils import parsedate_to_datetime
from typing import TypeVar

from spark_keyframes.errors import KeyframesError

T = TypeVar("T")

# Seconds for one upload. If an image fails, its video has been decoded in vain, so an outage of a
# few minutes is waited out. A longer outage should fail rows before the end of the job.
UPLOAD_SECONDS = 300.0


class TransientError(Exception):
    """A request failed, and another attempt may succeed.

    Args:
        final_error: returns the error to raise after the last attempt, given their number.
        wait: seconds that the server asked the client to wait.
    """

    def __init__(self, final_error: Callable[[int], KeyframesError], *, wait: float = 0.0) -> None:
        super().__init__("a request failed, and another attempt may succeed")
        self.final_error, self.wait = final_error, wait


def retry(attempt: Callable[[], T], wait: Callable[[int, float], bool]) -> T:
    """Call `attempt` until it raises no TransientError, and return its result.

    Args:
        attempt: one attempt.
        wait: called after a TransientError with the attempt's number, counted from 0, and the
            seconds that the server asked for. It waits, and returns whether to try again.

    Raises:
        KeyframesError: the `final_error` of the last attempt, or any other error of an attempt.
    """
    for number in itertools.count():
        try:
            return attempt()
        except TransientError as error:
            if not wait(number, error.wait):
                # `from None`: the exceptions of requests hold the URL with its query.
                raise error.final_error(number + 1) from None
    raise AssertionError("unreachable")


def retry_upload(put: Callable[[], None], cancelled: threading.Event) -> None:
    """Call `put` until it succeeds, `UPLOAD_SECONDS` have passed or `cancelled` is set.

    The waits are 0.5, 1, 2, … up to 16 s, with jitter, plus the seconds that the server asked for.
    A wait that would end too late is not begun. An attempt in progress is not cut off, so the total
    can be longer by its timeouts.
    """
    deadline = time.monotonic() + UPLOAD_SECONDS

    def wait(number: int, asked: float) -> bool:
        seconds = asked + backoff(min(number, 5))
        return time.monotonic() + seconds <= deadline and not cancelled.wait(seconds)

    retry(put, wait)


def backoff(number: int) -> float:
    """Return the seconds to wait after attempt `number`, counted from 0: 0.5, 1, 2, …

    Jitter of 50 % spreads the tasks that one outage stopped.
    """
    return float(0.5 * 2**number * random.uniform(0.5, 1.5))  # noqa: S311 - not a secret


def retry_after(headers: Mapping[str, str]) -> float:
    """Return the seconds of a Retry-After header, which is a number or a date; 0 for none."""
    value = headers.get("Retry-After", "").strip()
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, OverflowError):  # not a date, or outside the range of the clock
        return 0.0
