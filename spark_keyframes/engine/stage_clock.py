"""Adds the seconds of each stage of a video to its account."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from spark_keyframes.account import Account


class StageClock:
    """Knows in which stage a video is, and since when."""

    def __init__(self, account: Account) -> None:
        self.stage = "open"
        """where the video is, or where it ended"""
        self._account = account
        self._began = time.perf_counter()

    def start(self) -> None:
        """Begin to count, in the first stage."""
        self._began = time.perf_counter()

    def enter(self, stage: str) -> None:
        """Begin a stage: errors from now on belong to it, and so do the seconds."""
        now = time.perf_counter()
        self._account.seconds[self.stage] += now - self._began
        self.stage, self._began = stage, now

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Wait for the scorer, whose thread adds the seconds of "clip"; these are others."""
        self.enter("clip")
        began = self._began
        yield
        waited = time.perf_counter() - began
        self._account.waited += waited
        self._began += waited
