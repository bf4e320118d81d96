"""Starts Spark for a job, and turns what goes wrong into one line and an exit code."""

import errno
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from spark_keyframes.errors import IndexMismatchError, KeyframesError, ParameterError
from spark_keyframes.jobs.command_line import with_flags
from spark_keyframes.jobs.conf_folder import use_own_folder
from spark_keyframes.jobs.failure_limit import TooManyFailuresError
from spark_keyframes.jobs.file_systems import check_file_system
from spark_keyframes.jobs.listing import local_path
from spark_keyframes.jobs.options import JobOptions
from spark_keyframes.jobs.overwriting import check_overwriting
from spark_keyframes.redaction import redact_text
from spark_keyframes.spark.interpreter import is_local

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_Options = TypeVar("_Options", bound=JobOptions)

FAILED = 1
WRONG_OPTIONS = 2
TOO_MANY_FAILED = 3


# As in conf/spark-defaults.conf, which says why.
DEFAULTS = {
    "spark.redaction.regex": r"(?i)secret|password|passwd|token|access[._-]?key|credential|"
    r"signature=|[?&]sig=|/[^/@ ]+:[^/@ ]*@",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "64",
    "spark.locality.wait": "0s",
    "spark.sql.files.maxPartitionBytes": "16m",
    "spark.sql.inMemoryColumnarStorage.hugeVectorThreshold": "16m",
    "spark.ui.showConsoleProgress": "false",
}
"""Settings of Spark that a job sets where neither its user nor its cluster has."""

# On a cluster, every task would fail where the executors' Python lacks this package.
LOCAL_DEFAULTS = {"spark.python.daemon.module": "spark_keyframes.spark.daemon"}

_REMEDIES = {
    "No FileSystem for scheme": "Spark lacks the package for it: for S3, write s3a:// and add "
    "--packages org.apache.hadoop:hadoop-aws:VERSION, with the version of Spark's Hadoop",
    "S3AFileSystem not found": "add --packages org.apache.hadoop:hadoop-aws:VERSION to "
    "spark-submit, with the version of Spark's Hadoop",
    "UnknownHostException": "correct the name of the host, or the settings of HDFS in "
    "HADOOP_CONF_DIR",
    "is not a Parquet file": "`input` must be a table here; give `input_format` for one of another "
    "format",
    "No module named": "the Python of the executors lacks it; see docs/shipping.md",
}
"""What helps against an exception of the JVM or of a worker that contains such a text."""

# Errors in a worker that an option causes. The job sees them only when it reads the rows.
_REFUSAL = f"{IndexMismatchError.__name__}: "

_LOG_LEVEL = "spark.log.level"


def start_spark() -> "SparkSession":
    """Return the session of spark-submit, or a local one, with `DEFAULTS` where nothing is set."""
    from pyspark.sql import SparkSession
    from pyspark.sql.utils import is_remote

    # Without this, the workers of a local job run the first python3 in PATH.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    use_own_folder()
    builder = SparkSession.builder.appName("spark_keyframes")
    if not is_remote() and not is_running():
        for name, value in _missing_defaults().items():
            builder = builder.config(name, value)
    return builder.getOrCreate()


def is_running() -> bool:
    """Return whether this process has a session already, as a notebook has."""
    from pyspark.sql import SparkSession
    from pyspark.sql.utils import is_remote

    if is_remote():
        return SparkSession.getActiveSession() is not None
    from pyspark import SparkContext

    # The active session is that of a thread, and another thread may have made one.
    return SparkContext._active_spark_context is not None


def set_where_unset(spark: "SparkSession", settings: Mapping[str, str]) -> None:
    """Set those of these settings of a session that neither its user nor its cluster has set."""
    for name, value in settings.items():
        if spark.conf.get(name, None) is None:
            spark.conf.set(name, value)


def _missing_defaults() -> dict[str, str]:
    """Return the defaults that no file and no option of spark-submit sets."""
    from pyspark import SparkConf, SparkContext

    SparkContext._ensure_initialized()  # otherwise SparkConf does not know Spark's own files
    conf = SparkConf()
    on_this_machine = conf.get("spark.master", "local[*]").startswith("local")
    defaults = DEFAULTS | (LOCAL_DEFAULTS if on_this_machine else {})
    missing = {name: value for name, value in defaults.items() if not conf.contains(name)}
    if not _has_log_settings() and not conf.contains(_LOG_LEVEL):
        missing[_LOG_LEVEL] = "ERROR"  # Spark's own default prints hundreds of lines
    return missing


