"""Find the keyframes that match a text, in many videos: the job for spark-submit.

    spark-submit jobs/sample.py --input videos/ --text "a red car" --output-tos-dir out/keyframes

`--help` explains every option. Exits with 1 when no video succeeded or the job broke, with 2 for
wrong options, with 3 when more videos failed than --max-failures allows.
"""

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any
from uuid import uuid4

from pyspark.errors import AnalysisException, PythonException
from pyspark.sql import DataFrame, Observation, Row, SparkSession
from pyspark.sql import functions as sf

from spark_keyframes import (
    KeyframesError,
    ParameterError,
    VideoAdaptiveKeyframesSampling,
    metrics,
    report_lines,
)
from spark_keyframes.engine.failures import MaxFailures, TooManyFailuresError
from spark_keyframes.engine.inputs import read_table, read_videos, spread
from spark_keyframes.engine.options import add_options, values_of
from spark_keyframes.engine.staging import staging_place
from spark_keyframes.storage import redact_url
from spark_keyframes.storage.redact import redact_text

ROWS_SHOWN = 20
TOO_MANY_FAILED = 3


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options; exits with a message where they are wrong."""
    parser = argparse.ArgumentParser(
        prog="sample.py",
        description="Find the keyframes of videos that match a text, with CLIP and Adaptive "
        "Keyframe Sampling on Spark.",
        epilog="example: spark-submit jobs/sample.py --input videos/ --text spoon "
        "--max-num-frames 4 --output-tos-dir out/keyframes --output out/table",
    )
    data = parser.add_argument_group("videos in, table out")
    data.add_argument(
        "--input",
        required=True,
        metavar="WHERE",
        help="a video, a folder of videos, a glob such as 'videos/*.mp4', a URL, "
        "a .txt file with a path or URL per line, or (with --input-col) a table",
    )
    data.add_argument(
        "--input-col", metavar="NAME", help="--input is a table; its column that holds the videos"
    )
    data.add_argument(
        "--input-format",
        metavar="FORMAT",
        help="the table's format: parquet, delta, csv, … or 'table' for a name in the catalogue; "
        "default: by the suffix of --input, else parquet",
    )
    data.add_argument("--limit", type=int, metavar="N", help="take only the first N videos")
    data.add_argument(
        "--text-col", metavar="NAME", help="column with a text per video, instead of --text"
    )
    data.add_argument("--output", metavar="WHERE", help="write the result here, as a table")
    data.add_argument(
        "--output-col",
        default="keyframes",
        metavar="NAME",
        help="column of the result (%(default)s)",
    )
    data.add_argument(
        "--error-col", default="error", metavar="NAME", help="column of the reasons (%(default)s)"
    )
    data.add_argument(
        "--account-col",
        metavar="NAME",
        help="with --output: store in this column what each video took, by stage",
    )
    data.add_argument("--format", default="parquet", help="of the output table (%(default)s)")
    data.add_argument(
        "--mode",
        default="error",
        choices=["error", "overwrite", "append"],
        help="where --output exists already (%(default)s)",
    )
    data.add_argument(
        "--on-error",
        default="null",
        choices=["null", "raise"],
        help="a video that fails: is null, with its reason in the column 'error', "
        "or ends the job (%(default)s)",
    )
    data.add_argument(
        "--max-failures",
        metavar="N",
        help="with more failed videos than this, a number or a share such as 5%%, the job exits "
        "with 3 and writes no table; images that are stored by then stay (no limit)",
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
    add_options(parser, VideoAdaptiveKeyframesSampling)
    options = parser.parse_args(arguments)
    if options.limit is not None and options.limit < 1:
        parser.error(f"--limit must be at least 1, got {options.limit}")
    try:
        if options.max_failures is not None:
            options.max_failures = MaxFailures.parse(options.max_failures)
        vars(options).update(values_of(options, VideoAdaptiveKeyframesSampling))
    except ParameterError as error:
        parser.error(str(error))
    return options


def start_spark() -> SparkSession:
    """The session of spark-submit, or a local one."""
    # Without this a local job computes with whatever python3 comes first in PATH.
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    return SparkSession.builder.appName("spark_keyframes").getOrCreate()


def run(
    spark: SparkSession, sampler: VideoAdaptiveKeyframesSampling, options: argparse.Namespace
) -> int:
    """Sample, store and report; the exit code."""
    if options.input_col:
        videos = read_table(spark, options.input, options.input_format)
        if options.limit:
            videos = spread(videos.limit(options.limit), options.limit)  # limit() leaves one task
    else:
        videos = read_videos(spark, options.input, limit=options.limit, cpus=options.cpus)
    if not options.output:
        sampler = replace(sampler, return_keyframes=False)  # nobody would see them
    video_col = options.input_col or "video"
    columns = [video_col, options.output_col, options.error_col]
    # The report needs it; the table has it only if it was asked for.
    account_col = options.account_col or f"account_{uuid4().hex}"
    sampled = sampler.transform(
        videos,
        input_col=video_col,
        output_col=options.output_col,
        text_col=options.text_col,
        error_col=options.error_col,
        account_col=account_col,
        on_error=options.on_error,
        cpus=options.cpus,
        gpus=options.gpus,
    )
    counts = Observation("videos")
    observed = sampled.observe(
        counts,
        *metrics(
            output_col=options.output_col, error_col=options.error_col, account_col=account_col
        ),
    )
    result = observed if options.account_col else observed.drop(account_col)
    shown = [sf.col(f"`{name}`") for name in columns if name in result.columns]
    result.printSchema()
    try:
        if options.output:
            write(spark, result, counts, options)
            # With the schema, since JSON leaves out a column that is null everywhere.
            reader = spark.read.format(options.format).schema(result.schema)
            rows = reader.load(options.output).select(shown).take(ROWS_SHOWN)
        else:
            rows = result.select(shown).collect()
            check_failures(counts, options)
    except TooManyFailuresError as error:
        report(counts.get, options, f"not written: {error}")
        print(f"sample.py: {error}; the lines above say why", file=sys.stderr)
        return TOO_MANY_FAILED
    show(spark, rows[:ROWS_SHOWN], columns)
    return report(counts.get, options, options.output or "not stored: --output says where to")


def write(
    spark: SparkSession, result: DataFrame, counts: Observation, options: argparse.Namespace
) -> None:
    """Write the table; with --max-failures, only after its failures are counted."""

    def save(table: DataFrame, table_format: str, mode: str, place: str) -> None:
        writer = table.write.format(table_format).mode(mode)
        # Rows of 100 MB: by default Parquet looks at its memory only every 100 rows, too late.
        for size_check in ("parquet.page.size.row.check.min", "parquet.block.size.row.check.min"):
            writer = writer.option(size_check, 1)
        writer.save(place)

    if options.max_failures is None:
        save(result, options.format, options.mode, options.output)
        return
    must_be_new = options.mode == "error"
    with staging_place(spark, options.output, must_be_new=must_be_new) as place:
        save(result, "parquet", "error", place)
        check_failures(counts, options)
        staged = spark.read.schema(result.schema).parquet(place)
        save(staged, options.format, options.mode, options.output)


def check_failures(counts: Observation, options: argparse.Namespace) -> None:
    """Raise TooManyFailuresError where --max-failures is exceeded."""
    if options.max_failures is not None:
        options.max_failures.check(counts.get["failed"], counts.get["done"])


def show(spark: SparkSession, rows: list[Row], columns: list[str]) -> None:
    """Print rows as a table, their lists cut short so that a row stays a line."""

    def short(values: list[Any], most: int) -> str:
        return f"[{', '.join(map(str, values[:most]))}{', …' * (len(values) > most)}]"

    video_col, output_col, error_col = columns
    lines = []
    for row in rows:
        cell, error = row[output_col], row[error_col]
        video = redact_url(row.asDict().get(video_col) or "")  # binary ones do not come back
        text = None
        if cell is not None:
            names = short([path.rsplit("/", 1)[-1] for path in cell["tos_paths"]], 1)
            scores = short([round(score, 3) for score in cell["scores"]], 4)
            ids = short(cell["frame_ids"], 4)
            text = f"{{tos_paths: {names}, frame_ids: {ids}, scores: {scores}}}"
        lines.append((video[-40:], text, error["error"] if error else None))
    schema = ", ".join(f"`{name}` string" for name in columns)
    spark.createDataFrame(lines, schema).show(truncate=160)


def report(counts: dict[str, Any], options: argparse.Namespace, table: str) -> int:
    """Print what was done, what failed, what it took, and where the result is; the exit code."""
    print(*report_lines(counts), sep="\n")
    images = redact_url(options.output_tos_dir) or "not stored: --output-tos-dir says where to"
    print(f"images     {images}")
    print(f"table      {redact_url(table)}")
    return 1 if counts["failed"] and not counts["done"] else 0


def worker_error(error: PythonException) -> str:
    """What a worker raised, without the traceback that Spark wraps it in."""
    lines = [line.strip() for line in str(error).splitlines() if "Error: " in line]
    return lines[-1].removeprefix("spark_keyframes.errors.") if lines else str(error)


def main() -> int:
    """Run the job; the exit code."""
    options = parse()
    parameters = {
        field.name: getattr(options, field.name) for field in fields(VideoAdaptiveKeyframesSampling)
    }
    try:
        sampler = VideoAdaptiveKeyframesSampling(**parameters)
        spark = start_spark()
        try:
            return run(spark, sampler, options)
        finally:
            spark.stop()
    except (KeyframesError, AnalysisException) as error:
        print(f"sample.py: {redact_text(str(error))}", file=sys.stderr)
        return 2
    except PythonException as error:
        print(f"sample.py: the job failed: {redact_text(worker_error(error))}", file=sys.stderr)
    except Exception:  # noqa: BLE001 - Python's own way to show it would show URLs whole
        print(f"sample.py: the job failed\n{redact_text(traceback.format_exc())}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
