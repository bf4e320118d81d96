"""Writes all that is measured as one page of Markdown: goals, tables, machine and versions."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from benchmarks.goals import goals_of
from benchmarks.record import Record, Setup
from benchmarks.rows import OURSELVES, Group, Row, ratio_of_sums
from benchmarks.section import Goal, Section, table

_TITLES = {
    "decoding": "Decoding candidates",
    "work": "From file to keyframes: CPU time, on one core",
    "wall": "From file to keyframes: wall clock, on all cores",
    "wall-long": "20 minutes: wall clock, on all cores",
    "short": "Many short videos: the engine alone, and on Spark",
    "long": "20 minutes: CPU time, on one core",
    "hour": "60 minutes: an exhaustive and a coarse scan, on one core",
    "texts": "One text and three: CPU time, on one core",
    "questions": "Ten questions to a video and to its index: all processes, the JVM included",
    "search": "Search of an index on local[2], and reading the file with Spark alone",
    "isolation": "Decoding in child processes, and in threads",
    "hours": "2 and 120 minutes of 1080p: memory, and use of the cores",
}


def write_report(target: Path, records: dict[str, Record], parts: Iterable[str]) -> None:
    """Write the report of all records; `parts` names all that there could be."""
    sections = {name: _section(record) for name, record in records.items()}
    missing = [part for part in parts if part not in records]
    told = [_head(_newest(records)), _goals(records, sections, missing)]
    told += [
        f"## {section.title}\n\n{_measured(records[name])}\n\n{section.text}"
        for name, section in sections.items()
    ]
    target.write_text("\n\n".join(part.strip() for part in told) + "\n", encoding="utf-8")


def _newest(records: dict[str, Record]) -> Setup:
    return max(records.values(), key=lambda record: record.written).setup


def _head(setup: Setup) -> str:
    return f"""# Results

Written by `python -m benchmarks`, from the measurements in benchmarks/measured. Do not edit it.

| | |
|---|---|
| machine | {setup.machine} |
| system | {setup.system} |
| spark_keyframes with | {setup.packages} |
| competitors with | {setup.competitors} |

All sides process the same file with 1 candidate per second, the same CLIP ViT-B/32 (random
weights), batches of 16 (except for the AKS recipe), and 32 keyframes by AKS. Before each measured
video a side processes a clip of 3.5 s, so imports, model loading and start-up do not count. The
sides take turns; figures are medians.

- **CPU s** is user and system time of a side's processes, children included.
- **ratio** is the side's figure divided by spark_keyframes' own, of the same round: above 1,
  spark_keyframes is faster. A machine is not as fast in every minute, so that ratio may differ
  from that of the medians.
- **peak MB** is the memory of the largest process, without pages of files; in brackets with them.
  Processes share the pages of files, mostly the model's, and the system can drop them.
- **others** is how many cores the rest of the machine kept busy meanwhile. If it is not near 0, the
  wall clock says little.
- **coarse** is `scan="coarse"`, which looks at fewer candidates.

