"""Storing an object again and again: as long as that may help, but not for ever."""

import itertools
import threading
import time
from collections.abc import Callable

from spark_keyframes.storage.base import backoff
from spark_keyframes.storage.download.remote import Interrupted

# Seconds for one object. Where an image is given up, all of its video's decoding is lost, so an
# outage of a few minutes is waited for; one that lasts should be seen before the job's end.
PATIENCE = 300.0


def stored(put: Callable[[], None], cancelled: threading.Event) -> None:
    """Call `put` until it raises `Interrupted` no more, patience ends or `cancelled` is set.

    The waits are 0.5, 1, 2, … and at last 16 s long, each with jitter and on top of what the
    server asked for. If that would go beyond the patience, the error is raised at once. An attempt
    that was begun is not cut off: with it, `PATIENCE` may be exceeded by its timeouts.
    """
    give_up = time.monotonic() + PATIENCE
    for number in itertools.count():
        try:
            return put()
        except Interrupted as interrupted:
            wait = interrupted.wait + backoff(min(number, 5))
            if time.monotonic() + wait > give_up or cancelled.wait(wait):
                # `from None`: the exceptions of requests carry the URL with its query.
                raise interrupted.error(number + 1) from None
    raise AssertionError("unreachable")
