"""The goals of the parts whose sides take turns; parts that are modules bring their own."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.rows import (
    AKS_RECIPE,
    ALL_CORES,
    COARSE,
    COARSE_OF_8,
    COARSE_ON_SPARK,
    DAFT,
    FLOOR,
    IN_THREADS,
    INDEX_ARRAY,
    INDEX_TEN,
    NAIVE,
    NAIVE_HALF,
    NAIVE_OPENCV,
    ON_SPARK,
    ONE_CORE,
    OURSELVES,
    RAY,
    READING,
    SEARCHING,
    THREE_TEXTS,
    TORCHCODEC,
    TRANSFORMS,
    Group,
    Row,
    ratio_of_sums,
)
from benchmarks.section import Goal, at_least, at_most


@dataclass(frozen=True)
class Ratio:
    """A ratio that every video of a group must reach: the side's figure by the base's."""

    text: str
    side: str
    base: str
    at_least: float
    of: Callable[[Row, Row], float] = Row.cpu_to


_RATIOS = {
    "work": [
        Ratio("CPU time of the plain Spark UDF, float32", NAIVE, OURSELVES, 3),
        Ratio("… bfloat16", NAIVE_HALF, OURSELVES, 2),
        Ratio("… bfloat16, with OpenCV", NAIVE_OPENCV, OURSELVES, 2),
        Ratio("CPU time of the AKS recipe", AKS_RECIPE, OURSELVES, 4),
    ],
    "wall": [
        Ratio("wall clock of Daft, to ours on Spark", DAFT, ON_SPARK, 2, Row.wall_to),
        Ratio("wall clock of Ray Data, to ours on Spark", RAY, ON_SPARK, 2, Row.wall_to),
    ],
    "wall-long": [
        Ratio("wall clock of Daft, exhaustive", DAFT, OURSELVES, 1.8, Row.wall_to),
        Ratio("… on Spark", DAFT, ON_SPARK, 1.8, Row.wall_to),
        Ratio("wall clock of Daft, coarse", DAFT, COARSE, 4, Row.wall_to),
        Ratio("… on Spark", DAFT, COARSE_ON_SPARK, 4, Row.wall_to),
        Ratio(
            "wall clock of a plain Spark UDF, to ours on Spark",
            NAIVE_HALF,
            ON_SPARK,
            2,
            Row.wall_to,
        ),
        Ratio("… with OpenCV", NAIVE_OPENCV, ON_SPARK, 2, Row.wall_to),
        Ratio("wall clock of Ray Data, to ours on Spark", RAY, ON_SPARK, 2, Row.wall_to),
    ],
    "isolation": [
        Ratio(
            "CPU time of decoding in threads, to child processes", IN_THREADS, OURSELVES, 1 / 1.03
        ),
        Ratio("… wall clock", IN_THREADS, OURSELVES, 1 / 1.03, Row.wall_to),
    ],
}


def goals_of(group: Group) -> list[Goal]:
    """Return the goals of a part; those whose sides have no figures are not measured."""
    found = _to_the_floor(group) if group.kind in ("work", "long") else []
    found += [_ratio_goal(group, ratio) for ratio in _RATIOS.get(group.kind, [])]
    more = _MORE.get(group.kind)
    return found + (more(group) if more else [])


def _ratio_goal(group: Group, ratio: Ratio) -> Goal:
    text = ratio.text
    if group.kind == "wall-long":
        text = f"{text}, {', '.join(dict.fromkeys(v.split(' ', 1)[1] for v in group.videos))}"
    values = [ratio.of(row, base) for row, base in group.pairs(ratio.side, ratio.base)]
    if not values:
        return Goal(text, f"≥ {ratio.at_least:.2f}")
    goal = at_least(text, min(values), ratio.at_least, _floor_note(group, ratio))
    return goal if len(values) == 1 else _with_range(goal, values)


def _with_range(goal: Goal, values: list[float]) -> Goal:
    measured = " – ".join(dict.fromkeys(f"{value:.2f}" for value in (min(values), max(values))))
    return Goal(goal.text, goal.bound, measured, goal.verdict, goal.note)


def _floor_note(group: Group, ratio: Ratio) -> str:
    """Return the floor's own ratio: a goal above it is out of reach on these inputs."""
    values = [row.cpu_to(floor) for row, floor in group.pairs(ratio.side, FLOOR)]
    return f"the floor itself: {min(values):.2f}" if values else ""


def _to_the_floor(group: Group) -> list[Goal]:
    return [
        at_most(f"CPU time to the floor, {ours.video}", ours.cpu_to(floor), 1.1)
        for ours, floor in group.pairs(OURSELVES, FLOOR)
    ]


