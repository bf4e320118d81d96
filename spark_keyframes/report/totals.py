"""Counts what became of the videos of a table, row by row."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from spark_keyframes.account import account_columns
from spark_keyframes.redaction import redact_text

_EXAMPLES = 3  # of each kind of failure
_QUESTIONS = 50  # that are told apart


@dataclass
class FailureKind:
    """The videos that failed at one stage with one kind of error."""

    stage: str
    error: str
    count: int = 0
    examples: list[tuple[str, str]] = field(default_factory=list)
    """names of videos, and the messages"""


@dataclass(frozen=True)
class Question:
    """How rows were made: fields of `made_by`."""

    model: str
    selector: str
    fps: float | None
    max_num_frames: float | None
    version: str


@dataclass
class Totals:
    """What became of the videos."""

    videos: int = 0
    """rows per video, or part of a video"""
    shown: int = 0
    """of these, in the gallery"""
    done: int = 0
    failed: int = 0
    keyframes: int = 0
    stored: int = 0
    """images whose URL the table has"""
    seconds: float = 0.0
    """of video, of those where it is known"""
    with_seconds: int = 0
    """videos of which it is known"""
    accounts: int = 0
    """videos with an account"""
    account: Counter[str] = field(default_factory=Counter)
    """the sum of each field"""
    failures: dict[tuple[str, str], FailureKind] = field(default_factory=dict)
    questions: Counter[Question] = field(default_factory=Counter)
    texts: Counter[str] = field(default_factory=Counter)

    @property
    def empty(self) -> int:
        """Videos without a result that did not fail: the video, or the text, is null."""
        return self.videos - self.done - self.failed

    def add_failure(self, error: Mapping[str, Any], title: str) -> None:
        """Count a failed video."""
        self.failed += 1
        stage, name = str(error.get("stage") or "unknown"), str(error.get("error") or "unknown")
        kind = self.failures.setdefault((stage, name), FailureKind(stage, name))
        kind.count += 1
        if len(kind.examples) < _EXAMPLES:
            kind.examples.append((title, redact_text(str(error.get("message") or ""))))

    def add_account(self, account: Mapping[str, Any] | None) -> None:
        """Add the account of a video, if it has one."""
        if account is not None:
            self.accounts += 1
            for name in account_columns():
                self.account[name] += number(account.get(name)) or 0

    def add_texts(self, texts: Sequence[str]) -> None:
        """Count the texts of a video. Only so many are told apart."""
        for text in texts:
            if text in self.texts or len(self.texts) < _QUESTIONS:
                self.texts[text] += 1

    def add_question(self, made_by: Mapping[str, Any] | None) -> None:
        """Count how a video was sampled. Only so many ways are told apart."""
        if made_by is None:
            return
        question = Question(
            model=str(made_by.get("model")),
            selector=str(made_by.get("selector")),
            fps=number(made_by.get("fps")),
            max_num_frames=number(made_by.get("max_num_frames")),
            version=str(made_by.get("version")),
        )
        if question in self.questions or len(self.questions) < _QUESTIONS:
            self.questions[question] += 1

    def add_seconds(self, seconds: float | None) -> None:
        """Add how long a video is, if that is known."""
        if seconds is not None and math.isfinite(seconds):
            self.seconds += seconds
            self.with_seconds += 1


def seconds_of(
    *,
    info: Mapping[str, Any] | None,
    curve: Any,
    account: Mapping[str, Any] | None,
    made_by: Mapping[str, Any] | None,
    window: tuple[float | None, float | None],
) -> float | None:
    """Return about how many seconds of a video were sampled; None where nothing tells.

    Args:
        info: `index_info`, which has the video's length.
        curve: times of all candidates, or several such lists for several texts.
        account: with the number of candidates.
        made_by: with the candidates per second.
        window: the part that was sampled, in seconds.
    """
    start, end = window
    fps = number((made_by or info or {}).get("fps"))
    length: float | None = number((info or {}).get("duration"))
    if length is not None:
        return max(0.0, min(length, math.inf if end is None else end) - (start or 0.0))
    known = ([at for at in each if number(at) is not None] for each in _curves(curve))
    times = next(filter(None, known), None)
    if times is not None:
        return float(times[-1]) - float(times[0]) + (1 / fps if fps else 0.0)
    scored = number((account or {}).get("frames_scored"))
    return float(scored / fps) if scored and fps else None


def number(value: Any) -> Any:
    """Return an int or a finite float as it is, and None for all else.

    A table that is not ours may hold anything under the names of our fields.
    """
    return value if isinstance(value, int | float) and math.isfinite(value) else None


def _curves(curve: Any) -> list[Any]:
    """Return the times of a curve, or of the curves for several texts."""
    if curve is None:
        return []
    if isinstance(curve, Mapping):
        return [curve.get("timestamps") or []]
    return [times for each in curve for times in _curves(each)]
