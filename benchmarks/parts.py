"""The sides and the parts of the benchmark.

A part is a function here that lets sides take turns, or a module of its own: see MODULES, and
benchmarks/section.py for what such a module must have.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

from benchmarks import asking, inputs
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
    Row,
)
from benchmarks.scope import HALF, Scope, all_cores, one_core

_OURS = Side(OURSELVES, "ours", OURS, HALF)
_ON_SPARK = Side(ON_SPARK, "ours_spark", OURS, HALF)
_IN_THREADS = Side(IN_THREADS, "ours", OURS, HALF, ("--decoder", "thread"))
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


def _decoding(scope: Scope) -> list[Row]:
    videos = scope.made(inputs.KINDS, scope.minutes)
    videos |= {path.name: path for path in inputs.h264_clips(scope.videos)}
    return measure(_DECODING, videos, scope.rounds, cores=one_core(), cache=scope.cache)


def _work(scope: Scope) -> list[Row]:
    videos = scope.made(scope.kinds, scope.minutes)
    return measure(_WORK, videos, scope.rounds, cores=one_core(), cache=scope.cache)


def _wall(scope: Scope) -> list[Row]:
    return _undisturbed(_WALL, scope)


def _short(scope: Scope) -> list[Row]:
    return _many([_OURS, _ON_SPARK], scope)


def _isolation(scope: Scope) -> list[Row]:
    sides = [_OURS, _IN_THREADS]
    return _undisturbed(sides, scope) + _many(sides, scope)


def _long(scope: Scope) -> list[Row]:
    videos = scope.made(["720p", "1080p"], scope.long_minutes)
    sides = [_OURS, _FLOOR, _PACKED_FLOOR]
    return measure(sides, videos, 1, cores=one_core(), cache=scope.cache)


def _hours(scope: Scope) -> list[Row]:
    # The short one first, because it leaves little in memory.
    videos = scope.made(["1080p"], 2) | scope.made(["1080p"], 120)
    rows = []
    for name, cores in ((ONE_CORE, one_core()), (ALL_CORES, all_cores())):
        side = Side(name, "ours", OURS, HALF)
        rows += measure([side], videos, 1, cores=cores, cache=scope.cache)
    return rows


def _undisturbed(sides: list[Side], scope: Scope) -> list[Row]:
    """Measure wall clock on all cores."""
    videos, cores = scope.made(scope.kinds, scope.minutes), all_cores()
    return measure(sides, videos, scope.rounds, cores=cores, cache=scope.cache, tries=scope.tries)


def _many(sides: list[Side], scope: Scope) -> list[Row]:
    """Measure many short videos as one job."""
    cache = scope.cache
    clips = inputs.real_clips(scope.videos) or [inputs.prepare_warm_up(cache=cache)]
    many = [str(clip) for clip in itertools.islice(itertools.cycle(clips), _SHORT_VIDEOS)]
    title = {f"{_SHORT_VIDEOS} clips": clips[0]}
    rounds = min(scope.rounds, 3)
    return measure(sides, title, rounds, cores=all_cores(), cache=cache, together=many)


MEASURES: dict[str, Callable[[Scope], list[Row]]] = {
    "decoding": _decoding,
    "work": _work,
    "wall": _wall,
    "short": _short,
    "long": _long,
    "hours": _hours,
    "isolation": _isolation,
    "texts": asking.texts,
    "questions": asking.questions,
    "search": asking.search,
}
"""Measured side by side; "startup" has its own way."""

MODULES = {
    "doubt": "benchmarks.doubt",
    "scan": "benchmarks.scan",
    "short-clips": "benchmarks.short_clips",
    "codecs": "benchmarks.codecs",
    "pixels": "benchmarks.pixels",
}
"""Modules with a function `measure(scope) -> Section`; one that is missing is reported as such."""
