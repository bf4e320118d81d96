"""Starts Spark for a job, and turns what goes wrong into one line and an exit code."""

import os
import sys
import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from spark_keyframes.errors import KeyframesError
from spark_keyframes.jobs.command_line import with_flags
from spark_keyframes.jobs.failure_limit import TooManyFailuresError
from spark_keyframes.jobs.options import JobOptions
from spark_keyframes.redaction import redact_text

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_Options = TypeVar("_Options", bound=JobOptions)

FAILED = 1
WRONG_OPTIONS = 2
TOO_MANY_FAILED = 3


def start_spark() -> "SparkSession":
    """Return the session of spark-submit, or a local one."""
    from pyspark.sql import SparkSession

    # Without this, the workers of a local job run the first python3 in PATH.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    return SparkSession.builder.appName("spark_keyframes").getOrCreate()


def run_job(program: str, run: "Callable[[SparkSession, _Options], int]", options: _Options) -> int:
    """Run a job in a session of its own, print what went wrong, and return the exit code.

    Args:
        program: name of the program, for messages.
        run: the job; returns its exit code.
        options: what it is called with.
    """
    from pyspark.errors import AnalysisException

    try:
        spark = start_spark()
        try:
            return run(spark, options)
        finally:
            spark.stop()
    except (KeyframesError, AnalysisException) as error:
        message, status = str(error), WRONG_OPTIONS
    except TooManyFailuresError as error:
        message, status = f"{error}; the lines above say why", TOO_MANY_FAILED
    except Exception as error:  # noqa: BLE001 - Python's own traceback would show secrets of URLs
        message, status = f"the job failed: {_readable(error)}", FAILED
    message = redact_text(with_flags(message, type(options)), lines=True)
    print(f"{program}: {message}", file=sys.stderr)
    return status


def _readable(error: Exception) -> str:
    """Return a worker's error without Spark's traceback around it; of others, the traceback."""
    from pyspark.errors import PythonException

    trace = "".join(traceback.format_exception(error))
    if (missing := "No module named 'spark_keyframes'") in trace:
        return f"{missing} in the Python of the executors; see docs/shipping.md"
    if not isinstance(error, PythonException):
        return f"\n{trace}"
    lines = [line.strip() for line in str(error).splitlines() if "Error: " in line]
    return lines[-1].removeprefix("spark_keyframes.errors.") if lines else str(error)
