"""What the jobs for spark-submit share: options, the way into the table, and the report."""

import argparse
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from spark_keyframes.errors import KeyframesError, ParameterError
from spark_keyframes.jobs.failure_limit import MaxFailures, TooManyFailuresError
from spark_keyframes.jobs.options import add_options, size, values_of
from spark_keyframes.urls import redact_text, redact_url

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

TOO_MANY_FAILED = 3
_FAILED = 1
_WRONG = 2


def add_job_options(parser: argparse.ArgumentParser, sampler: type, *, stored: bool) -> None:
    """Add what all jobs are asked; `stored`: a table is not only possible but asked for.

    Arguments:
        parser: of the job.
        sampler: the dataclass of the operator's parameters.
        stored: whether the job is nothing without a table.
    """
    result = parser.add_argument_group("the result")
    places = result.add_mutually_exclusive_group(required=stored)
    places.add_argument("--output", metavar="WHERE", help="write the result here, as a table")
    places.add_argument(
        "--output-table", metavar="NAME", help="write it to this table of the catalogue"
    )
    result.add_argument(
        "--format",
        default="parquet",
        help="of the table: parquet, orc, json; with their packages delta, iceberg (%(default)s)",
    )
    result.add_argument(
        "--option",
        type=_option,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="for Spark's writer, such as compression=zstd; may be repeated",
    )
    result.add_argument(
        "--explode", action="store_true", help="a row per keyframe instead of one per video"
    )
    result.add_argument(
        "--partition-by", nargs="+", default=[], metavar="NAME", help="columns to partition by"
    )
    result.add_argument(
        "--max-file-bytes",
        type=size,
        default=128 * 2**20,
        metavar="SIZE",
        help="about how large a file of the table becomes; one row is never divided. 0: each task "
        "writes its own, and nothing is moved between them (128M)",
    )
    result.add_argument(
        "--output-col",
        default="keyframes",
        metavar="NAME",
        help="column of the result (%(default)s)",
    )
    result.add_argument(
        "--error-col", default="error", metavar="NAME", help="column of the reasons (%(default)s)"
    )
    result.add_argument(
        "--account-col",
        metavar="NAME",
        help="with a table: store in this column what each video took, by stage",
    )
    result.add_argument(
        "--max-failures",
        metavar="N",
        help="with more failed videos than this, a number or a share such as 5%%, the job exits "
        "with 3 and writes no more; images that are stored by then stay (no limit)",
    )
    again = parser.add_argument_group("each video once")
    again.add_argument(
        "--id-col",
        nargs="+",
        metavar="NAME",
        help="columns that tell videos apart (the videos' own, and --text-col)",
    )
    again.add_argument(
        "--videos-per-batch",
        type=int,
        metavar="N",
        help="write the table after each N videos, about; what is written is not done again",
    )
    again.add_argument(
        "--failed-output",
        metavar="WHERE",
        help="videos that fail go to a table of their own here, in the same format",
    )
    again.add_argument(
        "--retry-failed",
        action="store_true",
        help="try the videos in --failed-output again",
    )
    resources = parser.add_argument_group("what each task has, on a cluster")
    resources.add_argument(
        "--cpus", type=int, metavar="N", help="CPUs that decode and score (spark.task.cpus)"
    )
    resources.add_argument(
        "--gpus",
        type=int,
        metavar="N",
        help="1: a GPU for each task, where executors announce theirs, see "
        "conf/spark-defaults.conf (spark.task.resource.gpu.amount)",
    )
    add_options(parser, sampler)