def _has_log_settings() -> bool:
    from pyspark.find_spark_home import _find_spark_home

    folder = os.environ.get("SPARK_CONF_DIR") or Path(_find_spark_home(), "conf")
    return any(Path(folder).glob("log4j2*"))


def run_job(program: str, run: "Callable[[SparkSession, _Options], int]", options: _Options) -> int:
    """Run a job, print what went wrong, and return the exit code.

    Its session is stopped at the end, unless the process had it before: one of a notebook, or of
    Databricks, is for others too.

    Args:
        program: name of the program, for messages.
        run: the job; returns its exit code.
        options: what it is called with.
    """
    from pyspark.errors import AnalysisException

    try:
        keep = is_running()
        spark = start_spark()
        try:
            _check_places(spark, options)
            check_overwriting(spark, options)
            return run(spark, options)
        finally:
            if not keep:
                spark.stop()
    except (KeyframesError, AnalysisException) as error:
        message, status = str(error), WRONG_OPTIONS
    except TooManyFailuresError as error:
        message, status = f"{error}; the lines above say why", TOO_MANY_FAILED
    except Exception as error:  # noqa: BLE001 - Python's own traceback would show secrets of URLs
        message, status = f"the job failed: {readable(error)}", FAILED
        if (refused := message.partition(_REFUSAL))[1]:
            message, status = refused[2], WRONG_OPTIONS
    message = redact_text(with_flags(message, type(options)), lines=True)
    print(f"{program}: {message}", file=sys.stderr)
    return status


def _check_places(spark: "SparkSession", options: JobOptions) -> None:
    """Raise ParameterError where Spark cannot write to a place, before a video is sampled."""
    for name in ("output", "failed_output", "checkpoint"):
        if place := getattr(options, name, None):
            check_file_system(spark, name, place)
            if is_local(spark) and (path := local_path(spark, place)):
                _make_parent(name, Path(path), make=not getattr(options, "dry_run", False))


def _make_parent(option: str, path: Path, *, make: bool) -> None:
    """Make the folder above a local table, as Spark would do when all videos are sampled.

    Without `make`, only check that it can be made.
    """
    try:
        if make:
            path.parent.mkdir(parents=True, exist_ok=True)
        there = next(each for each in (path, *path.parents) if each.is_dir() or each.exists())
        if there != path and not there.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        writable = os.access(there if there.is_dir() else there.parent, os.W_OK)
        reason = "" if writable else "you may not write there"
    except OSError as error:
        reason = error.strerror or str(error)
    if reason:
        raise ParameterError(f"`{option}` cannot be {str(path)!r}: {reason}; choose another place")


def readable(error: Exception) -> str:
    """Return a worker's error without Spark's traceback around it; of others, the traceback."""
    from pyspark.errors import PySparkException

    trace = "".join(traceback.format_exception(error))
    if (missing := "No module named 'spark_keyframes'") in trace:
        return f"{missing} in the Python of the executors; see docs/shipping.md"
    if java_exception := getattr(error, "java_exception", None):
        return _with_remedy(_of_worker(_root_cause(java_exception)))
    if not isinstance(error, PySparkException):
        return f"\n{trace}"
    return _with_remedy(_of_worker(str(error)))


def _root_cause(java_exception: Any) -> str:
    while cause := java_exception.getCause():
        java_exception = cause
    return str(java_exception.toString())


def _of_worker(text: str) -> str:
    """Return the error that ends a worker's traceback; a text without a traceback as it is."""
    if "Traceback" not in text:
        return text
    lines = [line.strip() for line in text.splitlines() if "Error: " in line]
    return lines[-1].removeprefix("spark_keyframes.errors.") if lines else text


def _with_remedy(text: str) -> str:
    """Return the first line of an error, with the remedy if one is known."""
    first = text.strip().splitlines()[0]
    remedy = next((remedy for part, remedy in _REMEDIES.items() if part in first), "")
    return f"{first}; {remedy}" if remedy else first
