"""Turns of videos that share one CPU."""

from __future__ import annotations

import threading
from contextlib import ExitStack

from spark_keyframes.video.source import Source

_MAX_WAIT_SECONDS = 0.1


class Turns:
    """Lets one video at a time decode and be scored, if `is_needed`.

    Otherwise, two decode processes and the scorer evict each other's data from the CPU's caches.
    Nobody waits for long: a video that takes longer goes on beside the others.
    """

    def __init__(self, *, is_needed: bool) -> None:
        self._is_needed = is_needed
        self._lock = threading.Lock()

    def take(self, source: Source) -> ExitStack:
        """Wait for the turn of a video; close the result to end it.

        A video whose bytes are still to come has no turn: the others would wait for its network.
        """
        turn = ExitStack()
        if self._is_needed and source.is_at_hand and self._lock.acquire(timeout=_MAX_WAIT_SECONDS):
            turn.callback(self._lock.release)
        return turn
