"""What a check found: a line of the doctor's report."""

import os
import re
from dataclasses import dataclass
from typing import Literal, get_args

from spark_keyframes.redaction import redact_text

Level = Literal["good", "note", "bad"]
"""Works as it should; works, but could be better or lacks what may be wanted; does not work."""

LEVELS: tuple[Level, ...] = get_args(Level)


@dataclass(frozen=True)
class Finding:
    """A line of the report. Texts are redacted: they may quote variables and other packages.

    ~ stands for the home folder.
    """

    name: str
    """What was looked at."""
    level: Level
    found: str
    """What is there."""
    advice: str = ""
    """What to do; empty where there is nothing to do."""

    def __post_init__(self) -> None:
        if self.level not in LEVELS:
            raise ValueError(f"level must be one of {', '.join(LEVELS)}, got {self.level!r}")
        for each in ("name", "found", "advice"):
            text = redact_text(str(getattr(self, each)))
            object.__setattr__(self, each, _without_home(text))


def _without_home(text: str) -> str:
    """Return a text with ~ for the home folder, whose name is often that of a person."""
    home = os.path.expanduser("~").rstrip("/")  # noqa: PTH111 - Path.home() raises without one
    return re.sub(rf"{re.escape(home)}(?=/)", "~", text) if home.count("/") > 1 else text


def good(name: str, found: str) -> Finding:
    """Return a line about what works as it should."""
    return Finding(name, "good", found)


def note(name: str, found: str, advice: str = "") -> Finding:
    """Return a line about what works, but could be better, or lacks what may be wanted."""
    return Finding(name, "note", found, advice)


def bad(name: str, found: str, advice: str) -> Finding:
    """Return a line about what does not work."""
    return Finding(name, "bad", found, advice)
