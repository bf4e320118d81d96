"""Logs the videos that fail and those that are slow, in the worker.

Each line is text. `record.context` has the same as fields: Spark 4.1 and later collect them in the
column `context` of `python_worker_logs()`.
"""

import logging
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from spark_keyframes.account import account_cell, frame_words, stage_words
from spark_keyframes.engine.task import VideoTask
from spark_keyframes.errors import HookError, KeyframesError
from spark_keyframes.redaction import redact_text
from spark_keyframes.result import Failure

logger = logging.getLogger("spark_keyframes")

_FIRST = 20
_SECONDS_BETWEEN = 60.0
_SECONDS_TO_LOOK = 1.0


@dataclass
class _Kind:
    shown: int = 0
    left_out: int = 0
    last: float = 0.0


class VideoLog:
    """Warns of the first 20 of a kind, then of one per minute, with the number left out between.

    A kind is a stage and an error class, or slowness. One object serves one run.

    Args:
        slow_seconds: wall-clock seconds. A video that takes longer is logged as slow, once while it
            is at work and once at its end.
        context: further fields for each line, such as Spark's task.
        clock: seconds.
    """

    def __init__(
        self,
        *,
        slow_seconds: float,
        context: Callable[[], Mapping[str, Any]] = dict,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._slow_seconds = slow_seconds
        self._context = context
        self._clock = clock
        self._kinds: dict[str, _Kind] = {}
        self._named: set[int] = set()
        self._looked = -_SECONDS_TO_LOOK

    def look(self, tasks: Iterable[VideoTask]) -> None:
        """Warn of videos at work that have become slow; cheap, so that it may be called often."""
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
        """Warn of a video that failed or was slow; tell which of its streams was taken."""
        if task.stream_choice:
            logger.info("%s: %s", task.name, task.stream_choice)
        if isinstance(task.outcome, Failure):
            self._failed(task.outcome, task)
        if task.seconds > self._slow_seconds:
            cell = account_cell(task.account)
            text = f"{task.video_seconds:.0f} s of video: {stage_words(cell)}"
            self._slow("slow video", task, f"{text}; frames {frame_words(cell)}")
        self._named.discard(task.row)

    def close(self) -> None:
        """Warn of how many were left out since the last line of their kind."""
        for name, kind in self._kinds.items():
            if kind.left_out:
                logger.warning("%s: %d more of this kind", name, kind.left_out)
                kind.left_out = 0

    def _failed(self, failure: Failure, task: VideoTask) -> None:
        text = failure.message
        if isinstance(failure.cause, HookError) or not isinstance(failure.cause, KeyframesError):
            # Errors of foreign kinds and of the user's own code: show where they were raised.
            trace = "".join(traceback.format_exception(failure.cause))
            # Indented: a line of an error must not look like one of the log.
            text = redact_text(f"{text}\n{trace}", lines=True).replace("\n", "\n  ")
        kind = f"no keyframes ({failure.stage}, {failure.error})"
        self._warn(kind, text, task, stage=failure.stage, error=failure.error)

    def _slow(self, kind: str, task: VideoTask, text: str) -> None:
        text = f"{task.name} ({self._row(task)}): {task.seconds:.1f} s, {text}"
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
        fields = {name: str(value) for name, value in (context | dict(self._context())).items()}
        logger.warning("%s: %s", name, text, extra={"context": fields})
        kind.shown, kind.left_out, kind.last = kind.shown + 1, 0, now

    def _row(self, task: VideoTask) -> str:
        """Which row: videos in a column of bytes have no name."""
        partition = self._context().get("partition")
        return f"row {task.row}" + (f" of partition {partition}" if partition is not None else "")
