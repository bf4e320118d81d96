"""The sides and the parts of the benchmark."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import inputs
from benchmarks.measure import measure
from benchmarks.process import OURS, Side
from benchmarks.rows import (
    ALL_CORES,
    FLOOR,
    IN_THREADS,
    ON_SPARK,
    ONE_CORE,
    OURSELVES,
    PACKED_FLOOR,
    THREE_TEXTS,
    Row,
)

HALF = "bfloat16"
PARTS = ["decoding", "work", "wall", "short", "long", "hours", "isolation", "texts", "startup"]

_OURS = Side(OURSELVES, "ours", OURS, HALF)
_ON_SPARK = Side(ON_SPARK, "ours_spark", OURS, HALF)
_IN_THREADS = Side(IN_THREADS, "ours", OURS, HALF, ("--decoder", "thread"))
_TEXTS = ("--texts", "a red car on a road", "a dog", "a cup of coffee")
_FLOOR = Side(FLOOR, "floor", precision=HALF)
_PACKED_FLOOR = Side(PACKED_FLOOR, "floor", OURS, HALF, ("--packed",))
_NAIVE_HALF = Side("plain Spark pandas UDF, bfloat16", "naive_spark", precision=HALF)
_WORK = [
    _OURS,
    _FLOOR,
    _PACKED_FLOOR,
    Side("plain Spark pandas UDF, float32", "naive_spark"),
    _NAIVE_HALF,
    Side("published AKS recipe, float32", "aks_recipe"),
]
_WALL = [
    _OURS,
    _ON_SPARK,
    _NAIVE_HALF,
    Side("Daft, bfloat16", "daft_udf", precision=HALF),
    Side("Ray Data, bfloat16", "ray_data", precision=HALF),
]
_DECODING = [
    Side(OURSELVES, "decode_ours", OURS),
    Side("torchcodec get_frames_played_at", "decode_torchcodec"),
    Side("decord get_batch", "decode_decord"),
    Side("OpenCV grab, retrieve", "decode_opencv"),
    Side("PyAV every frame", "decode_pyav"),
]
_SHORT_VIDEOS = 200


@dataclass(frozen=True)
class Scope:
    """The amount to measure, and the folders of the videos."""

    kinds: list[str]
    minutes: int
    rounds: int
    tries: int
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


def measure_part(part: str, scope: Scope) -> list[Row]:
    """Return the rows of one of PARTS, other than "startup"."""
    every = os.sched_getaffinity(0)
    one = {max(every)}
    rounds, cache = scope.rounds, scope.cache
    asked = scope.made(scope.kinds, scope.minutes)
    if part == "decoding":
        videos = scope.made(inputs.KINDS, scope.minutes)
        videos |= {path.name: path for path in inputs.h264_clips(scope.videos)}
        return measure(_DECODING, videos, rounds, cores=one, cache=cache)
    if part == "work":
        return measure(_WORK, asked, rounds, cores=one, cache=cache)
    if part == "wall":
        return measure(_WALL, asked, rounds, cores=every, cache=cache, tries=scope.tries)
    if part in ("short", "isolation"):
        sides = [_OURS, _ON_SPARK if part == "short" else _IN_THREADS]
        alone = asked if part == "isolation" else {}
        rows = measure(sides, alone, rounds, cores=every, cache=cache, tries=scope.tries)
        return rows + _short(sides, scope, min(rounds, 3), every)
    if part == "texts":
        return _texts(scope, one)
    if part == "long":
        videos = scope.made(["720p", "1080p"], 20)
        return measure([_OURS, _FLOOR, _PACKED_FLOOR], videos, 1, cores=one, cache=cache)
    # The short one first, because it leaves little in memory.
    videos = scope.made(["1080p"], 2) | scope.made(["1080p"], 120)
    rows = []
    for name, cores in ((ONE_CORE, one), (ALL_CORES, every)):
        side = Side(name, "ours", OURS, HALF)
        rows += measure([side], videos, 1, cores=cores, cache=cache)
    return rows


def _texts(scope: Scope, cores: set[int]) -> list[Row]:
    """One text and three, by ViT-B/32 in both precisions and by a tiny model in float32."""
    rows = []
    for title, precision, model in (
        ("ViT-B/32, bfloat16", HALF, None),
        ("ViT-B/32, float32", "float32", None),
        ("tiny CLIP, float32", "float32", inputs.ROOT / "demo" / "tiny_clip"),
    ):
        sides = [
            Side(OURSELVES, "ours", OURS, precision),
            Side(THREE_TEXTS, "ours", OURS, precision, _TEXTS),
        ]
        videos = scope.made(scope.kinds, scope.minutes)
        videos = {f"{video}, {title}": path for video, path in videos.items()}
        rows += measure(sides, videos, scope.rounds, cores=cores, cache=scope.cache, model=model)
    return rows


def _short(sides: list[Side], scope: Scope, rounds: int, cores: set[int]) -> list[Row]:
    cache = scope.cache
    clips = inputs.real_clips(scope.videos) or [inputs.prepare_warm_up(cache=cache)]
    many = [str(clip) for clip in itertools.islice(itertools.cycle(clips), _SHORT_VIDEOS)]
    title = {f"{_SHORT_VIDEOS} clips": clips[0]}
    return measure(sides, title, rounds, cores=cores, cache=cache, together=many)
