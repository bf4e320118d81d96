"""Score curves as cells of a column, and the most that a row may hold of them."""

from typing import Any

import numpy as np

from spark_keyframes.engine.request import Outcome
from spark_keyframes.errors import RowTooLargeError
from spark_keyframes.result import Answers, Candidates, Failure, Keyframes

CANDIDATE_BYTES = 12
"""Of a candidate in a curve: its time and its score."""


def curve_cell(outcome: Keyframes | Answers) -> Any:
    """Return the value of `arrow_type(f"struct<{CURVE_DDL}>")`; for several texts a list."""
    if isinstance(outcome, Answers):
        return [keyframes and _curve(keyframes.candidates) for keyframes in outcome.keyframes]
    return _curve(outcome.candidates)


def curve_bytes(outcome: Keyframes | Answers) -> int:
    """Return the memory that the curves of a row take."""
    return CANDIDATE_BYTES * sum(len(each.scores) for each in _of_texts(outcome))


def with_bounded_curves(outcome: Outcome, most: int) -> Outcome:
    """Return the outcome, or a failure where its curves take more than `most` bytes."""
    if not isinstance(outcome, Keyframes | Answers) or curve_bytes(outcome) <= most:
        return outcome
    of_texts = _of_texts(outcome)
    error = RowTooLargeError(
        f"the score curves of {len(of_texts[0].scores)} candidates for {len(of_texts)} texts take "
        f"more than {most / 2**20:g} MiB, the most that a row may hold; lower fps, leave curve_col "
        "out, give fewer texts in a row, or sample the video in several parts: start_col, end_col"
    )
    source = next(each.source for each in _results(outcome))
    return Failure.of(error, error.stage, source, account=outcome.account)


def _results(outcome: Keyframes | Answers) -> list[Keyframes]:
    each = outcome.keyframes if isinstance(outcome, Answers) else [outcome]
    return [one for one in each if one is not None]


def _of_texts(outcome: Keyframes | Answers) -> list[Candidates]:
    return [each.candidates for each in _results(outcome)]


def _curve(candidates: Candidates) -> dict[str, Any]:
    # Arrays: lists of Python's numbers would take five times the memory until the batch is full.
    return {
        "timestamps": np.array(candidates.timestamps, np.float64),
        "scores": np.array(candidates.scores, np.float32),
    }