def _decoding(group: Group) -> list[Goal]:
    found = []
    for side in group.sides:
        if side in (OURSELVES, COARSE, COARSE_OF_8):
            continue
        pairs = group.pairs(side, OURSELVES)
        limit = 1.6 if side == TORCHCODEC else 1.7
        if not pairs:
            found.append(Goal(f"decoding: {side}", f"≥ {limit:.2f}"))
            continue
        found.append(at_least(f"decoding: {side}, sum of all videos", ratio_of_sums(pairs), limit))
        worst = min(row.cpu_to(ours) for row, ours in pairs)
        found.append(at_least(f"decoding: {side}, worst video", worst, 1.0))
    note = "the scan includes the tiny CLIP's scoring"
    for side, text in (
        (COARSE, f"decoding: {TORCHCODEC}, sum of all videos, to a coarse scan of 32 keyframes"),
        (COARSE_OF_8, "… of 8 keyframes"),
    ):
        pairs = group.pairs(TORCHCODEC, side)
        goal = at_least(text, ratio_of_sums(pairs), 5.0, note) if pairs else Goal(text, "≥ 5.00")
        found.append(goal)
    return found


def _hour(group: Group) -> list[Goal]:
    found = []
    for video in group.videos:
        text = f"CPU time of a coarse scan to an exhaustive one, {video}, one core"
        ours, coarse = group.row(OURSELVES, video), group.row(COARSE, video)
        if ours.costs and coarse.costs:
            found.append(at_most(text, coarse.cpu_to(ours), 0.35))
        else:
            found.append(Goal(text, "≤ 0.35"))
    return found


def _texts(group: Group) -> list[Goal]:
    found = []
    for one, three in group.pairs(OURSELVES, THREE_TEXTS):
        decoded = [row.costs[-1].result["decoded"] for row in (one, three)]
        goal = at_most(
            f"CPU time of three texts to one, {one.video}",
            three.cpu_to(one),
            1.1,
            f"{decoded[1]} frames decoded for three, {decoded[0]} for one",
        )
        if decoded[0] != decoded[1]:
            goal = Goal(goal.text, goal.bound, goal.measured, "not reached", goal.note)
        found.append(goal)
    return found


def _questions(group: Group) -> list[Goal]:
    return [
        at_most(
            f"CPU time of ten questions, {side}, to ten transforms, {row.video}",
            row.cpu_to(transforms),
            0.01,
            form=".2%",
        )
        for side in (INDEX_TEN, INDEX_ARRAY)
        for row, transforms in group.pairs(side, TRANSFORMS)
    ]


def _search(group: Group) -> list[Goal]:
    found = []
    for searching, reading in group.pairs(SEARCHING, READING):
        wall, cpu = searching.wall_to(reading), searching.cpu_to(reading)
        worker = max(cost.result["worker_mb"] for cost in searching.costs)
        text = f"wall clock of a search to reading alone, {searching.video}"
        found += [
            at_most(text, wall, 2, f"of CPU time {cpu:.2f}"),
            at_most("memory of a Python worker that searches, MB", worker, 1000, form=".0f"),
        ]
    return found


def _hours(group: Group) -> list[Goal]:
    cores = len(os.sched_getaffinity(0))
    short, long = group.videos
    scaling = f"one video, {cores} cores against one, {long}"
    memory = f"peak memory of {long} to {short}"
    one, every = group.row(ONE_CORE, long), group.row(ALL_CORES, long)
    first = group.row(ALL_CORES, short)
    if not (one.costs and every.costs and first.costs):
        return [Goal(scaling, "≥ 1.85"), Goal(memory, "≤ 1.15")]
    note = f"{every.resident_mb:.0f} MB with pages of files"
    return [
        at_least(scaling, one.wall_to(every), 1.85),
        at_most(memory, every.peak_mb / first.peak_mb, 1.15),
        at_most("… of all processes together", every.together_mb / first.together_mb, 1.15),
        at_most(f"peak memory of {long}, MB", every.peak_mb, 1500, note, form=".0f"),
    ]


def _short(group: Group) -> list[Goal]:
    text, (video,) = "Spark around the engine, many short videos", group.videos
    ours, on_spark = group.row(OURSELVES, video), group.row(ON_SPARK, video)
    if not (ours.costs and on_spark.costs):
        return [Goal(text, "≤ 5.0%")]
    cpu = on_spark.cpu_to(ours) - 1
    return [at_most(text, on_spark.wall_to(ours) - 1, 0.05, f"of CPU time {cpu:.1%}", form=".1%")]


_MORE = {
    "decoding": _decoding,
    "hour": _hour,
    "texts": _texts,
    "questions": _questions,
    "search": _search,
    "hours": _hours,
    "short": _short,
}
