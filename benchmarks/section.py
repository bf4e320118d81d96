"""A part of RESULTS.md: a heading, its tables and its goals.

A benchmark that has a way of its own to measure becomes a part by a function

    def measure(scope: Scope) -> Section

and its line in PARTS of benchmarks/parts.py. `scope` says how many rounds to measure, and where the
videos and the cache are (benchmarks/scope.py). What `measure` prints is shown, and not kept. One
that only prints its figures gets an entry in benchmarks/printed.py instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["reached", "not reached", "not measured"]


@dataclass(frozen=True)
class Goal:
    """A line of the table of goals; see `at_most` and `at_least`."""

    text: str
    """what is compared, e.g. "coarse to exhaustive, 60 min of 720p, CPU time" """
    bound: str
    """e.g. "≤ 0.35" """
    measured: str = "–"
    verdict: Verdict = "not measured"
    note: str = ""
    """more about the figure, e.g. what it would be for the floor"""


@dataclass(frozen=True)
class Section:
    """What RESULTS.md says about a part."""

    title: str
    """of the heading, without marks"""
    text: str
    """Markdown below the heading: what was done, in a sentence or two, and the tables"""
    goals: tuple[Goal, ...] = ()


def at_most(text: str, value: float, limit: float, note: str = "", form: str = ".2f") -> Goal:
    """Return the line of a figure that must not be above a limit."""
    verdict: Verdict = "reached" if value <= limit else "not reached"
    return Goal(text, f"≤ {limit:{form}}", f"{value:{form}}", verdict, note)


def at_least(text: str, value: float, limit: float, note: str = "", form: str = ".2f") -> Goal:
    """Return the line of a figure that must not be below a limit."""
    verdict: Verdict = "reached" if value >= limit else "not reached"
    return Goal(text, f"≥ {limit:{form}}", f"{value:{form}}", verdict, note)


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a table in Markdown, whose first column has names and whose others have figures."""
    lines = ["| " + " | ".join(line) + " |" for line in [head, *rows]]
    return "\n".join([lines[0], "|---|" + "---:|" * (len(head) - 1), *lines[1:]])
