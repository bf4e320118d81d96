"""How much to measure, and where the videos are."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import inputs

HALF = "bfloat16"


@dataclass(frozen=True)
class Scope:
    """The amount to measure, and the folders of the videos."""

    kinds: list[str]
    minutes: int
    rounds: int
    tries: int
    long_minutes: int
    """of the videos of long measurements"""
    candidates: int
    """of the index that is searched"""
    cache: Path
    videos: Path

    def made(self, kinds: Iterable[str], minutes: int) -> dict[str, Path]:
        """Return videos of these kinds and length, by title."""
        return {
            f"{kind} {minutes} min": inputs.prepare(
                inputs.KINDS[kind], minutes, cache=self.cache, videos=self.videos
            )
            for kind in kinds
        }


def one_core() -> set[int]:
    return {max(os.sched_getaffinity(0))}


def all_cores() -> set[int]:
    return os.sched_getaffinity(0)
