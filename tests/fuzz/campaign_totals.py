"""Totals of a campaign: outcomes, findings and resource usage, as Markdown."""

from __future__ import annotations

import collections
import statistics
from dataclasses import dataclass, field
from typing import Any

import av

CRASHED, TOO_LONG = "worker crashed", "worker hung"
SHORT_OF_MEMORY = "LimitError: max_decode_bytes"
FLAT = 0.05
"""Largest growth of memory from the second to the last tenth of a run, as a fraction."""


@dataclass(frozen=True)
class Finding:
    """An input that revealed a defect."""

    name: str
    what: str
    details: str


@dataclass(frozen=True)
class Usage:
    """Resources of a worker at one time."""

    worker: tuple[int, int]
    """Number of the worker, and of its process since the last crash."""
    at: int
    """Inputs decoded so far."""
    memory: int
    """Resident memory in KiB."""
    memory_below: int
    """Resident memory of its descendant processes in KiB."""
    processes_below: int
    """Number of descendant processes."""
    files: int
    """Open files."""
    threads: int

    @property
    def total_memory(self) -> int:
        """Resident memory of the worker and its descendants in KiB."""
        return self.memory + self.memory_below


@dataclass
class CampaignTotals:
    """Outcomes of all inputs so far."""

    by_pair: dict[str, collections.Counter[str]] = field(default_factory=dict)
    """Outcomes by pair of codec and container."""
    by_mutation: dict[str, collections.Counter[str]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    usage: list[Usage] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")
    seconds: float = 0.0
    worker_starts: int = 0

    @property
    def inputs(self) -> int:
        """Number of inputs."""
        return sum(counter.total() for counter in self.by_pair.values())

    def add(
        self, name: str, report: dict[str, Any], seconds: float, worker: tuple[int, int]
    ) -> None:
        """Add the report of one input."""
        pair, mutation, _ = name.split(":")
        outcome = report["outcome"]
        for table, key in ((self.by_pair, pair), (self.by_mutation, mutation)):
            table.setdefault(key, collections.Counter())[outcome] += 1
        self.slowest = max(self.slowest, (seconds, name))
        defect = report.get("defect", "").strip()
        if defect:
            what = outcome if outcome in (CRASHED, TOO_LONG) else defect.splitlines()[-1]
            self.findings.append(Finding(name, what, defect))
        if "usage" in report:
            self.usage.append(Usage(worker=worker, at=self.inputs, **report["usage"]))

    def tenths(self) -> tuple[Usage, Usage] | None:
        """Return the usage of the longest-running worker in the second and in the last tenth.

        Both are medians, because a single 8K frame would dominate a mean. None for a short run.
        """
        worker = statistics.mode(usage.worker for usage in self.usage) if self.usage else None
        curve = [usage for usage in self.usage if usage.worker == worker]
        width = len(curve) // 10
        return (_median(curve[width : 2 * width]), _median(curve[-width:])) if width else None


def _median(usages: list[Usage]) -> Usage:
    def of(name: str) -> int:
        return int(statistics.median(getattr(usage, name) for usage in usages))

    names = ("at", "memory", "memory_below", "processes_below", "files", "threads")
    return Usage(worker=usages[0].worker, **{name: of(name) for name in names})


def as_text(totals: CampaignTotals) -> str:
    """Return the totals as Markdown."""
    outcomes = collections.Counter[str]()
    for counter in totals.by_pair.values():
        outcomes += counter
    columns = [name for name, _ in outcomes.most_common()]
    lines = [
        f"PyAV {av.__version__}, FFmpeg {av.ffmpeg_version_info}; "
        f"{totals.inputs} inputs in {totals.seconds:.0f} s",
        "",
    ]
    for title, table in (("pair", totals.by_pair), ("mutation", totals.by_mutation)):
        lines += [
            f"| {title} | " + " | ".join(columns) + " |",
            "|---|" + "--:|" * len(columns),
            *(
                f"| {key} | " + " | ".join(str(counter[column]) for column in columns) + " |"
                for key, counter in sorted(table.items())
            ),
            "| **all** | " + " | ".join(str(outcomes[column]) for column in columns) + " |",
            "",
        ]
    lines.append(f"- slowest input: {totals.slowest[0]:.2f} s, `{totals.slowest[1]}`")
    lines.append(f"- workers started: {totals.worker_starts}")
    if tenths := totals.tenths():
        lines += [_usage_line("second", tenths[0]), _usage_line("last", tenths[1])]
    lines.append(f"- findings: {len(totals.findings)}")
    seen = collections.Counter(finding.what for finding in totals.findings)
    for what, count in seen.most_common():
        first = next(finding for finding in totals.findings if finding.what == what)
        lines.append(f"  - {count} × {what}, for example `{first.name}`")
    return "\n".join(lines) + "\n"


def _usage_line(which: str, usage: Usage) -> str:
    return (
        f"- in the {which} tenth: {usage.memory / 1024:.1f} MiB in the worker, "
        f"{usage.memory_below / 1024:.1f} MiB in {usage.processes_below} descendants, "
        f"{usage.files} open files, {usage.threads} threads"
    )