CLIPProcessor resizes with Pillow here, because torchvision 0.28.0 does not load beside torch's CPU
build.
"""


def _measured(record: Record) -> str:
    """When and of what a part was measured."""
    rounds = max((len(row.counted().costs) for row in record.rows), default=0)
    told = f"Measured on {record.date}, at {record.setup.commit}"
    told += f", {rounds} round{'s' * (rounds > 1)}" if rounds else ""
    if not record.complete:
        told += "; not complete"
    return f"{told}: `python -m benchmarks --parts {record.part}`."


def _goals(records: dict[str, Record], sections: dict[str, Section], missing: list[str]) -> str:
    commits = {record.setup.commit for record in records.values()}
    lines = []
    for name, section in sections.items():
        at = f"at {records[name].setup.commit}" if len(commits) > 1 else ""
        lines += [_goal_cells(goal, at) for goal in section.goals]
    told = "## Goals\n\n" + table(["", "goal", "measured", ""], lines).replace(
        "|---|---:|---:|---:|", "|---|---:|---:|---|"
    )
    if missing:
        told += f"\n\nNot measured yet: {', '.join(missing)}."
    return told


def _goal_cells(goal: Goal, at: str) -> list[str]:
    more = "; ".join(filter(None, [goal.verdict, goal.note, at]))
    return [goal.text, goal.bound, goal.measured, more]


def _section(record: Record) -> Section:
    if record.section is not None:
        return record.section
    title = _TITLES.get(record.part, record.part)
    if not record.rows:
        return Section(title, _trouble(record))
    group = Group(record.part, [row.counted() for row in record.rows])
    text = _decoding(group) if record.part == "decoding" else _keyframes(group)
    return Section(title, f"{text}\n{_trouble(record)}".strip(), tuple(goals_of(group)))


def _trouble(record: Record) -> str:
    return "\n".join(f"\nLeft out: {reason}" for reason in record.reasons)


def _decoding(group: Group) -> str:
    rows = []
    for video in group.videos:
        ours = group.row(OURSELVES, video)
        rows.append([video, *(_ratio_cell(group.row(side, video), ours) for side in group.sides)])
    totals = ["**sum**"]
    for side in group.sides:
        pairs = group.pairs(side, OURSELVES)
        if len(pairs) == len(group.videos):
            total = sum(row.cpu for row, _ in pairs)
            totals.append(f"{total:.2f} ({ratio_of_sums(pairs):.2f})")
        else:
            totals.append("–")
    return (
        "One thread each, pixels as full-size RGB (OpenCV: BGR), no CLIP. CPU seconds; in brackets "
        "the ratio. A coarse scan includes the scoring, by a tiny CLIP, because the scores decide "
        "what it decodes.\n\n" + table(["video", *group.sides], [*rows, totals])
    )


def _ratio_cell(row: Row, ours: Row) -> str:
    if not row.costs:
        return "–"
    ratio = f" ({row.cpu_to(ours):.2f})" if ours.costs and row is not ours else ""
    return f"{row.cpu:.2f}{ratio}"


_COLUMNS = [
    "",
    "scored",
    "same keyframes",
    "CPU s",
    "ratio",
    "wall s",
    "ratio",
    "peak MB",
    "others",
]


def _keyframes(group: Group) -> str:
    parts = []
    for video in group.videos:
        rows = [group.row(side, video) for side in group.sides]
        rows = [row for row in rows if row.costs]
        if rows:
            lines = [_keyframes_cells(row, rows[0]) for row in rows]
            parts.append(f"{video}:\n\n{table(_COLUMNS, lines)}")
            parts += ["\n".join(accounts)] if (accounts := _accounts(rows)) else []
    return "\n\n".join(parts)


def _accounts(rows: list[Row]) -> list[str]:
    """Return the seconds by stage of each side that reports them, in its median round.

    Those of spark_keyframes are wall-clock seconds of stages that overlap.
    """
    lines = []
    for row in rows:
        told = [cost for cost in row.costs if cost.result.get("seconds")]
        if not told:
            continue
        result = sorted(told, key=lambda cost: cost.cpu)[len(told) // 2].result
        stages = [f"{name} {value:.2f}" for name, value in result["seconds"].items()]
        again = result.get("scored_again")
        overlap = " (wall clock, overlapping)" if row.side.startswith(OURSELVES) else ""
        more = f"; {again} frames scored again in float32" if again else ""
        lines.append(f"{row.side}, seconds by stage{overlap}: {', '.join(stages)}{more}.")
    return lines


def _keyframes_cells(row: Row, ours: Row) -> list[str]:
    result, own = row.costs[-1].result, set(ours.costs[-1].result["frame_ids"])
    is_known = bool(result["frame_ids"] and own)
    same = f"{len(own & set(result['frame_ids']))} of {len(own)}" if is_known else "–"
    return [
        row.side,
        str(result.get("scored") or "–"),
        same,
        f"{row.cpu:.2f}",
        f"{row.cpu_to(ours):.2f}",
        f"{row.wall:.2f}",
        f"{row.wall_to(ours):.2f}",
        f"{row.peak_mb:.0f} ({row.resident_mb:.0f})",
        f"{row.median(lambda cost: cost.others):.2f}",
    ]
