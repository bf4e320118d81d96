"""Measures what further questions cost: several texts of one decode, and an index."""

from __future__ import annotations

from benchmarks import inputs, made_up_index
from benchmarks.measure import Job, lacks, measure, take_turns
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
            Side(OURSELVES, "ours", OURS, precision, model=model),
            Side(THREE_TEXTS, "ours", OURS, precision, _TEXTS, model),
        ]
        made = scope.made(scope.kinds, scope.minutes)
        videos = {f"{video}, {title}": path for video, path in made.items()}
        rows += measure(sides, videos, scope, cores=one_core())
    return rows


def questions(scope: Scope) -> list[Row]:
    """Ten questions to a video of 720p, and to its index."""
    model = inputs.prepare_clip(scope.cache)
    transforms = Side(TRANSFORMS, "ours_index", OURS, HALF, ("--way", "transform"))
    sides = [
        Side(INDEX_TEN, "ours_index", OURS, HALF, ("--way", "transform_index")),
        Side(INDEX_ARRAY, "ours_index", OURS, HALF, ("--way", "array")),
    ]
    rows = []
    for title, video in scope.made(scope.kinds[:1], scope.long_minutes).items():
        job, warm_up = (
            Job({"video": str(path), "index": str(scope.cache / f"index-{path.stem}")})
            for path in (video, inputs.prepare_warm_up(cache=scope.cache))
        )
        if lacks(sides, [title], scope):
            maker = Side("", "ours_index", OURS, HALF, ("--way", "make"))
            with Process(maker, model=model, cache=scope.cache, cores=all_cores()) as process:
                process.work(**warm_up)
                process.work(**job)
        # Once: they take long, and the goal is a hundredth of them.
        rows += take_turns(
            [transforms], {title: job}, scope, cores=all_cores(), warm_up=warm_up, rounds=1
        )
        rows += take_turns(sides, {title: job}, scope, cores=all_cores(), warm_up=warm_up)
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
    jobs = {f"{scope.candidates:,} candidates": Job({"index": str(index)})}
    # The JVM compiles its code meanwhile: the first time does not count.
    (warm_up,) = jobs.values()
    return take_turns(sides, jobs, scope, cores=all_cores(), warm_up=warm_up)
