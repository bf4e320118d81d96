"""Compares spark_keyframes with other tools, on the same files, frames, model and cores.

    python -m benchmarks [--full] [--parts decoding ...] [--kinds 720p 1080p] [--minutes 2]
                         [--long-minutes 20] [--candidates 1000000] [--rounds 3] [--tries 3]
                         [--cache FOLDER] [--videos FOLDER] [--output FILE] [--append]

Each side runs in its own process (see benchmarks/competitors). It processes a short clip before
each measured video, so imports, model loading and start-up do not count. The sides take turns.
Medians are reported, in benchmarks/RESULTS.md. The parts:

    decoding   decode the candidates in one thread, of all inputs and of the original clips
    work       CPU time from file to keyframes on one core, where no thread spins for another
    wall       wall-clock time from file to keyframes on all cores
    short      200 clips by the engine alone, and by the engine on Spark
    long       "work" for spark_keyframes and the floors, on 20 minutes of 720p and 1080p, once
    hours      2 and 120 minutes of 1080p on one core and on all, once: memory and use of the cores
    isolation  decoding in child processes and in threads
    texts      three texts beside one, on one core
    questions  ten questions to 20 minutes of video and to their index, the transforms once
    search     a search over 1,000,000 made-up candidates, and reading the file with Spark alone
    startup    from an action to its first row in a new Python worker, see benchmarks.startup

A run of "wall" is repeated if other programs keep more than a fifth of a core busy, up to --tries
times. The least disturbed run counts, and the report shows the disturbance.

By default: decoding, work, wall and startup, for 2 minutes of 720p. --full: all parts, for 720p and
1080p.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path

from benchmarks import inputs, startup
from benchmarks.parts import MEASURES
from benchmarks.report import earlier_reports, write_report
from benchmarks.rows import Group
from benchmarks.scope import Scope

PARTS = [*MEASURES, "startup"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--parts", nargs="+", choices=PARTS)
    parser.add_argument("--kinds", nargs="+", choices=inputs.KINDS)
    parser.add_argument("--minutes", type=int, default=2)
    parser.add_argument("--long-minutes", type=int, default=20, help='of "long" and "questions"')
    parser.add_argument("--candidates", type=int, default=1_000_000, help='of "search"')
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--tries", type=int, default=3, help="repetitions of a run that other programs disturb"
    )
    parser.add_argument("--cache", type=Path, default=inputs.CACHE)
    parser.add_argument("--videos", type=Path, default=inputs.VIDEOS)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("RESULTS.md"))
    parser.add_argument(
        "--append",
        action="store_true",
        help="keep the reports of other commands in FILE, instead of all but this one",
    )
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    parts = options.parts or (PARTS if options.full else ["decoding", "work", "wall", "startup"])
    scope = Scope(
        kinds=options.kinds or ["720p", *(["1080p"] if options.full else [])],
        minutes=options.minutes,
        rounds=options.rounds,
        tries=options.tries,
        long_minutes=options.long_minutes,
        candidates=options.candidates,
        cache=options.cache,
        videos=options.videos,
    )
    kept = earlier_reports(options.output) if options.append else []
    command = shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]])
    groups: list[Group] = []
    starts: dict[str, startup.Start] = {}
    for part in parts:
        if part == "startup":
            starts = startup.measure(options.rounds, cache=options.cache)
        else:
            groups.append(Group(part, MEASURES[part](scope)))
        write_report(options.output, groups, starts, command, kept)
    print(options.output)


if __name__ == "__main__":
    main()
