"""Warnings of failed rows that do not fill the log."""

import logging
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from spark_keyframes.errors import KeyframesError
from spark_keyframes.result import Failure
from spark_keyframes.storage.redact import redact_text

_FIRST = 20
_SECONDS_BETWEEN = 60.0


@dataclass
class _Kind:
    shown: int = 0
    left_out: int = 0
    last: float = 0.0


class FailureLog:
    """Warns of the first 20 failures of a kind, then of one in a minute, with what was left out.

    A kind is a stage and the class of the error. One object serves one task.
    """

    def __init__(
        self, logger: logging.Logger, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._logger = logger
        self._clock = clock
        self._kinds: dict[tuple[str, str], _Kind] = {}

    def warn(self, failure: Failure) -> None:
        """Say why a row failed, unless too much has been said of its kind."""
        kind = self._kinds.setdefault((failure.stage, failure.error), _Kind())
        now = self._clock()
        if kind.shown >= _FIRST and now - kind.last < _SECONDS_BETWEEN:
            kind.left_out += 1
            return
        text = failure.message
        if not isinstance(failure.cause, KeyframesError):
            # An error of a kind that this package does not know may be a defect of it: show where.
            trace = "".join(traceback.format_exception(failure.cause))
            text = f"{text}\n{redact_text(trace)}"
        if kind.left_out:
            text = f"{text} (and {kind.left_out} more of this kind since the last)"
        self._logger.warning("no keyframes (%s, %s): %s", failure.stage, failure.error, text)
        kind.shown, kind.left_out, kind.last = kind.shown + 1, 0, now

    def close(self) -> None:
        """Say how many were left out since the last of their kind."""
        for (stage, error), kind in self._kinds.items():
            if kind.left_out:
                self._logger.warning(
                    "no keyframes (%s, %s): %d more of this kind", stage, error, kind.left_out
                )
                kind.left_out = 0
