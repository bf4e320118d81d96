"""The report as text: aligned, in colour on a terminal only."""

import os
import shutil
import sys
import textwrap
from collections.abc import Container, Iterable
from typing import TextIO

from spark_keyframes.doctor.finding import LEVELS, Finding, good

_NARROWEST, _WIDEST = 60, 100
_NAME = 15  # characters; longer names push their line to the right
_COLOURS = {"good": "32", "note": "33", "bad": "1;31"}
_BEFORE = len("good  ") + _NAME + len("  ")


class Writer:
    """Formats lines for a width.

    Args:
        width: characters of a line.
        colour: whether to use the colours of a terminal.
    """

    def __init__(self, *, width: int, colour: bool = False) -> None:
        self._width = max(_NARROWEST, min(width, _WIDEST))
        self._colour = colour

    def heading(self, place: str) -> str:
        """Return the line above the lines of a place."""
        return f"\n{self._in(place[:1].upper() + place[1:], '1')}"

    def lines(self, finding: Finding) -> str:
        """Return the lines of a finding, and of what to do."""
        level = self._in(finding.level, _COLOURS[finding.level]) + " " * (4 - len(finding.level))
        first = f"{finding.name:{_NAME}}  {finding.found}"
        wrapped = self._wrap(first, first_indent=len("good  "))
        text = f"{level}  {wrapped}"
        if finding.advice:
            advice = self._wrap(f"→ {finding.advice}", first_indent=_BEFORE, more=2)
            text += "\n" + " " * _BEFORE + advice
        return text

    def summary(self, findings: Iterable[Finding]) -> str:
        """Return the last line: how many lines are good, notes and bad."""
        levels = [each.level for each in findings]
        counts = {level: levels.count(level) for level in LEVELS}
        notes = "1 note" if counts["note"] == 1 else f"{counts['note']} notes"
        return f"\n{counts['good']} good, {notes}, {counts['bad']} bad"

    def _wrap(self, text: str, *, first_indent: int, more: int = 0) -> str:
        return textwrap.fill(
            text,
            self._width,
            initial_indent=" " * first_indent,
            subsequent_indent=" " * (_BEFORE + more),
            break_long_words=False,
            break_on_hyphens=False,
        ).lstrip(" ")

    def _in(self, text: str, colour: str) -> str:
        return f"\x1b[{colour}m{text}\x1b[0m" if self._colour else text


def condensed(findings: Iterable[Finding], known: Container[Finding]) -> list[Finding]:
    """Return lines with those that are good, and known already, as one."""
    found = list(findings)
    same = [each for each in found if each.level == "good" and each in known]
    shown = [each for each in found if each not in same]
    if same:
        names = ", ".join(dict.fromkeys(each.name for each in same))
        shown.append(good("as above", names))
    return shown


def writer_for(stream: TextIO) -> Writer:
    """Return a writer that fits a stream: colour on a terminal, unless NO_COLOR is set."""
    colour = stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    width = shutil.get_terminal_size((_WIDEST, 24)).columns if stream.isatty() else _WIDEST
    return Writer(width=width, colour=colour)


def can_write(text: str, stream: TextIO | None = None) -> str:
    """Return a text with the characters that the stream's encoding lacks replaced."""
    encoding = (stream or sys.stdout).encoding or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        for sign, plain in (("→", "->"), ("“", '"'), ("”", '"'), ("×", "x")):
            text = text.replace(sign, plain)
        return text.encode(encoding, "replace").decode(encoding)
    return text
