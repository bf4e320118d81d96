"""Texts of users and numbers, as HTML shows them. The templates escape them."""

import math

from spark_keyframes.images.text import format_score, format_time
from spark_keyframes.redaction import escape_invisible

_LONGEST = 1000  # characters
_JOINERS = "\u200c\u200d"  # Persian and Indian words and some emoji need these


def shown(text: str) -> str:
    """Return a text in one line and cut, with control and other invisible characters escaped.

    A newline would end an attribute's line, and a character that reverses the order of what
    follows would make a name look like another.
    """
    return shown_line(" ".join(text[: 2 * _LONGEST].split()))


def shown_line(line: str) -> str:
    """Return what `shown` does of a line, with its blanks."""
    if len(line) > _LONGEST:
        line = f"{line[:_LONGEST]}…"
    return "".join(each if each in _JOINERS else escape_invisible(each) for each in line)


def time_words(seconds: float | None) -> str:
    """Return a time as m:ss.s; "" where it is not known."""
    return "" if seconds is None or not math.isfinite(seconds) else format_time(seconds)


def score_words(score: float | None) -> str:
    """Return a score with three decimals; a dash for none, and in words what is not a number."""
    if score is None:
        return "–"
    return format_score(score) if math.isfinite(score) else f"not a number ({score})"


def counted(count: int, noun: str) -> str:
    """Return "1 keyframe" or "4 keyframes"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
