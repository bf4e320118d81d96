"""Sample the videos that are new since the last run, each of them once: a job for spark-submit.

    spark-submit jobs/ingest.py --input landing/ --checkpoint out/checkpoint --output out/table \\
        --text "a red car"

Run it as often as you like: it takes what has come since, by Spark's Structured Streaming, and
ends. Killed at any moment and run again, it goes on where it was. `--help` explains every option.
Exits with 1 when no video succeeded or the job broke, with 2 for wrong options, with 3 when more
videos failed than --max-failures allows.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pyspark.sql import DataFrame, SparkSession

from spark_keyframes import ParameterError, VideoAdaptiveKeyframesSampling, progress
from spark_keyframes.jobs.checkpoint import Checkpoint
from spark_keyframes.jobs.failure_limit import TooManyFailuresError
from spark_keyframes.jobs.results import Storing
from spark_keyframes.jobs.run import (
    add_job_options,
    check_job_options,
    parameters_of,
    run_job,
)
from spark_keyframes.jobs.streams import read_stream, share_videos

# What the rows of a table are made with: those of one checkpoint are made alike. Where the model
# lies, how fast and how careful it is read may change from run to run.
SAME = (
    *("input", "input_col", "input_format", "text_col", "id_col", "output", "output_table"),
    *("format", "output_col", "error_col", "explode", "partition_by", "failed_output"),
    *("text", "clip_model_name", "video_src_type", "fps", "max_num_frames", "t1", "t2"),
    *("all_depth", "img_type", "output_tos_dir", "return_keyframes", "selector"),
)


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options; exits with a message where they are wrong."""
    parser = argparse.ArgumentParser(
        prog="ingest.py",
        description="Sample the videos that are new since the last run, each of them once.",
        epilog="example: spark-submit jobs/ingest.py --input landing/ --checkpoint out/checkpoint "
        "--output out/table --text spoon --output-tos-dir out/keyframes",
    )
    data = parser.add_argument_group("videos in")
    data.add_argument(
        "--input",
        required=True,
        metavar="WHERE",
        help="a folder that videos are put into (with its subfolders), or a glob; or (with "
        "--input-col) a folder that tables or lists of videos are put into",
    )
    data.add_argument(
        "--input-col",
        metavar="NAME",
        help="--input has tables; their column that holds the videos, 'value' of text files",
    )
    data.add_argument(
        "--input-format",
        metavar="FORMAT",
        help="of the tables: parquet, json, csv, text, delta, … or 'table' for a name in the "
        "catalogue that Spark can stream (parquet)",
    )
    data.add_argument(
        "--checkpoint",
        required=True,
        metavar="WHERE",
        help="folder of this job's own, in which Spark notes down what it has taken",
    )
    data.add_argument(
        "--text-col", metavar="NAME", help="column with a text per video, instead of --text"
    )
    data.add_argument(
        "--files-per-batch",
        type=int,
        default=1000,
        metavar="N",
        help="files to take at a time; what is written is not done again (%(default)s)",
    )
    data.add_argument(
        "--mode",
        default="error",
        choices=["error", "append"],
        help="where the table exists already and the checkpoint is new (%(default)s)",
    )
    add_job_options(parser, VideoAdaptiveKeyframesSampling, stored=True)
    options = parser.parse_args(arguments)
    options.on_error = "null"  # an exception ends the stream, and would do so again
    check_job_options(parser, options, VideoAdaptiveKeyframesSampling)
    if options.files_per_batch < 1:
        parser.error(f"--files-per-batch must be at least 1, got {options.files_per_batch}")
    if not options.input_col and options.video_src_type == "video_base64":
        parser.error("--video-src-type video_base64 needs --input-col, the column that holds it")
    if not options.input_col and options.video_src_type == "video_binary":
        options.id_col = options.id_col or ["path"]
    places = ["output", "checkpoint", "failed_output"]
    for name in places if options.input_format == "table" else ["input", *places]:
        place = getattr(options, name)
        if place and not urlsplit(place).scheme:
            # The same checkpoint from another folder is the same run.
            setattr(options, name, str(Path(place).absolute()))
    return options


def run(
    spark: SparkSession, sampler: VideoAdaptiveKeyframesSampling, options: argparse.Namespace
) -> int:
    """Take what is new, store and report; the exit code."""
    videos, video_col = read_stream(
        spark,
        options.input,
        column=options.input_col,
        table_format=options.input_format,
        content=options.video_src_type == "video_binary",
        files_at_once=options.files_per_batch,
    )
    storing = Storing(sampler, options, video_col)
    storing.keys  # noqa: B018 - raises where there are none
    checkpoint = Checkpoint(spark, options.checkpoint)
    if checkpoint.is_new and options.mode == "error" and storing.exists(spark):
        raise ParameterError(
            f"{storing.table} already exists, and the checkpoint {options.checkpoint} is new; give "
            "the table's own, or --mode append to add the videos that it does not have"
        )
    with checkpoint.held():
        checkpoint.claim({name: getattr(options, name) for name in SAME})
        try:
            with progress(spark):
                take(videos, storing, options)
        except TooManyFailuresError as error:
            storing.report(f"not written, of the last batch: {error}")
            raise
    return storing.report(str(storing.table))


def take(videos: DataFrame, storing: Storing, options: argparse.Namespace) -> None:
    """Run the stream until nothing new is left."""
    raised: list[Exception] = []

    def batch(rows: DataFrame, number: int) -> None:
        # Spark calls it again with the same rows, where it was killed before it noted the batch
        # down: what was written by then is not written again.
        try:
            if options.input_col is None and not storing.heavy:
                storing.put_new(share_videos(rows, cpus=options.cpus))
            else:
                storing.put_new(rows, move=not storing.heavy)
        except Exception as error:
            raised.append(error)
            raise

    writer: Any = videos.writeStream.foreachBatch(batch).trigger(availableNow=True)
    query = writer.option("checkpointLocation", options.checkpoint).start()
    try:
        query.awaitTermination()
    except Exception:
        # Spark's own exception has what was raised only as a text.
        if raised:
            raise raised[0] from None
        raise


def main() -> int:
    """Run the job; the exit code."""
    options = parse()

    def ingest(spark: SparkSession) -> int:
        parameters = parameters_of(options, VideoAdaptiveKeyframesSampling)
        return run(spark, VideoAdaptiveKeyframesSampling(**parameters), options)

    return run_job("ingest.py", ingest)


if __name__ == "__main__":
    sys.exit(main())
