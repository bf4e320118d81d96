"""Writes the measurements as Markdown: medians, ratios, goals, machine and versions."""

from __future__ import annotations

import datetime
import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from benchmarks.goals import goals_table
from benchmarks.process import OURS, ROOT, THEIRS
from benchmarks.rows import OURSELVES, Group, Row
from benchmarks.startup import Start

_TITLE = "# Results\n"


def earlier_reports(target: Path) -> list[str]:
    """Return the reports of a file, each of a command of its own."""
    text = target.read_text(encoding="utf-8") if target.exists() else ""
    return [_TITLE + report for report in text.split(_TITLE)[1:]]


def write_report(
    target: Path,
    groups: list[Group],
    starts: dict[str, Start],
    command: str,
    kept: Sequence[str] = (),
) -> None:
    """Write all groups and starts, with the machine, versions, date and command.

    The reports `kept` stay before it, but for an earlier one of the same command.
    """
    written_by = f"Written by `{command}`"
    parts = [report for report in kept if written_by not in report]
    parts.append(_head(written_by))
    for group in groups:
        parts.append(_decoding(group) if group.kind == "decoding" else _keyframes(group))
    if starts:
        parts.append(_startup(starts))
    parts.append(goals_table({group.kind: group for group in groups}, starts))
    target.write_text("\n\n".join(part.strip() for part in parts) + "\n", encoding="utf-8")


def _head(written_by: str) -> str:
    commit = _output(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"])
    dirty = _output(["git", "-C", str(ROOT), "status", "--porcelain", "spark_keyframes"])
    changed = " with uncommitted changes" if dirty else ""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return f"""{_TITLE}
{written_by}, see `make bench`. Do not edit it.

| | |
|---|---|
| date, commit | {today}, {commit}{changed} |
| machine | {_cpu_model()}, {len(os.sched_getaffinity(0))} cores, {_memory()} |
| system | {platform.system()} {platform.release()}, Python {platform.python_version()} |
| spark_keyframes with | {_versions(OURS, ["av", "torch", "transformers", "numpy", "pyspark"])} |
| competitors with | {_versions(THEIRS, _COMPETITORS)} |

All sides process the same file with 1 candidate per second, the same CLIP ViT-B/32 (random
weights), batches of 16 (except for the AKS recipe), and 32 keyframes by AKS. Before each measured
video a side processes a clip of 3.5 s, so imports, model loading and start-up do not count. The
sides take turns; figures are medians.

- **CPU s** is user and system time of a side's processes, children included.
- **ratio** is the side's figure divided by spark_keyframes' own: above 1, spark_keyframes is
  faster.
- **peak MB** is the memory of the largest process, without pages of files; in brackets with them.
  Processes share the pages of files, mostly the model's, and the system can drop them.
- **others** is how many cores the rest of the machine kept busy meanwhile. If it is not near 0, the
  wall clock says little.

CLIPProcessor resizes with Pillow here, because torchvision 0.28.0 does not load beside torch's CPU
build.
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
    "short": "Many short videos: the engine alone, and on Spark",
    "long": "20 minutes: CPU time, on one core",
    "texts": "One text and three: CPU time, on one core",
    "questions": "Ten questions to a video and to its index: all processes, the JVM included",
    "search": "Search of an index on local[2], and reading the file with Spark alone",
    "isolation": "Decoding in child processes, and in threads",
    "hours": "2 and 120 minutes of 1080p: memory, and use of the cores",
}


def _keyframes(group: Group) -> str:
    parts = [f"## {_TITLES[group.kind]}"]
    for video in group.videos:
        ours = group.row(group.sides[0], video)
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
    """Return the seconds by stage of each side that reports them, in its median round.

    Those of spark_keyframes are wall-clock seconds of stages that overlap.
    """
    lines = []
    for side in group.sides:
        told = [cost for cost in group.row(side, video).costs if cost.result.get("seconds")]
        if not told:
            continue
        result = sorted(told, key=lambda cost: cost.cpu)[len(told) // 2].result
        stages = [f"{name} {value:.2f}" for name, value in result["seconds"].items()]
        again = result.get("scored_again")
        overlap = " (wall clock, overlapping)" if side.startswith(OURSELVES) else ""
        more = f"; {again} frames scored again in float32" if again else ""
        lines.append(f"{side}, seconds by stage{overlap}: {', '.join(stages)}{more}.")
    return lines


def _keyframes_line(row: Row, ours: Row) -> str:
    result, own = row.costs[-1].result, set(ours.costs[-1].result["frame_ids"])
    same = f"{len(own & set(result['frame_ids']))} of {len(own)}" if result["frame_ids"] else "–"
    peak = max(cost.peak_mb for cost in row.costs)
    resident = max(cost.resident_mb for cost in row.costs)
    return (
        f"| {row.side} | {result.get('scored', '–')} | {same} | {row.cpu:.2f} "
        f"| {row.cpu / ours.cpu:.2f} | {row.wall:.2f} | {row.wall / ours.wall:.2f} "
        f"| {peak:.0f} ({resident:.0f}) | {row.median(lambda cost: cost.others):.2f} |"
    )


def _startup(starts: dict[str, Start]) -> str:
    names = [field.name for field in fields(Start)]
    lines = [
        "## The first result of a new Python worker",
        "",
        "`python -m benchmarks.startup` describes the columns. Wall-clock seconds, MB.",
        "",
        "| spark.python.daemon.module | " + " | ".join(names) + " |",
        "|---|" + "---:|" * len(names),
    ]
    for daemon, start in starts.items():
        values = [getattr(start, name) for name in names]
        cells = [
            f"{value:.0f}" if name.endswith("_mb") else f"{value:.2f}"
            for name, value in zip(names, values, strict=True)
        ]
        lines.append(f"| {daemon} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


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
