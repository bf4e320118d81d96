"""How much to measure, where the videos are, and until when."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks import inputs
from benchmarks.record import Record

HALF = "bfloat16"


class OutOfTimeError(Exception):
    """The time of this call is used; the next one goes on from here."""


@dataclass(frozen=True)
class Scope:
    """The amount to measure, and the folders of the videos."""

    record: Record = field(default_factory=Record)
    """where the part keeps its measurements; by default nowhere"""
    kinds: list[str] = field(default_factory=lambda: ["720p", "1080p"])
    rounds: int = 3
    tries: int = 3
    """repetitions of a measurement of wall clock that other programs disturb"""
    minutes: int = 2
    long_minutes: int = 20
    hour_minutes: int = 60
    hours_minutes: int = 120
    """of the videos of short and of longer and longer measurements"""
    clips: int = 200
    """of the measurements of many clips"""
    candidates: int = 1_000_000
    """of the index that is searched"""
    cache: Path = inputs.CACHE
    videos: Path = inputs.VIDEOS
    deadline: float = float("inf")
    """by time.monotonic(), after which no measurement begins"""
    quick: bool = False
    """only to see that everything runs: as small as possible"""

    def smallest(self) -> Scope:
        """Return the smallest scope in which everything runs."""
        return replace(
            self,
            kinds=["tiny"],
            rounds=1,
            tries=1,
            minutes=1,
            long_minutes=1,
            hour_minutes=2,
            hours_minutes=2,
            clips=3,
            candidates=2000,
            quick=True,
        )

    def made(self, kinds: Iterable[str], minutes: int) -> dict[str, Path]:
        """Return videos of these kinds and length, by title."""
        return {
            f"{kind} {minutes} min": inputs.prepare(
                inputs.KINDS[kind], minutes, cache=self.cache, videos=self.videos
            )
            for kind in kinds
        }

    def check_time(self) -> None:
        """Raise OutOfTimeError if no further measurement should begin."""
        if time.monotonic() > self.deadline:
            raise OutOfTimeError


def one_core() -> set[int]:
    """Return the core that is used where one is."""
    return {max(os.sched_getaffinity(0))}


def all_cores() -> set[int]:
    """Return the cores of this process."""
    return os.sched_getaffinity(0)
