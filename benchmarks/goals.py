"""Compares the measured figures with the project's goals."""

from __future__ import annotations

import os
from dataclasses import dataclass

from benchmarks.rows import (
    ALL_CORES,
    FLOOR,
    IN_THREADS,
    INDEX_ARRAY,
    INDEX_TEN,
    ON_SPARK,
    ONE_CORE,
    OURSELVES,
    READING,
    SEARCHING,
    THREE_TEXTS,
    TRANSFORMS,
    Group,
)
from benchmarks.startup import DAEMON, Start


@dataclass(frozen=True)
class Goal:
    """A ratio of figures that every video of a group must reach."""

    text: str
    group: str
    side: str
    """the side whose figure is divided by spark_keyframes' own"""
    at_least: float
    wall: bool = False
    base: str = ""
    """the side of spark_keyframes; default: on Spark for wall clock, else without Spark"""


_GOALS = [
    Goal("CPU time of the plain Spark UDF, float32", "work", "plain Spark pandas UDF, float32", 3),
    Goal("… bfloat16", "work", "plain Spark pandas UDF, bfloat16", 2),
    Goal("CPU time of the AKS recipe", "work", "published AKS recipe, float32", 4),
    Goal("wall clock of Daft, to ours on Spark", "wall", "Daft, bfloat16", 2, wall=True),
    Goal("wall clock of Ray Data, to ours on Spark", "wall", "Ray Data, bfloat16", 2, wall=True),
    Goal("CPU time of decoding in threads, to child processes", "isolation", IN_THREADS, 1 / 1.03),
    Goal("… wall clock", "isolation", IN_THREADS, 1 / 1.03, wall=True, base=OURSELVES),
]


def goals_table(groups: dict[str, Group], starts: dict[str, Start]) -> str:
    """Return the goals beside the measured figures, as a table."""
    lines = ["## Goals", "", "| | goal | measured | |", "|---|---:|---:|---|"]
    for kind in ("work", "long"):
        if kind in groups:
            lines += _floor_goal(groups[kind])
    for goal in _GOALS:
        if goal.group in groups:
            group = groups[goal.group]
            base = goal.base or (ON_SPARK if goal.wall else OURSELVES)
            pairs = [(group.row(goal.side, v), group.row(base, v)) for v in group.videos]
            ratios = [
                row.wall / ours.wall if goal.wall else row.cpu / ours.cpu
                for row, ours in pairs
                if row.costs and ours.costs
            ]
            note = _floor_note(group, goal)
            lines.append(
                _goal_line(goal.text, f"≥ {goal.at_least:.2f}", ratios, goal.at_least, note)
            )
    if "decoding" in groups:
        lines += _decoding_goals(groups["decoding"])
    if "texts" in groups:
        lines += _texts_goals(groups["texts"])
    if "questions" in groups:
        lines += _questions_goals(groups["questions"])
    if "search" in groups:
        lines += _search_goals(groups["search"])
    lines += _hours_goals(groups.get("hours"))
    lines.append(_spark_goal(groups.get("short")))
    lines.append(_startup_goal(starts))
    return "\n".join(lines)


def _floor_note(group: Group, goal: Goal) -> str:
    """Return the floor's own ratio: a goal above it is out of reach on these inputs."""
    if FLOOR not in group.sides:
        return ""
    pairs = [(group.row(goal.side, video), group.row(FLOOR, video)) for video in group.videos]
    ratios = [row.cpu / floor.cpu for row, floor in pairs if row.costs and floor.costs]
    return f"; the floor itself: {min(ratios):.2f}" if ratios else ""


def _floor_goal(group: Group) -> list[str]:
    lines = []
    for video in group.videos:
        ours, floor = (
            group.row(OURSELVES, video),
            group.row(FLOOR, video),
        )
        if ours.costs and floor.costs:
            share = ours.cpu / floor.cpu
            verdict = "reached" if share <= 1.1 else "not reached"
            lines.append(f"| CPU time to the floor, {video} | ≤ 1.10 | {share:.2f} | {verdict} |")
    return lines


def _goal_line(text: str, goal: str, ratios: list[float], at_least: float, note: str = "") -> str:
    measured = (
        " – ".join(f"{value:.2f}" for value in sorted({min(ratios), max(ratios)}))
        if ratios
        else "–"
    )
    verdict = (
        "not measured" if not ratios else "reached" if min(ratios) >= at_least else "not reached"
    )
    return f"| {text} | {goal} | {measured} | {verdict}{note} |"


