"""Keeps what was measured, part by part, so that a run that was interrupted can go on.

Each part has a file in benchmarks/measured/, which is written after every measurement. A later run
goes on where it stops, as long as the measured code, the machine and its packages are the same.
RESULTS.md is written from all of these files.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from benchmarks.machine import cpu_model, memory, output, versions
from benchmarks.process import OURS, ROOT, THEIRS, Cost
from benchmarks.rows import Row
from benchmarks.section import Goal, Section

MEASURED = Path(__file__).parent / "measured"
_KEPT = {"frame_ids", "scored", "decoded", "seconds", "scored_again", "worker_mb"}
"""of what a side answers"""


@dataclass(frozen=True)
class Setup:
    """What was measured, and where."""

    code: str = ""
    """hash of the files that are measured"""
    commit: str = ""
    machine: str = ""
    system: str = ""
    packages: str = ""
    competitors: str = ""

    def continues(self, other: Setup) -> bool:
        """Return whether measurements of both may be compared with each other."""
        return self._compared == other._compared

    @property
    def _compared(self) -> tuple[str, ...]:
        return self.code, self.machine, self.packages

    @classmethod
    def of_today(cls) -> Self:
        """Return the setup of this checkout on this machine."""
        commit = output(["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"])
        changed = output(["git", "-C", str(ROOT), "status", "--porcelain", "spark_keyframes"])
        ours = ["av", "torch", "transformers", "numpy", "pyspark"]
        theirs = ["av", "torch", "transformers", "pyspark", "daft", "ray", "decord", "torchcodec"]
        return cls(
            code=_hash_of_code(),
            commit=commit + " with uncommitted changes" * bool(changed),
            machine=f"{cpu_model()}, {len(os.sched_getaffinity(0))} cores, {memory()}",
            system=f"{os.uname().sysname} {os.uname().release}",
            packages=versions(OURS, ours),
            competitors=versions(THEIRS, [*theirs, "opencv-python-headless"]),
        )


@dataclass
class Record:
    """The measurements of one part, in a file; without a path, they are not kept."""

    part: str = ""
    setup: Setup = Setup()
    path: Path | None = None
    date: str = ""
    written: float = 0.0
    """when the file was, as time.time()"""
    rows: list[Row] = field(default_factory=list)
    section: Section | None = None
    """of a part with a way of its own to measure"""
    problem: str = ""
    """why the part ended early"""
    seconds: float = 0.0
    """that its measurements took, all calls together"""
    complete: int = 0
    """the rounds that were asked for and are all measured; 0 while a side or a round is missing"""
    _began: float = field(default_factory=time.monotonic)

    def begin(self) -> None:
        """Begin or go on: count the seconds from now, and forget why it ended early."""
        self._began, self.problem = time.monotonic(), ""

    @property
    def reasons(self) -> list[str]:
        """Why sides, or the rest of the part, have no figures."""
        found = {row.side: row.problem for row in self.rows if row.problem}
        if self.problem:
            found["the rest"] = self.problem
        return [f"{side}: {reason}" for side, reason in found.items()]

    def row(self, side: str, video: str, definition: str = "") -> Row:
        """Return the row of a side and a video with what was measured of it, or a new one."""
        for row in self.rows:
            if (row.side, row.video) == (side, video):
                if row.definition != definition:
                    row.costs, row.definition = [], definition
                return row
        self.rows.append(Row(side, video, definition=definition))
        return self.rows[-1]

    def save(self) -> None:
        """Write the file."""
        if self.path is None:
            return
        now = time.monotonic()
        self.seconds, self._began = self.seconds + now - self._began, now
        self.written = time.time()
        self.date = datetime.datetime.now(datetime.UTC).date().isoformat()
        told = asdict(self)
        del told["path"], told["_began"]
        for row in told["rows"]:
            for cost in row["costs"]:
                cost["result"] = {k: v for k, v in cost["result"].items() if k in _KEPT}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        part = self.path.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        part.rename(self.path)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file that `save` wrote."""
        told: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        told["setup"] = Setup(**told["setup"])
        told["rows"] = [
            Row(**row | {"costs": [Cost(**cost) for cost in row["costs"]]}) for row in told["rows"]
        ]
        if told["section"] is not None:
            goals = tuple(Goal(**goal) for goal in told["section"]["goals"])
            told["section"] = Section(**told["section"] | {"goals": goals})
        return cls(**told, path=path)


def record_of(part: str, setup: Setup, folder: Path = MEASURED) -> Record:
    """Return the record of a part to go on with, or a new one that will replace it."""
    path = folder / f"{part}.json"
    if path.exists():
        record = Record.read(path)
        if record.setup.continues(setup):
            record.setup = setup
            return record
    return Record(part, setup, path)


def records(parts: list[str], folder: Path = MEASURED) -> dict[str, Record]:
    """Return what is kept of these parts, in their order."""
    paths = {part: folder / f"{part}.json" for part in parts}
    return {part: Record.read(path) for part, path in paths.items() if path.exists()}


def _hash_of_code() -> str:
    files = sorted((ROOT / "spark_keyframes").rglob("*.py"))
    files += sorted((ROOT / "benchmarks" / "competitors").glob("*.py"))
    digest = hashlib.sha256()
    for path in [*files, ROOT / "benchmarks" / "inputs.py"]:
        digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]
