"""Measures what further questions cost: several texts of one decode, and an index."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from benchmarks import inputs, made_up_index
from benchmarks.measure import measure, show
from benchmarks.process import OURS, Process, Side
from benchmarks.rows import (
    INDEX_ARRAY,
    INDEX_TEN,
    OURSELVES,
    READING,
    SEARCHING,
    THREE_TEXTS,
    TRANSFORMS,
    Row,
)
from benchmarks.scope import HALF, Scope, all_cores, one_core
from spark_keyframes import VideoAdaptiveKeyframesSampling
from spark_keyframes.demo import MODEL, MODELS

_Job = dict[str, Any]

_TEXTS = ("--texts", "a red car on a road", "a dog", "a cup of coffee")


def texts(scope: Scope) -> list[Row]:
    """One text and three, by ViT-B/32 in both precisions and by a tiny model in float32."""
    rows = []
    for title, precision, model in (
        ("ViT-B/32, bfloat16", HALF, None),
        ("ViT-B/32, float32", "float32", None),
        ("tiny CLIP, float32", "float32", MODELS / MODEL),
    ):
        sides = [
            Side(OURSELVES, "ours", OURS, precision),
            Side(THREE_TEXTS, "ours", OURS, precision, _TEXTS),
        ]
        made = scope.made(scope.kinds, scope.minutes)
        videos = {f"{video}, {title}": path for video, path in made.items()}
        rows += measure(
            sides, videos, scope.rounds, cores=one_core(), cache=scope.cache, model=model
        )
    return rows


def questions(scope: Scope) -> list[Row]:
    """Ten questions to the videos, and to their indexes."""
    model = inputs.prepare_clip(scope.cache)
    rows = []
    for title, video in scope.made(scope.kinds, scope.long_minutes).items():
        job, warm_up = (
            _Job({"video": str(path), "index": str(scope.cache / f"index-{path.stem}")})
            for path in (video, inputs.prepare_warm_up(cache=scope.cache))
        )
        maker = Side("", "ours_index", OURS, HALF, ("--way", "make"))
        with Process(maker, model=model, cache=scope.cache, cores=all_cores()) as process:
            process.work(**warm_up)
            process.work(**job)
        transforms = Side(TRANSFORMS, "ours_index", OURS, HALF, ("--way", "transform"))
        sides = [
            Side(INDEX_TEN, "ours_index", OURS, HALF, ("--way", "transform_index")),
            Side(INDEX_ARRAY, "ours_index", OURS, HALF, ("--way", "array")),
        ]
        # Once: they take long, and the goal is a hundredth of them.
        rows += _in_turn([transforms], title, job, replace(scope, rounds=1), warm_up=warm_up)
        rows += _in_turn(sides, title, job, scope, warm_up=warm_up)
    return rows


def search(scope: Scope) -> list[Row]:
    """Search a made-up index, and read it with Spark alone."""
    model = inputs.prepare_clip(scope.cache)
    sampler = VideoAdaptiveKeyframesSampling(
        model_path=str(model.parent), clip_model_name=model.name
    )
    info = sampler.index_info(sampler.make_module())
    cell = info.cell() | {"dimensions": made_up_index.DIMENSIONS}
    name = f"made-up-{info.revision}-{scope.candidates}"
    index = made_up_index.write(scope.cache / name, scope.candidates, cell)
    sides = [
        Side(READING, "search_index", OURS, options=("--way", "read")),
        Side(SEARCHING, "search_index", OURS, options=("--way", "search")),
    ]
    job = _Job({"index": str(index)})
    # The JVM compiles its code meanwhile: the first time does not count.
    return _in_turn(sides, f"{scope.candidates:,} candidates", job, scope, warm_up=job)


def _in_turn(
    sides: list[Side],
    title: str,
    job: _Job,
    scope: Scope,
    *,
    warm_up: _Job,
) -> list[Row]:
    """Let the sides take turns, each after a job to warm up."""
    model = inputs.prepare_clip(scope.cache)
    rows = {side.name: Row(side.name, title) for side in sides}
    with ExitStack() as stack:
        processes = {
            side.name: stack.enter_context(
                Process(side, model=model, cache=scope.cache, cores=all_cores())
            )
            for side in sides
        }
        for process in processes.values():
            process.work(**warm_up)
        for turn in range(scope.rounds):
            for name, process in processes.items():
                cost = process.work(limit=4 * 3600, **job)
                rows[name].costs.append(cost)
                show(turn, rows[name], cost)
    return list(rows.values())
