"""Find the keyframes that match a text, in many videos: the job for spark-submit.

    spark-submit jobs/sample.py --input videos/ --text "a red car" --output-tos-dir out/keyframes

`--help` explains every option. Exits with 1 when no video succeeded or the job broke, with 2 for
wrong options, with 3 when more videos failed than --max-failures allows.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace

from pyspark.sql import DataFrame, SparkSession

from spark_keyframes import ParameterError, VideoAdaptiveKeyframesSampling, progress
from spark_keyframes.jobs.failure_limit import TooManyFailuresError
from spark_keyframes.jobs.inputs import read_table, read_videos, spread
from spark_keyframes.jobs.results import Sampling, Storing
from spark_keyframes.jobs.run import (
    add_job_options,
    check_job_options,
    parameters_of,
    run_job,
    show,
)

ROWS_SHOWN = 20


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """The options; exits with a message where they are wrong."""
    parser = argparse.ArgumentParser(
        prog="sample.py",
        description="Find the keyframes of videos that match a text, with CLIP and Adaptive "
        "Keyframe Sampling on Spark.",
        epilog="example: spark-submit jobs/sample.py --input videos/ --text spoon "
        "--max-num-frames 4 --output-tos-dir out/keyframes --output out/table",
    )
    data = parser.add_argument_group("videos in")
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
    data.add_argument(
        "--mode",
        default="error",
        choices=["error", "overwrite", "append"],
        help="where the table exists already (%(default)s)",
    )
    data.add_argument(
        "--resume",
        action="store_true",
        help="where the table exists already, as after a job that was killed: add the videos that "
        "it does not have",
    )
    data.add_argument(
        "--on-error",
        default="null",
        choices=["null", "raise"],
        help="a video that fails: is null, with its reason in the column 'error', "
        "or ends the job (%(default)s)",
    )
    add_job_options(parser, VideoAdaptiveKeyframesSampling, stored=False)
    options = parser.parse_args(arguments)
    check_job_options(parser, options, VideoAdaptiveKeyframesSampling)
    if options.limit is not None and options.limit < 1:
        parser.error(f"--limit must be at least 1, got {options.limit}")
    if options.resume and options.mode != "error":
        parser.error(f"--resume adds to the table; leave --mode {options.mode} out")
    if options.limit and options.videos_per_batch:
        parser.error(
            "--limit may take others for each of --videos-per-batch; leave one of them out"
        )
    for name in ("resume", "videos_per_batch", "failed_output", "partition_by", "explode"):
        if getattr(options, name) and not (options.output or options.output_table):
            parser.error(f"--{name.replace('_', '-')} needs a table: --output or --output-table")
    return options


def read(spark: SparkSession, options: argparse.Namespace) -> DataFrame:
    """A row per video."""
    if not options.input_col:
        return read_videos(spark, options.input, limit=options.limit, cpus=options.cpus)
    videos = read_table(spark, options.input, options.input_format)
    if not options.limit:
        return videos
    return spread(videos.limit(options.limit), options.limit)  # limit() leaves one task


def run(
    spark: SparkSession, sampler: VideoAdaptiveKeyframesSampling, options: argparse.Namespace
) -> int:
    """Sample, store and report; the exit code."""
    videos, video_col = read(spark, options), options.input_col or "video"
    sampling: Sampling
    # How many of them --resume leaves is not known.
    bar = progress(spark, total=None if options.resume else videos.count)
    try:
        if options.output or options.output_table:
            sampling = storing = Storing(sampler, options, video_col)
            with bar:
                store(spark, storing, videos, options)
            rows, place = storing.stored(spark, ROWS_SHOWN), str(storing.table)
        else:
            # Nobody would see the images.
            sampling = Sampling(replace(sampler, return_keyframes=False), options, video_col)
            with bar:
                rows = sampling.collect(videos)
            place = "not stored: --output says where to"
    except TooManyFailuresError as error:
        sampling.report(f"not written: {error}")
        raise
    show(spark, rows[:ROWS_SHOWN], video_col, options)
    return sampling.report(place)


def store(
    spark: SparkSession, storing: Storing, videos: DataFrame, options: argparse.Namespace
) -> None:
    """Write the table, in one part or several, all videos or those that it does not have."""
    if options.mode == "error" and not options.resume and storing.exists(spark):
        raise ParameterError(
            f"{storing.table} already exists; choose another place, --resume to add the videos "
            "that it does not have, or --mode overwrite or append"
        )
    if options.resume or options.videos_per_batch:
        storing.put_new(videos, "overwrite" if options.mode == "overwrite" else "append")
    else:
        storing.put(videos, options.mode)


def main() -> int:
    """Run the job; the exit code."""
    options = parse()

    def sample(spark: SparkSession) -> int:
        parameters = parameters_of(options, VideoAdaptiveKeyframesSampling)
        return run(spark, VideoAdaptiveKeyframesSampling(**parameters), options)

    return run_job("sample.py", sample)


if __name__ == "__main__":
    sys.exit(main())
