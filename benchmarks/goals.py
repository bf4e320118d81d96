"""Which of the project's goals the measured figures reach."""

from __future__ import annotations

import os
from dataclasses import dataclass

from benchmarks.rows import FLOOR, OURSELVES, Group


@dataclass(frozen=True)
class Goal:
    """A ratio of figures that shall be reached on every video of a group."""

    text: str
    group: str
    side: str
    """which is divided by spark_keyframes' own figure"""
    at_least: float
    wall: bool = False


_GOALS = [
    Goal("CPU time of the plain Spark UDF, float32", "work", "plain Spark pandas UDF, float32", 3),
    Goal("… bfloat16", "work", "plain Spark pandas UDF, bfloat16", 2),
    Goal("CPU time of the AKS recipe", "work", "published AKS recipe, float32", 4),
    Goal("wall clock of Daft, to ours on Spark", "wall", "Daft, bfloat16", 2, wall=True),
    Goal("wall clock of Ray Data, to ours on Spark", "wall", "Ray Data, bfloat16", 2, wall=True),
]


_ELSEWHERE = [
    ("one video of 120 minutes, two cores against one", "≥ 1.85"),
    ("peak memory, 120 minutes to 2 minutes at 1080p", "≤ 1.15"),
    ("Spark around the engine, 200 short videos", "≤ 5 %"),
    ("first result in a new worker with the daemon", "≤ 1.5 s"),
]


def goals_table(groups: dict[str, Group]) -> str:
    """The goals beside what was measured."""
    lines = ["## Goals", "", "| | goal | measured | |", "|---|---:|---:|---|"]
    for kind in ("work", "long"):
        if kind in groups:
            lines += _floor_goal(groups[kind])
    for goal in _GOALS:
        if goal.group in groups:
            group = groups[goal.group]
            base = "spark_keyframes on Spark" if goal.wall else OURSELVES
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
    if "work" in groups and "wall" in groups:
        lines += _scaling(groups["work"], groups["wall"])
    if "work" in groups and "long" in groups:
        lines += _memory_goals(groups["work"], groups["long"])
    lines += [f"| {text} | {goal} | – | not measured here |" for text, goal in _ELSEWHERE]
    return "\n".join(lines)


def _floor_note(group: Group, goal: Goal) -> str:
    """What nothing could be faster than: a goal above it is out of reach on these inputs."""
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


def _memory_goals(short: Group, long: Group) -> list[str]:
    """Goals are for 120 minutes at 1080p; this is what the measured videos show of them."""
    lines = []
    for one in short.videos:
        for other in (video for video in long.videos if video.split()[0] == one.split()[0]):
            costs = short.row(OURSELVES, one).costs, long.row(OURSELVES, other).costs
            if all(costs):
                peaks = [max(cost.peak_mb for cost in side) for side in costs]
                share = peaks[1] / peaks[0]
                verdict = "reached" if share <= 1.15 and peaks[1] < 1500 else "not reached"
                lines.append(
                    f"| peak memory, {other} to {one} | ≤ 1.15, < 1500 MB "
                    f"| {share:.2f}, {peaks[1]:.0f} MB | {verdict} |"
                )
    return lines


def _scaling(work: Group, wall: Group) -> list[str]:
    cores = len(os.sched_getaffinity(0))
    lines = []
    for video in wall.videos:
        one, every = work.row(OURSELVES, video), wall.row(OURSELVES, video)
        if one.costs and every.costs:
            factor = one.wall / every.wall
            text = f"one video, {cores} cores against one, {video} (the goal: of 120 min)"
            lines.append(_goal_line(text, "≥ 1.85", [factor], 1.85))
    return lines