def check_job_options(
    parser: argparse.ArgumentParser, options: argparse.Namespace, sampler: type
) -> None:
    """Turn texts into values; exit with a message where they are wrong."""
    try:
        if options.max_failures is not None:
            options.max_failures = MaxFailures.parse(options.max_failures)
        vars(options).update(values_of(options, sampler))
    except ParameterError as error:
        parser.error(str(error))
    options.option = dict(options.option)
    if options.videos_per_batch is not None and options.videos_per_batch < 1:
        parser.error(f"--videos-per-batch must be at least 1, got {options.videos_per_batch}")
    if options.explode and "maxrecordsperfile" in map(str.lower, options.option):
        parser.error(
            "--option maxRecordsPerFile would divide the keyframes of a video between files; use "
            "--max-file-bytes"
        )
    if options.retry_failed and not options.failed_output:
        parser.error(
            "--retry-failed needs --failed-output: a failed video that is a row of the table would "
            "be in it twice"
        )
    if options.failed_output and options.on_error == "raise":
        parser.error("--failed-output is of no use with --on-error raise; leave one of them out")


def _option(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError(f"must be KEY=VALUE, got {text!r}")
    return key, value


def parameters_of(options: argparse.Namespace, sampler: type) -> dict[str, Any]:
    """The operator's parameters among the options."""
    return {field.name: getattr(options, field.name) for field in fields(sampler)}


def start_spark() -> "SparkSession":
    """The session of spark-submit, or a local one."""
    from pyspark.sql import SparkSession

    # Without this a local job computes with whatever python3 comes first in PATH.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    return SparkSession.builder.appName("spark_keyframes").getOrCreate()


def run_job(name: str, run: "Callable[[SparkSession], int]") -> int:
    """Run a job with a Spark of its own, and put what went wrong into words; the exit code."""
    from pyspark.errors import AnalysisException

    try:
        spark = start_spark()
        try:
            return run(spark)
        finally:
            spark.stop()
    except (KeyframesError, AnalysisException) as error:
        print(f"{name}: {redact_text(str(error))}", file=sys.stderr)
        return _WRONG
    except TooManyFailuresError as error:
        print(f"{name}: {error}; the lines above say why", file=sys.stderr)
        return TOO_MANY_FAILED
    except Exception as error:  # noqa: BLE001 - Python's own way to show it would show URLs whole
        print(f"{name}: the job failed: {redact_text(_in_words(error))}", file=sys.stderr)
    return _FAILED


def _in_words(error: Exception) -> str:
    """What a worker raised, without the traceback that Spark wraps it in; of others, all of it."""
    from pyspark.errors import PythonException

    whole = "".join(traceback.format_exception(error))
    if (missing := f"No module named '{__name__.partition('.')[0]}'") in whole:
        return f"{missing} in the Python of the executors; docs/shipping.md says how to bring it"
    if not isinstance(error, PythonException):
        return f"\n{whole}"
    lines = [line.strip() for line in str(error).splitlines() if "Error: " in line]
    return lines[-1].removeprefix("spark_keyframes.errors.") if lines else str(error)


def show(
    spark: "SparkSession", rows: Sequence[Any], video_col: str, options: argparse.Namespace
) -> None:
    """Print rows as a table, their lists cut short so that a row stays a line."""
    names = [video_col, options.output_col, options.error_col]
    schema = ", ".join(f"`{name}` string" for name in names)
    cells = [_cells(row.asDict(), names) for row in rows]
    spark.createDataFrame(cells, schema).show(truncate=160)


def _cells(row: dict[str, Any], names: list[str]) -> tuple[str | None, ...]:
    def short(values: list[Any], most: int) -> str:
        return f"[{', '.join(map(str, values[:most]))}{', …' * (len(values) > most)}]"

    def name(path: str | None) -> str | None:
        return path and path.rsplit("/", 1)[-1]

    video_col, output_col, error_col = names
    text = None
    if row.get("frame_id") is not None:
        text = f"frame {row['frame_id']}, score {row['score']:.3f}, {name(row['tos_path'])}"
    elif (cell := row.get(output_col)) is not None:
        scores = short([round(score, 3) for score in cell["scores"]], 4)
        paths = short([name(path) for path in cell["tos_paths"]], 1)
        ids = short(cell["frame_ids"], 4)
        text = f"{{tos_paths: {paths}, frame_ids: {ids}, scores: {scores}}}"
    video = redact_url(row.get(video_col) or "")  # binary ones do not come back
    error = row.get(error_col)
    return video[-40:], text, error["error"] if error else None
