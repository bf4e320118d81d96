"""The measured table as Markdown: medians, ratios, goals, and what they were measured on."""

from __future__ import annotations

import datetime
import os
import platform
import statistics
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.process import OURS, ROOT, THEIRS, Cost

OURSELVES = "spark_keyframes"


@dataclass
class Row:
    """One side on one video."""

    side: str
    video: str
    costs: list[Cost] = field(default_factory=list)
    problem: str = ""
    """why there is no figure"""

    def median(self, value: Callable[[Cost], float]) -> float:
        """Of a cost, over the rounds."""
        return statistics.median(value(cost) for cost in self.costs)

    @property
    def cpu(self) -> float:
        """CPU seconds."""
        return self.median(lambda cost: cost.cpu)

    @property
    def wall(self) -> float:
        """Seconds."""
        return self.median(lambda cost: cost.wall)


@dataclass
class Group:
    """Rows that are compared with each other."""

    kind: str
    rows: list[Row]

    @property
    def videos(self) -> list[str]:
        """In the order of measurement."""
        return list(dict.fromkeys(row.video for row in self.rows))

    @property
    def sides(self) -> list[str]:
        """In the order of measurement."""
        return list(dict.fromkeys(row.side for row in self.rows))

    def row(self, side: str, video: str) -> Row:
        """The row of a side and a video."""
        return next(row for row in self.rows if (row.side, row.video) == (side, video))


def write_report(target: Path, groups: list[Group], command: str) -> None:
    """Write all groups, with the machine, versions, date and command."""
    parts = [_head(command)]
    for group in groups:
        parts.append(_decoding(group) if group.kind == "decoding" else _keyframes(group))
    parts.append(_goals({group.kind: group for group in groups}))
    target.write_text("\n\n".join(part.strip() for part in parts) + "\n", encoding="utf-8")


