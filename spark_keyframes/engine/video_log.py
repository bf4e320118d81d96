"""What a worker says of single videos, those that fail and those that are slow, in its log.

Each line is text, and carries the same as fields in `record.context`: where Spark 4.1 or later
collects the logs of its workers, they are the column `context` of `python_worker_logs()`.
"""

import logging
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from spark_keyframes.account import account_cell, frame_words, stage_words
from spark_keyframes.engine.task import VideoTask
from spark_keyframes.errors import KeyframesError
from spark_keyframes.result import Failure
from spark_keyframes.urls import redact_text

_FIRST = 20
_SECONDS_BETWEEN = 60.0
_SECONDS_TO_LOOK = 1.0


@dataclass
class _Kind:
    shown: int = 0
    left_out: int = 0
    last: float = 0.0


class VideoLog:
    """Warns of the first 20 of a kind, then of one in a minute, with what was left out.

    A kind is a stage and the class of an error, or slowness. One object serves one task.

    Arguments:
        logger: where it warns.
        slow_seconds: on the clock; a video that takes longer is said to be slow, once while it is
            at work and once at its end.
        clock: seconds.
    """

    def __init__(
        self,
        logger: logging.Logger,
        *,
        slow_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._logger = logger
        self._slow_seconds = slow_seconds
        self._clock = clock
        self._kinds: dict[str, _Kind] = {}
        self._named: set[int] = set()
        self._looked = -_SECONDS_TO_LOOK

    def look(self, tasks: Iterable[VideoTask]) -> None:
        """Say which of those at work have become slow; to be called often."""
        now = self._clock()
        if now - self._looked < _SECONDS_TO_LOOK:
            return
        self._looked = now
        for task in tasks:
            if task.seconds > self._slow_seconds and task.row not in self._named and not task.done:
                self._named.add(task.row)
                text = f"in {task.stage}, {task.account.frames_scored} frames scored, "
                text += f"{task.video_seconds:.0f} s into it"
                self._slow("slow video, at work", task, text)

    def ended(self, task: VideoTask) -> None:
        """Say why a video failed, and whether it was slow."""
        if isinstance(task.outcome, Failure):
            self._failed(task.outcome, task)
        if task.seconds > self._slow_seconds:
            cell = account_cell(task.account)
            text = f"{task.video_seconds:.0f} s of video: {stage_words(cell)}"
            self._slow("slow video", task, f"{text}; frames {frame_words(cell)}")
        self._named.discard(task.row)

    def close(self) -> None:
        """Say how many were left out since the last of their kind."""
        for name, kind in self._kinds.items():
            if kind.left_out:
                self._logger.warning("%s: %d more of this kind", name, kind.left_out)
                kind.left_out = 0

    def _failed(self, failure: Failure, task: VideoTask) -> None:
        text = failure.message
        if not isinstance(failure.cause, KeyframesError):
            # An error of a kind that this package does not know may be a defect of it: show where.
            trace = "".join(traceback.format_exception(failure.cause))
            text = f"{text}\n{redact_text(trace)}"
        kind = f"no keyframes ({failure.stage}, {failure.error})"
        self._warn(kind, text, task, stage=failure.stage, error=failure.error)

    def _slow(self, kind: str, task: VideoTask, text: str) -> None:
        text = f"{task.name} ({_row(task)}): {task.seconds:.1f} s, {text}"
        fields = account_cell(task.account) | {"video_seconds": round(task.video_seconds, 3)}
        self._warn(kind, text, task, stage=task.stage, **fields)

    def _warn(self, name: str, text: str, task: VideoTask, **context: Any) -> None:
        kind, now = self._kinds.setdefault(name, _Kind()), self._clock()
        if kind.shown >= _FIRST and now - kind.last < _SECONDS_BETWEEN:
            kind.left_out += 1
            return
        if kind.left_out:
            text = f"{text} (and {kind.left_out} more of this kind since the last)"
        context |= {"video": task.name, "row": task.row, "seconds": round(task.seconds, 3)}
        # Spark's context is a map of strings.
        fields = {name: str(value) for name, value in (context | _spark_task()).items()}
        self._logger.warning("%s: %s", name, text, extra={"context": fields})
        kind.shown, kind.left_out, kind.last = kind.shown + 1, 0, now


def _row(task: VideoTask) -> str:
    """Videos in a column of bytes have no name."""
    partition = _spark_task().get("partition")
    return f"row {task.row}" + (f" of partition {partition}" if partition is not None else "")


def _spark_task() -> dict[str, int]:
    """Which of Spark's tasks this is; empty outside of them."""
    if "pyspark" not in sys.modules:
        return {}
    from pyspark import TaskContext

    context = TaskContext.get()
    if context is None:
        return {}
    return {"partition": context.partitionId(), "task_attempt": context.taskAttemptId()}
