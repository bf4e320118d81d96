"""Parts that are programs of their own: `python -m benchmarks.NAME` prints its figures.

A program runs in a process of its own, because some set the cores that they use. RESULTS.md shows
what it prints. A goal is a figure in it, found by a regular expression.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.process import ROOT
from benchmarks.scope import Scope
from benchmarks.section import Goal, Section, at_most

_LIMIT = 3600
"""seconds that a program may take"""


@dataclass(frozen=True)
class Wanted:
    """A goal, and where its figure is printed."""

    text: str
    pattern: str
    """with one group, the figure"""
    limit: float
    compare: Callable[[str, float, float], Goal] = at_most

    def goal(self, printed: str) -> Goal:
        """Return the goal with the last such figure that is printed."""
        found = re.findall(self.pattern, printed)
        if not found:
            bound = self.compare(self.text, 0, self.limit).bound
            return Goal(self.text, bound, note="the figure was not printed")
        return self.compare(self.text, float(found[-1]), self.limit)


@dataclass(frozen=True)
class Program:
    """A part that is a program."""

    name: str
    """of the module in benchmarks"""
    title: str
    wanted: tuple[Wanted, ...] = ()
    options: str = ""
    quick: str = ""
    """options that make it as short as possible"""

    def __call__(self, scope: Scope) -> Section:
        """Run it; RuntimeError if it fails."""
        scope.check_time()
        options = shlex.split(self.quick if scope.quick else self.options)
        command = ["python", "-m", f"benchmarks.{self.name}", *options]
        done = subprocess.run(
            [sys.executable, *command[1:]],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=_LIMIT,
            check=False,
        )
        print(done.stdout, flush=True)
        if done.returncode:
            last = (done.stderr.strip() or "it says nothing").splitlines()[-1]
            raise RuntimeError(f"`{shlex.join(command)}` failed: {last}")
        text = f"`{shlex.join(command)}` prints:\n\n```text\n{done.stdout.rstrip()}\n```"
        return Section(self.title, text, tuple(each.goal(done.stdout) for each in self.wanted))


SHORT_CLIPS = Program(
    "short_clips",
    "Clips of 2 seconds, on one core",
    (
        Wanted(
            "clips of 2 s: child processes to threads, wall clock on one core",
            r"process to thread: wall clock ([\d.]+)",
            1.1,
        ),
    ),
    quick="--clips 16 --blocks 2",
)
PIXELS = Program(
    "pixels",
    "A frame's way from the decoder to the model",
    quick="--rounds 1 --sizes 640x360 --formats yuv420p",
)
