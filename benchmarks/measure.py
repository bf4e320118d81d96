"""Measures the sides in turn on the same work, each in its own process.

Each measurement is kept as soon as it is made: a run that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks import inputs
from benchmarks.process import Cost, Process, Side, SideError, machine_cpu
from benchmarks.rows import LEAST_SECONDS, Row
from benchmarks.scope import Scope

Job = dict[str, Any]

_DISTURBED = 0.2
"""cores that other programs keep busy, above which a measurement is repeated"""

_LONG = 60.0
"""seconds of a job that is not repeated: the disturbance of so long a time is small"""

_LIMIT = 4 * 3600.0
"""seconds that a job may take"""


def measure(
    sides: Sequence[Side],
    videos: dict[str, Path],
    scope: Scope,
    *,
    cores: set[int],
    rounds: int | None = None,
    tries: int = 1,
    together: Iterable[str] = (),
) -> list[Row]:
    """Let the sides take turns on each video. A side that fails is left out, with its reason.

    Returns the rows with all costs; see Row.counted.

    With `together`, all those videos are one job; `videos` then maps its title to any one of them.
    """
    many = {"videos": list(together)} if together else {}
    warm_up = {"video": str(inputs.prepare_warm_up(cache=scope.cache)), "fps": 15.0}
    jobs = {title: {"video": str(video), "fps": 1.0} | many for title, video in videos.items()}
    return take_turns(sides, jobs, scope, cores=cores, warm_up=warm_up, rounds=rounds, tries=tries)


def take_turns(
    sides: Sequence[Side],
    jobs: dict[str, Job],
    scope: Scope,
    *,
    cores: set[int],
    warm_up: Job,
    rounds: int | None = None,
    tries: int = 1,
) -> list[Row]:
    """Let the sides take turns on each job, by its title, each time after a job to warm up."""
    rounds = scope.rounds if rounds is None else rounds
    record = scope.record
    rows = {
        (side.name, title): record.row(side.name, title, side.definition)
        for title in jobs
        for side in sides
    }
    for row in rows.values():
        row.problem = ""
    failed: dict[str, str] = {}
    with ExitStack() as stack:
        running: dict[str, Process] = {}
        for turn in range(rounds):
            for title, job in jobs.items():
                for side in sides:
                    row = rows[side.name, title]
                    if len(row.costs) > turn or side.name in failed:
                        continue
                    scope.check_time()
                    try:
                        if side.name not in running:
                            model = side.model or inputs.prepare_clip(scope.cache)
                            running[side.name] = stack.enter_context(
                                Process(side, model=model, cache=scope.cache, cores=cores)
                            )
                        process = running[side.name]
                        cost = _least_disturbed(process, warm_up, job, _repeats(row), tries)
                    except SideError as error:
                        row.problem = failed[side.name] = str(error)
                        print(f"{turn + 1}  {title:18} {side.name:34} FAILED: {error}", flush=True)
                        if side.name in running:
                            running.pop(side.name).close()
                    else:
                        row.costs.append(cost)
                        show(turn, row, cost)
                    record.save()
    for (side_name, _), row in rows.items():
        # Of a side that failed, what came before is no median of equal rounds.
        row.problem = failed.get(side_name, "")
    return list(rows.values())


def lacks(sides: Sequence[Side], titles: Iterable[str], scope: Scope) -> bool:
    """Return whether a measurement of these sides is missing."""
    rows = [scope.record.row(side.name, of, side.definition) for of in titles for side in sides]
    return any(len(row.costs) < scope.rounds for row in rows)


def _repeats(row: Row) -> int:
    if not row.costs:
        return 1
    return max(1, math.ceil(LEAST_SECONDS / max(row.costs[0].cpu, 0.01)))


def _least_disturbed(process: Process, warm_up: Job, job: Job, repeat: int, tries: int) -> Cost:
    """Measure, again if other programs disturbed it, and return the least disturbed cost."""
    costs: list[Cost] = []
    while len(costs) < tries and all(map(_is_disturbed, costs)):
        if tries > 1:
            _wait_for_quiet(patience=10)
        process.work(limit=600, **warm_up)
        costs.append(process.work(limit=_LIMIT, repeat=repeat, **job))
    return min(costs, key=lambda cost: cost.others)


def _is_disturbed(cost: Cost) -> bool:
    return cost.others > _DISTURBED and cost.wall < _LONG


def _wait_for_quiet(patience: float) -> None:
    """Wait for one second in which the machine is idle, for at most `patience` seconds."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        busy = machine_cpu()
        time.sleep(1)
        if machine_cpu() - busy < _DISTURBED:
            return


def show(turn: int, row: Row, cost: Cost) -> None:
    """Print a measurement as soon as it is there."""
    print(
        f"{turn + 1}  {row.video:18} {row.side:34} {cost.cpu:8.2f} CPU s {cost.wall:8.2f} s "
        f"{cost.peak_mb:6.0f} MB  others {cost.others:.2f}",
        flush=True,
    )
