"""Find the keyframes that match a text, in many videos: the job for spark-submit.

    spark-submit jobs/sample.py --input videos/ --text "a red car" --output-tos-dir out/keyframes

`--help` explains every option. Exits with 1 when no video succeeded, with 2 for wrong options.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from dataclasses import fields, replace
from typing import Any, get_args
from uuid import uuid4

from pyspark.errors import AnalysisException, PythonException
from pyspark.sql import Column, Observation, Row, SparkSession
from pyspark.sql import functions as sf

from spark_keyframes import KeyframesError, VideoAdaptiveKeyframesSampling
from spark_keyframes.engine.account import account_lines, account_metrics
from spark_keyframes.engine.inputs import read_table, read_videos, spread
from spark_keyframes.errors import STAGES

ROWS_SHOWN = 20
PARAMETERS = [
    field
    for field in fields(VideoAdaptiveKeyframesSampling)
    if field.name not in ("limits", "access")
]

PARAMETER_HELP = {
    "text": "what to look for, best as a caption: 'a red car seen from above'",
    "model_path": "folder that holds CLIP models; '' loads from the Hugging Face Hub",
    "clip_model_name": "the model: a folder below --model-path, or a name on the Hub",
    "dtype": "float16 is faster; float32 is exact",
    "video_src_type": "what --input-col holds: paths or URLs, base64, or bytes",
    "fps": "frames to look at per second of video; 0.5 is one every two seconds",
    "max_num_frames": "keyframes to select per video",
    "t1": "lower (0.1 to 0.3) to favour the best matches over an even spread",
    "t2": "least spread of scores for t1 to apply",
    "all_depth": "how often the video may be halved to spread keyframes; 0: no spread",
    "img_type": "format of the keyframe images",
    "output_tos_dir": "where the images go: tos://bucket/prefix or a folder; '': nowhere",
    "return_keyframes": "with --output: store the images in the table too, as arrays",
    "batch_size": "frames per CLIP batch; 64 or more for a GPU",
    "rank": "GPU number, where Spark has not assigned one",
    "video_format": "container of base64 or binary videos, where their bytes do not tell",
    "selector": "how to select: aks (best and spread), top, bin or uniform to compare",
}


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
    group = parser.add_argument_group("what to select: the parameters of the operator")
    for field in PARAMETERS:
        option: dict[str, Any] = {"type": field.type, "metavar": "VALUE"}
        if field.type is bool:
            option = {"action": argparse.BooleanOptionalAction}
        elif get_args(field.type):
            option = {"choices": get_args(field.type)}
        group.add_argument(
            "--" + field.name.replace("_", "-"),
            default=field.default,
            help=f"{PARAMETER_HELP[field.name]} ({field.default!r})",
            **option,
        )
    options = parser.parse_args(arguments)
    if options.limit is not None and options.limit < 1:
        parser.error(f"--limit must be at least 1, got {options.limit}")
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
    videos = (
        read_table(spark, options.input, options.input_format)
        if options.input_col
        else read_videos(spark, options.input)
    )
    if options.limit:
        videos = spread(videos.limit(options.limit), options.limit)  # limit() leaves one task
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
    )
    counts = Observation("videos")
    observed = sampled.observe(counts, *outcome_counts(options), *account_metrics(account_col))
    result = observed if options.account_col else observed.drop(account_col)
    shown = [sf.col(f"`{name}`") for name in columns if name in result.columns]
    result.printSchema()
    if options.output:
        writer = result.write.format(options.format).mode(options.mode)
        # Rows of 100 MB: by default Parquet looks at its memory only every 100 rows, too late.
        for size_check in ("parquet.page.size.row.check.min", "parquet.block.size.row.check.min"):
            writer = writer.option(size_check, 1)
        writer.save(options.output)
        # With the schema, since JSON leaves out a column that is null everywhere.
        reader = spark.read.format(options.format).schema(result.schema)
        rows = reader.load(options.output).select(shown).take(ROWS_SHOWN)
    else:
        rows = result.select(shown).collect()
    show(spark, rows[:ROWS_SHOWN], columns)
    return report(counts.get, options)


def show(spark: SparkSession, rows: list[Row], columns: list[str]) -> None:
    """Print rows as a table, their lists cut short so that a row stays a line."""

    def short(values: list[Any], most: int) -> str:
        return f"[{', '.join(map(str, values[:most]))}{', …' * (len(values) > most)}]"

    video_col, output_col, error_col = columns
    lines = []
    for row in rows:
        cell, error = row[output_col], row[error_col]
        video = row.asDict().get(video_col) or ""  # binary ones do not come back
        text = None
        if cell is not None:
            names = short([path.rsplit("/", 1)[-1] for path in cell["tos_paths"]], 1)
            scores = short([round(score, 3) for score in cell["scores"]], 4)
            ids = short(cell["frame_ids"], 4)
            text = f"{{tos_paths: {names}, frame_ids: {ids}, scores: {scores}}}"
        lines.append((video[-40:], text, error["error"] if error else None))
    schema = ", ".join(f"`{name}` string" for name in columns)
    spark.createDataFrame(lines, schema).show(truncate=160)


def outcome_counts(options: argparse.Namespace) -> list[Column]:
    """What to count while the rows pass by: a second look would sample the videos again."""
    error = sf.col(f"`{options.error_col}`")
    keyframes = sf.col(f"`{options.output_col}`")
    reason = sf.concat_ws(": ", error["error"], error["message"])
    counts = [
        sf.count(sf.lit(1)).alias("videos"),
        sf.count(keyframes).alias("done"),
        sf.count(error).alias("failed"),
        sf.sum(sf.size(keyframes["frame_ids"])).alias("frames"),
    ]
    for stage in STAGES:
        failed = error["stage"] == stage
        counts += [
            sf.count_if(failed).alias(f"{stage}_failed"),
            sf.min(sf.when(failed, reason)).alias(f"{stage}_example"),
        ]
    return counts


def report(counts: dict[str, Any], options: argparse.Namespace) -> int:
    """Print what was done, where the images are, what failed and what it took; the exit code."""
    done, failed = counts["done"], counts["failed"]
    print(f"videos     {counts['videos']}: {done} with keyframes, {failed} failed")
    print(f"keyframes  {counts['frames'] or 0}")
    print(f"images     {options.output_tos_dir or 'not stored: --output-tos-dir says where to'}")
    print(f"table      {options.output or 'not stored: --output says where to'}")
    for stage in STAGES:
        if count := counts[f"{stage}_failed"]:
            print(f"failed     {count} at stage {stage}, e.g. {counts[f'{stage}_example']}")
    print(*account_lines(counts), sep="\n")
    return 1 if failed and not done else 0


def worker_error(error: PythonException) -> str:
    """What a worker raised, without the traceback that Spark wraps it in."""
    lines = [line.strip() for line in str(error).splitlines() if "Error: " in line]
    return lines[-1].removeprefix("spark_keyframes.errors.") if lines else str(error)


def main() -> int:
    """Run the job; the exit code."""
    options = parse()
    parameters = {field.name: getattr(options, field.name) for field in PARAMETERS}
    try:
        sampler = VideoAdaptiveKeyframesSampling(**parameters)
        spark = start_spark()
        try:
            return run(spark, sampler, options)
        finally:
            spark.stop()
    except (KeyframesError, AnalysisException) as error:
        print(f"sample.py: {error}", file=sys.stderr)
        return 2
    except PythonException as error:
        print(f"sample.py: the job failed: {worker_error(error)}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