def _decoding_goals(group: Group) -> list[str]:
    lines = []
    for side in group.sides[1:]:
        pairs = [(group.row(side, v), group.row(OURSELVES, v)) for v in group.videos]
        pairs = [(row, ours) for row, ours in pairs if row.costs and ours.costs]
        if not pairs:
            lines.append(_goal_line(f"decoding: {side}", "≥ 1.70", [], 1.7))
            continue
        total = sum(row.cpu for row, _ in pairs) / sum(ours.cpu for _, ours in pairs)
        lines.append(_goal_line(f"decoding: {side}, sum of all videos", "≥ 1.70", [total], 1.7))
        worst = min(row.cpu / ours.cpu for row, ours in pairs)
        lines.append(_goal_line(f"decoding: {side}, worst video", "≥ 1.00", [worst], 1.0))
    return lines


def _texts_goals(group: Group) -> list[str]:
    lines = []
    for video in group.videos:
        one, three = group.row(OURSELVES, video), group.row(THREE_TEXTS, video)
        if not (one.costs and three.costs):
            continue
        decoded = [row.costs[-1].result["decoded"] for row in (one, three)]
        share = three.cpu / one.cpu
        verdict = "reached" if share <= 1.1 and decoded[0] == decoded[1] else "not reached"
        lines.append(
            f"| CPU time of three texts to one, {video} | ≤ 1.10 | {share:.2f} | {verdict}; "
            f"{decoded[1]} frames decoded for three, {decoded[0]} for one |"
        )
    return lines


def _questions_goals(group: Group) -> list[str]:
    lines = []
    for video in group.videos:
        transforms = group.row(TRANSFORMS, video)
        for side in (INDEX_TEN, INDEX_ARRAY):
            row = group.row(side, video)
            share = row.cpu / transforms.cpu
            verdict = "reached" if share <= 0.01 else "not reached"
            lines.append(
                f"| CPU time of ten questions, {side}, to ten transforms, {video} | ≤ 1 % "
                f"| {share:.2%} | {verdict} |"
            )
    return lines


def _search_goals(group: Group) -> list[str]:
    (title,) = group.videos
    reading, searching = group.row(READING, title), group.row(SEARCHING, title)
    wall, cpu = searching.wall / reading.wall, searching.cpu / reading.cpu
    worker = max(cost.result["worker_mb"] for cost in searching.costs)
    verdict = "reached" if wall <= 2 else "not reached"
    return [
        f"| wall clock of a search to reading alone, {title} | ≤ 2.00 | {wall:.2f} "
        f"| {verdict}; of CPU time {cpu:.2f} |",
        f"| memory of a Python worker that searches | ≤ 1000 MB | {worker:.0f} MB "
        f"| {'reached' if worker <= 1000 else 'not reached'} |",
    ]


def _hours_goals(group: Group | None) -> list[str]:
    cores = len(os.sched_getaffinity(0))
    scaling = f"one video of 120 minutes, {cores} cores against one"
    memory = "peak memory, 120 minutes to 2 minutes at 1080p"
    if group is None or not all(row.costs for row in group.rows):
        return [_unknown(scaling, "≥ 1.85"), _unknown(memory, "≤ 1.15, < 1500 MB")]
    short, long = group.videos
    factor = group.row(ONE_CORE, long).wall / group.row(ALL_CORES, long).wall
    peaks = [max(c.peak_mb for c in group.row(ALL_CORES, video).costs) for video in (short, long)]
    share = peaks[1] / peaks[0]
    resident = max(cost.resident_mb for cost in group.row(ALL_CORES, long).costs)
    verdict = "reached" if share <= 1.15 and peaks[1] < 1500 else "not reached"
    return [
        _goal_line(scaling, "≥ 1.85", [factor], 1.85),
        f"| {memory} | ≤ 1.15, < 1500 MB | {share:.2f}, {peaks[1]:.0f} MB | {verdict}; "
        f"{resident:.0f} MB with pages of files |",
    ]


def _spark_goal(group: Group | None) -> str:
    text = "Spark around the engine, many short videos"
    if group is None or not all(row.costs for row in group.rows):
        return _unknown(text, "≤ 5 %")
    video = group.videos[0]
    wall = group.row(ON_SPARK, video).wall / group.row(OURSELVES, video).wall - 1
    cpu = group.row(ON_SPARK, video).cpu / group.row(OURSELVES, video).cpu - 1
    verdict = "reached" if wall <= 0.05 else "not reached"
    return f"| {text} | ≤ 5 % | {wall:.1%}, of CPU time {cpu:.1%} | {verdict} |"


def _startup_goal(starts: dict[str, Start]) -> str:
    text = "first result in a new worker with the daemon"
    if DAEMON not in starts:
        return _unknown(text, "≤ 1.5 s")
    seconds = starts[DAEMON].worker
    verdict = "reached" if seconds <= 1.5 else "not reached"
    return f"| {text} | ≤ 1.5 s | {seconds:.2f} s | {verdict} |"


def _unknown(text: str, goal: str) -> str:
    return f"| {text} | {goal} | – | not measured here |"
