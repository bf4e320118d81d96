"""The sides and the parts of the benchmark.

A part is a function here that lets sides take turns, a module with a function `measure`, which
returns a Section, or a program whose printed figures are read: see benchmarks/printed.py.
"""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks import asking, inputs, printed, startup
from benchmarks.measure import measure
from benchmarks.process import OURS, Side
from benchmarks.rows import (
    AKS_RECIPE,
    ALL_CORES,
    COARSE,
    COARSE_OF_8,
    COARSE_ON_SPARK,
    DAFT,
    FLOOR,
    IN_THREADS,
    NAIVE,
    NAIVE_HALF,
    NAIVE_OPENCV,
    ON_SPARK,
    ONE_CORE,
    OURSELVES,
    PACKED_FLOOR,
    RAY,
    TORCHCODEC,
    Row,
)
from benchmarks.scope import HALF, Scope, all_cores, one_core
from benchmarks.section import Section
from spark_keyframes.demo import MODEL, MODELS

_SCAN = ("--scan", "coarse")
_OURS = Side(OURSELVES, "ours", OURS, HALF)
_COARSE = Side(COARSE, "ours", OURS, HALF, _SCAN)
_ON_SPARK = Side(ON_SPARK, "ours_spark", OURS, HALF)
_COARSE_ON_SPARK = Side(COARSE_ON_SPARK, "ours_spark", OURS, HALF, _SCAN)
_IN_THREADS = Side(IN_THREADS, "ours", OURS, HALF, ("--decoder", "thread"))
_FLOOR = Side(FLOOR, "floor", precision=HALF)
_PACKED_FLOOR = Side(PACKED_FLOOR, "floor", OURS, HALF, ("--packed",))
_NAIVE_HALF = Side(NAIVE_HALF, "naive_spark", precision=HALF)
_NAIVE_OPENCV = Side(NAIVE_OPENCV, "naive_spark", precision=HALF, options=("--way", "opencv"))
_WORK = [
    _OURS,
    _COARSE,
    _FLOOR,
    _PACKED_FLOOR,
    Side(NAIVE, "naive_spark"),
    _NAIVE_HALF,
    _NAIVE_OPENCV,
    Side(AKS_RECIPE, "aks_recipe"),
]
_WALL = [
    _OURS,
    _ON_SPARK,
    _COARSE,
    _COARSE_ON_SPARK,
    _NAIVE_HALF,
    _NAIVE_OPENCV,
    Side(DAFT, "daft_udf", precision=HALF),
    Side(RAY, "ray_data", precision=HALF),
]
_DECODED = ["720p", "1080p", "720p-gop2s"]
_COARSE_DECODING = Side(
    COARSE, "ours", OURS, options=(*_SCAN, "--decoder", "thread"), model=MODELS / MODEL
)
_DECODING = [
    Side(OURSELVES, "decode_ours", OURS),
    Side(TORCHCODEC, "decode_torchcodec"),
    Side("decord get_batch", "decode_decord"),
    Side("OpenCV grab, retrieve", "decode_opencv"),
    Side("PyAV every frame", "decode_pyav"),
    # The scores decide what a coarse scan decodes, so it is measured with the scoring: by the tiny
    # CLIP, which takes little. Two minutes have 120 candidates: 32 keyframes, the default, leave
    # little to pass over.
    _COARSE_DECODING,
    replace(
        _COARSE_DECODING,
        name=COARSE_OF_8,
        options=(*_COARSE_DECODING.options, "--frames", "8"),
    ),
]


def _decoding(scope: Scope) -> list[Row]:
    videos = scope.made(scope.kinds if scope.quick else _DECODED, scope.minutes)
    clips = inputs.h264_clips(scope.videos)
    videos |= {path.name: path for path in (clips[:1] if scope.quick else clips)}
    return measure(_DECODING, videos, scope, cores=one_core())


def _work(scope: Scope) -> list[Row]:
    return measure(_WORK, scope.made(scope.kinds, scope.minutes), scope, cores=one_core())


def _wall(scope: Scope) -> list[Row]:
    return _undisturbed(_WALL, scope, scope.minutes)


def _wall_long(scope: Scope) -> list[Row]:
    return _undisturbed(_WALL, scope, scope.long_minutes)


