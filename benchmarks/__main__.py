"""Compares spark_keyframes with other tools, on the same files, frames, model and cores.

    python -m benchmarks [--parts decoding ...] [--within MINUTES] [--rounds 3] [--again] [--list]
    python -m benchmarks --quick    # everything as small as possible, reported elsewhere

Each side runs in its own process (see benchmarks/competitors). It processes a short clip before
each measured video, so imports, model loading and start-up do not count. The sides take turns, and
medians are reported. --list shows the parts, and about how long each takes.

Every measurement is kept in benchmarks/measured at once, and benchmarks/RESULTS.md is written from
all of them after each part. The same command goes on after a break, however it ended; --within 90
ends it after about 90 minutes. It goes on as long as the code of spark_keyframes, the machine and
the packages are the same; else a part begins anew. --again measures anew in any case. A side that
fails is left out, with its reason, and tried again by the next call.

A measurement of wall clock is repeated if other programs keep more than a fifth of a core busy, up
to --tries times. The least disturbed one counts, and the report shows the disturbance.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import traceback
from pathlib import Path

from benchmarks import inputs
from benchmarks.parts import PARTS, Part
from benchmarks.process import without_paths
from benchmarks.record import MEASURED, Record, Setup, record_of, records
from benchmarks.report import write_report
from benchmarks.scope import OutOfTimeError, Scope
from benchmarks.section import Section

RESULTS = Path(__file__).with_name("RESULTS.md")


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--list", action="store_true", help="show the parts, and measure nothing")
    parser.add_argument("--within", type=float, default=float("inf"), help="minutes; then it ends")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--tries", type=int, default=3, help="repetitions of a run that other programs disturb"
    )
    parser.add_argument("--again", action="store_true", help="measure the parts anew")
    parser.add_argument(
        "--quick", action="store_true", help="as small as possible, to see that everything runs"
    )
    parser.add_argument("--candidates", type=int, default=1_000_000, help='of "search"')
    parser.add_argument("--cache", type=Path, default=inputs.CACHE)
    parser.add_argument("--videos", type=Path, default=inputs.VIDEOS)
    parser.add_argument("--measured", type=Path, help="folder of what was measured")
    parser.add_argument("--output", type=Path, help="the report")
    return parser.parse_args()


def main() -> None:
    options = parsed()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    of_quick = Path(tempfile.gettempdir()) / "spark_keyframes_bench_quick"
    measured = options.measured or (of_quick / "measured" if options.quick else MEASURED)
    report = options.output or (of_quick / RESULTS.name if options.quick else RESULTS)
    for folder in (options.cache, report.parent):
        folder.mkdir(parents=True, exist_ok=True)
    setup = Setup.of_today()
    todo = {part: record_of(part, setup, measured) for part in options.parts}
    if options.again:
        todo = {part: Record(part, setup, record.path) for part, record in todo.items()}
    show_plan(todo, options)
    if options.list:
        return
    deadline = time.monotonic() + 60 * options.within
    for part, record in todo.items():
        if record.complete >= options.rounds:
            continue
        scope = Scope(
            record,
            rounds=options.rounds,
            tries=options.tries,
            candidates=options.candidates,
            cache=options.cache,
            videos=options.videos,
            deadline=deadline,
        )
        if options.quick:
            scope = scope.smallest()
        try:
            ended = run(PARTS[part], scope, options.rounds)
        finally:
            found = records(list(PARTS), measured)
            if found:
                write_report(report, found, PARTS)
        if not ended:
            print("The time is over. The same command goes on from here.")
            break
    for part, record in todo.items():
        for reason in record.reasons:
            print(f"{part}: left out: {reason}")
    print(report)


def run(part: Part, scope: Scope, rounds: int) -> bool:
    """Measure a part; return False if the time is over. Whatever else fails is recorded.

    `rounds` are those asked for; a scope may have fewer.
    """
    record = scope.record
    record.complete = 0
    record.begin()
    print(f"\n{record.part}: {part.about}", flush=True)
    try:
        found = part.measure(scope)
    except OutOfTimeError:
        return False
    except Exception as error:  # noqa: BLE001 - an hour of other parts must not be lost
        traceback.print_exc()
        record.problem = without_paths(f"{type(error).__name__}: {error}")
    else:
        if isinstance(found, Section):
            record.section = found
        else:
            record.rows = found
        record.complete = 0 if any(row.problem for row in record.rows) else rounds
    record.save()
    return True


def show_plan(todo: dict[str, Record], options: argparse.Namespace) -> None:
    """Print the parts, and about how long they take."""
    total = 0.0
    print(f"{'part':14}{'minutes':>8}  what it measures")
    for name, record in todo.items():
        part = PARTS[name]
        is_done = record.complete >= options.rounds
        minutes = record.seconds / 60 if is_done else part.minutes * options.rounds / 3
        state = "measured already" if is_done else part.about
        if not is_done and record.rows:
            state += "; begun"
        total += 0 if is_done else minutes
        print(f"{name:14}{minutes:8.0f}  {state}")
    print(f"about {total:.0f} minutes, on a machine with two quiet cores")


if __name__ == "__main__":
    main()