def _head(command: str) -> str:
    commit = _output(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"])
    dirty = _output(["git", "-C", str(ROOT), "status", "--porcelain", "spark_keyframes"])
    changed = " with uncommitted changes" if dirty else ""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return f"""
# Results

Written by `{command}`, see `make bench`; measured, not edited.

| | |
|---|---|
| date, commit | {today}, {commit}{changed} |
| machine | {_cpu_model()}, {len(os.sched_getaffinity(0))} cores, {_memory()} |
| system | {platform.system()} {platform.release()}, Python {platform.python_version()} |
| spark_keyframes with | {_versions(OURS, ["av", "torch", "transformers", "numpy", "pyspark"])} |
| competitors with | {_versions(THEIRS, _COMPETITORS)} |

All sides: the same file, 1 candidate per second, the same CLIP ViT-B/32 (random weights), batches
of 16 but for the AKS recipe, 32 keyframes by AKS. Before each measured video a side works through
a clip of 3.5 s, so imports, model loading and start-up count for no one. The sides take turns;
figures are medians; peak memory is that of the largest process. CPU s is user and system time of a
side's processes, children included. A ratio is the side's figure divided by spark_keyframes' own:
above 1, spark_keyframes is that much faster. "others" is how many cores the rest of the machine
kept busy meanwhile: where it is not near 0, wall clock says little. CLIPProcessor resizes with
Pillow here, as it does without torchvision: none of its builds loads beside torch's CPU build.
"""


_COMPETITORS = ["av", "torch", "transformers", "pyspark", "daft", "ray", "decord", "torchcodec"]
_COMPETITORS += ["opencv-python-headless"]


def _decoding(group: Group) -> str:
    lines = [
        "## Decoding candidates",
        "",
        "One thread each, pixels as full-size RGB (OpenCV: BGR), no CLIP. CPU seconds; in brackets "
        "the ratio.",
        "",
        "| video | " + " | ".join(group.sides) + " |",
        "|---|" + "---:|" * len(group.sides),
    ]
    for video in group.videos:
        ours = group.row(OURSELVES, video)
        cells = [_ratio_cell(group.row(side, video), ours) for side in group.sides]
        lines.append(f"| {video} | " + " | ".join(cells) + " |")
    totals = []
    for side in group.sides:
        rows = [group.row(side, video) for video in group.videos]
        own_rows = [group.row(OURSELVES, video) for video in group.videos]
        if all(row.costs for row in [*rows, *own_rows]):
            total, own = sum(row.cpu for row in rows), sum(row.cpu for row in own_rows)
            totals.append(f"{total:.2f} ({total / own:.2f})")
        else:
            totals.append("–")
    lines.append("| **sum** | " + " | ".join(totals) + " |")
    return "\n".join([*lines, *_problems(group)])


def _ratio_cell(row: Row, ours: Row) -> str:
    if not row.costs:
        return "–"
    ratio = f" ({row.cpu / ours.cpu:.2f})" if ours.costs and row is not ours else ""
    return f"{row.cpu:.2f}{ratio}"


_TITLES = {
    "work": "From file to keyframes: CPU time, on one core",
    "wall": "From file to keyframes: wall clock, on all cores",
    "long": "20 minutes: CPU time, on one core",
}


def _keyframes(group: Group) -> str:
    parts = [f"## {_TITLES[group.kind]}"]
    for video in group.videos:
        ours = group.row(OURSELVES, video)
        parts += [
            "",
            f"{video}:",
            "",
            "| | scored | same keyframes | CPU s | ratio | wall s | ratio | peak MB | others |",
            "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
        ]
        for side in group.sides:
            row = group.row(side, video)
            if row.costs and ours.costs:
                parts.append(_keyframes_line(row, ours))
        parts += ["", *_accounts(group, video)]
    return "\n".join([*parts, *_problems(group)])


def _accounts(group: Group, video: str) -> list[str]:
    """Where the time goes, of the sides that tell; of the round with the median CPU time."""
    lines = []
    for side in group.sides:
        told = [cost for cost in group.row(side, video).costs if "seconds" in cost.result]
        if not told:
            continue
        result = sorted(told, key=lambda cost: cost.cpu)[len(told) // 2].result
        stages = [f"{name} {value:.2f}" for name, value in result["seconds"].items()]
        again = result.get("scored_again")
        more = f"; {again} frames scored again in float32" if again else ""
        lines.append(f"Seconds of {side}, by stage: {', '.join(stages)}{more}.")
    return lines


def _keyframes_line(row: Row, ours: Row) -> str:
    result, own = row.costs[-1].result, set(ours.costs[-1].result["frame_ids"])
    same = f"{len(own & set(result['frame_ids']))} of {len(own)}" if result["frame_ids"] else "–"
    peak = max(cost.peak_mb for cost in row.costs)
    return (
        f"| {row.side} | {result.get('scored', '–')} | {same} | {row.cpu:.2f} "
        f"| {row.cpu / ours.cpu:.2f} | {row.wall:.2f} | {row.wall / ours.wall:.2f} | {peak:.0f} "
        f"| {row.median(lambda cost: cost.others):.2f} |"
    )


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


def _goals(groups: dict[str, Group]) -> str:
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
            lines.append(_goal_line(goal.text, f"≥ {goal.at_least:.2f}", ratios, goal.at_least))
    if "decoding" in groups:
        lines += _decoding_goals(groups["decoding"])
    if "work" in groups and "wall" in groups:
        lines += _scaling(groups["work"], groups["wall"])
    return "\n".join(lines)


def _floor_goal(group: Group) -> list[str]:
    lines = []
    for video in group.videos:
        ours, floor = (
            group.row(OURSELVES, video),
            group.row("floor: bare libavcodec and CLIP", video),
        )
        if ours.costs and floor.costs:
            share = ours.cpu / floor.cpu
            verdict = "reached" if share <= 1.1 else "not reached"
            lines.append(f"| CPU time to the floor, {video} | ≤ 1.10 | {share:.2f} | {verdict} |")
    return lines


def _goal_line(text: str, goal: str, ratios: list[float], at_least: float) -> str:
    measured = (
        " – ".join(f"{value:.2f}" for value in sorted({min(ratios), max(ratios)}))
        if ratios
        else "–"
    )
    verdict = (
        "not measured" if not ratios else "reached" if min(ratios) >= at_least else "not reached"
    )
    return f"| {text} | {goal} | {measured} | {verdict} |"


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


def _problems(group: Group) -> list[str]:
    reasons = {row.side: row.problem for row in group.rows if row.problem}
    return ["", *(f"Left out: {side}: {reason}" for side, reason in reasons.items())]


def _versions(python: Path, names: list[str]) -> str:
    code = (
        "import sys, importlib.metadata as m\n"
        "def v(n):\n"
        " try: return m.version(n)\n"
        " except m.PackageNotFoundError: return 'absent'\n"
        "print(', '.join(f'{n} {v(n)}' for n in sys.argv[1:]))"
    )
    return _output([str(python), "-c", code, *names])


def _output(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    values = {name.strip(): value.strip() for name, value in fields.items()}
    flags = set(values.get("flags", "").split())
    half = [name for name in ("avx512_bf16", "amx_bf16") if name in flags]
    family = f"family {values.get('cpu family', '?')} model {values.get('model', '?')}"
    return (
        f"{values.get('model name', 'unknown CPU')} ({family}{', ' * bool(half)}{' '.join(half)})"
    )


def _memory() -> str:
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return f"{pages / 2**30:.0f} GiB"