def _short(scope: Scope) -> list[Row]:
    return _many([_OURS, _ON_SPARK], scope)


def _isolation(scope: Scope) -> list[Row]:
    sides = [_OURS, _IN_THREADS]
    return _undisturbed(sides, scope, scope.minutes) + _many(sides, scope)


def _long(scope: Scope) -> list[Row]:
    videos = scope.made(scope.kinds, scope.long_minutes)
    return measure([_OURS, _FLOOR, _PACKED_FLOOR], videos, scope, cores=one_core())


def _hour(scope: Scope) -> list[Row]:
    videos = scope.made(scope.kinds[:1], scope.hour_minutes)
    return measure([_OURS, _COARSE], videos, scope, cores=one_core())


def _hours(scope: Scope) -> list[Row]:
    # The short one first, because it leaves little in memory.
    kind = scope.kinds[-1:]
    videos = scope.made(kind, scope.minutes) | scope.made(kind, scope.hours_minutes)
    rows = []
    for name, cores in ((ONE_CORE, one_core()), (ALL_CORES, all_cores())):
        rows += measure([Side(name, "ours", OURS, HALF)], videos, scope, rounds=1, cores=cores)
    return rows


def _undisturbed(sides: list[Side], scope: Scope, minutes: int) -> list[Row]:
    """Measure wall clock on all cores."""
    videos = scope.made(scope.kinds, minutes)
    return measure(sides, videos, scope, cores=all_cores(), tries=scope.tries)


def _many(sides: list[Side], scope: Scope) -> list[Row]:
    """Measure many short videos as one job."""
    clips = inputs.real_clips(scope.videos) or [inputs.prepare_warm_up(cache=scope.cache)]
    many = [str(clip) for clip in itertools.islice(itertools.cycle(clips), scope.clips)]
    title: dict[str, Path] = {f"{scope.clips} clips": clips[0]}
    return measure(sides, title, scope, cores=all_cores(), together=many)


@dataclass(frozen=True)
class Part:
    """A part of the benchmark."""

    about: str
    """what it measures, for the command line"""
    minutes: float
    """that it takes about, in three rounds on two quiet cores"""
    measure: Callable[[Scope], list[Row] | Section]
    """measures what is not measured yet"""


def _module(name: str) -> Callable[[Scope], Section]:
    def measure_it(scope: Scope) -> Section:
        scope.check_time()
        found: Section = importlib.import_module(f"benchmarks.{name}").measure(scope)
        return found

    return measure_it


PARTS = {
    "decoding": Part("decode the candidates of all inputs and clips, one thread", 9, _decoding),
    "wall-long": Part("wall clock for 20 minutes of 720p and 1080p, all cores", 55, _wall_long),
    "hours": Part("2 and 120 minutes of 1080p, once: memory, use of the cores", 16, _hours),
    "work": Part("CPU time for 2 minutes of 720p and 1080p, one core", 15, _work),
    "wall": Part("wall clock for 2 minutes of 720p and 1080p, all cores", 10, _wall),
    "hour": Part("CPU time for 60 minutes of 720p, exhaustive and coarse, one core", 13, _hour),
    "scan": Part("what a coarse scan keeps of the gain", 5, _module("scan")),
    "doubt": Part("a film with repeated packets, and the same without", 2, _module("doubt")),
    "short-clips": Part("clips of 2 s, one core", 4, printed.SHORT_CLIPS),
    "codecs": Part("other codecs beside a full decode", 4, _module("codecs")),
    "pixels": Part("where the time of a frame's pixels goes", 3, printed.PIXELS),
    "texts": Part("three texts beside one, one core", 7, asking.texts),
    "search": Part("a search over 1,000,000 made-up candidates", 3, asking.search),
    "questions": Part("ten questions to 20 minutes and to their index", 7, asking.questions),
    "startup": Part("from an action to its row in a new Python worker", 3, startup.measure),
    "short": Part("200 clips by the engine, alone and on Spark", 8, _short),
    "isolation": Part("decoding in child processes and in threads", 9, _isolation),
    "long": Part("CPU time for 20 minutes beside the floors, one core", 24, _long),
}
"""By name, in the order of measurement: the goals that matter most come first."""
