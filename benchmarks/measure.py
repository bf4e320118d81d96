"""Measures the sides in turn on the same work, each in its own process."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks import inputs
from benchmarks.process import Cost, Process, Side, SideError, machine_cpu
from benchmarks.rows import Row

_DISTURBED = 0.2
"""cores that other programs keep busy, above which a measurement is repeated"""

# The system counts CPU time in steps of 10 ms, so a shorter job is done several times.
_LEAST_SECONDS = 1.0


def measure(
    sides: list[Side],
    videos: dict[str, Path],
    rounds: int,
    *,
    cores: set[int],
    cache: Path,
    tries: int = 1,
    together: Iterable[str] = (),
    model: Path | None = None,
) -> list[Row]:
    """Let the sides take turns on each video. A side that fails is left out, with its reason.

    With `together`, all those videos are one job; `videos` then maps its title to any one of them.
    `model` is the folder of a model, by default that of ViT-B/32.
    """
    model = model or inputs.prepare_clip(cache)
    warm_up = str(inputs.prepare_warm_up(cache=cache))
    many = {"videos": list(together)} if together else {}
    rows = {(side.name, title): Row(side.name, title) for title in videos for side in sides}
    with ExitStack() as stack:
        running: dict[str, Process] = {}
        for turn in range(rounds):
            for title, video in videos.items():
                for side in sides:
                    row = rows[side.name, title]
                    try:
                        if side.name not in running:
                            if any(rows[side.name, t].problem for t in videos):
                                continue
                            running[side.name] = stack.enter_context(
                                Process(side, model=model, cache=cache, cores=cores)
                            )
                        process = running[side.name]
                        job = {"video": str(video), "fps": 1.0} | many
                        cost = _least_disturbed(process, warm_up, job, _repeats(row), tries)
                    except SideError as error:
                        row.problem = str(error)
                        if side.name in running:
                            running.pop(side.name).close()
                    else:
                        row.costs.append(cost)
                        show(turn, row, cost)
    for row in rows.values():
        if rounds > 1 and row.costs and row.costs[0].cpu < _LEAST_SECONDS:
            del row.costs[0]  # it only showed how often to repeat
    return list(rows.values())


def _repeats(row: Row) -> int:
    if not row.costs:
        return 1
    return max(1, math.ceil(_LEAST_SECONDS / max(row.costs[0].cpu, 0.01)))


def _least_disturbed(
    process: Process, warm_up: str, job: dict[str, Any], repeat: int, tries: int
) -> Cost:
    """Measure, again if other programs disturbed it, and return the least disturbed cost."""
    costs: list[Cost] = []
    while len(costs) < tries and all(cost.others > _DISTURBED for cost in costs):
        if tries > 1:
            _wait_for_quiet(patience=10)
        process.work(video=warm_up, fps=15.0, limit=300)
        costs.append(process.work(repeat=repeat, **job))
    return min(costs, key=lambda cost: cost.others)


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
