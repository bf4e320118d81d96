"""Tells the engine of an error, as a decode process sends it."""

from __future__ import annotations

import traceback
from typing import Any

from spark_keyframes.errors import KeyframesError
from spark_keyframes.video.memory_limit import raise_if_out_of_memory
from spark_keyframes.video.process.file_server import FileServerError

_MAX_TEXT = 10_000  # characters of an error message


def error_message(error: Exception) -> dict[str, Any]:
    """Return the fields of an error."""
    is_source = isinstance(error, FileServerError | EOFError)
    if not is_source:
        error = _limit_error_of(error)
    is_known = is_source or isinstance(error, KeyframesError)
    return {
        "error": "source" if is_source else type(error).__name__,
        "message": str(error)[:_MAX_TEXT],
        "stage": error.stage if isinstance(error, KeyframesError) else "",
        "traceback": "" if is_known else "".join(traceback.format_exception(error))[-_MAX_TEXT:],
        # A process that ran out of memory may fail on the next video too.
        "must_be_replaced": isinstance(error.__cause__, MemoryError),
    }


def _limit_error_of(error: Exception) -> Exception:
    """Return LimitError if a lack of memory caused the error, otherwise the error."""
    try:
        raise_if_out_of_memory(error)
    except KeyframesError as limit:
        return limit
    return error
