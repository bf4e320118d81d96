"""Finds the keyframes that match a text, in many videos: the job of jobs/sample.py."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from pyspark.sql import DataFrame, SparkSession

from spark_keyframes.errors import ParameterError
from spark_keyframes.jobs.command_line import parse
from spark_keyframes.jobs.failure_limit import TooManyFailuresError
from spark_keyframes.jobs.inputs import read_table, read_videos, repartition_videos
from spark_keyframes.jobs.options import INPUT, JobOptions, about
from spark_keyframes.jobs.report import Report, show_rows
from spark_keyframes.jobs.sampling import sample_videos
from spark_keyframes.jobs.session import run_job
from spark_keyframes.jobs.table_writer import TableWriter
from spark_keyframes.spark.columns import OnError, actual_name
from spark_keyframes.spark.monitoring.progress import progress

_PROGRAM = "sample.py"
_ROWS_SHOWN = 20


@dataclass(frozen=True, kw_only=True)
class SampleOptions(JobOptions):
    """Options of jobs/sample.py: those of both jobs, and its own."""

    input: str = field(
        metadata=about(
            "A video, a folder of videos, a glob such as 'videos/*.mp4', on disks, tos://, s3:// "
            "and the like; a URL; a .txt file with a path or URL per line; or (with `input_col`) "
            "a table.",
            INPUT,
            "WHERE",
        )
    )
    limit: int | None = field(default=None, metadata=about("Take only the first N videos.", INPUT))
    mode: Literal["error", "overwrite", "append"] = field(
        default="error", metadata=about("What to do where the table exists already.", INPUT)
    )
    resume: bool = field(
        default=False,
        metadata=about(
            "Add the videos that the table lacks, for example after a job that was killed.", INPUT
        ),
    )
    key_on_text: bool = field(
        default=False,
        metadata=about(
            "With `resume`: add a row for each text, so that a video that the table has with "
            "another text only is sampled with this one.",
            INPUT,
        ),
    )
    on_error: OnError = field(
        default="null",
        metadata=about(
            "null: a failed video has a null result, and its reason in another column, see "
            "`error_col`; "
            "raise: it ends the job.",
            INPUT,
        ),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_positive("limit", "leave it out to take all videos")
        if self.resume and self.mode != "error":
            raise ParameterError(
                f"`resume` adds to the table that exists; leave `mode` {self.mode} out"
            )
        if self.key_on_text and not (self.resume and (self.made_by_col or self.text_col)):
            raise ParameterError("`key_on_text` needs `resume`, and a name in `made_by_col`")
        if self.limit and self.videos_per_batch:
            raise ParameterError(
                "`limit` could take other videos for each part of `videos_per_batch`; leave one of "
                "them out"
            )
        for name in ("resume", "videos_per_batch", "failed_output", "partition_by", "explode"):
            if getattr(self, name) and not self.has_table:
                raise ParameterError(f"`{name}` needs a table: `output` or `output_table`")
        if self.resume or self.videos_per_batch:
            self.check_ids()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job with the options of the command line, and return its exit code."""
    return run_job(_PROGRAM, run, parse_options(arguments))


def parse_options(arguments: Sequence[str] | None = None) -> SampleOptions:
    """Return the options given on the command line; exit with 2 where they are wrong."""
    return parse(
        SampleOptions,
        arguments,
        program=_PROGRAM,
        description="Find the keyframes of videos that match a text, with CLIP and Adaptive "
        "Keyframe Sampling on Spark.",
        example="spark-submit jobs/sample.py --input videos/ --text spoon --max-num-frames 4 "
        "--output-tos-dir out/keyframes --output out/table",
    )


def run(spark: SparkSession, options: SampleOptions) -> int:
    """Sample the videos, write and print the result, and return the exit code.

    Raises:
        ParameterError: an option that cannot work with this input, table or Spark.
        TooManyFailuresError: more videos failed than `max_failures` allows.
    """
    videos = options.with_texts(_read(spark, options))
    video_col = actual_name(videos, options.input_col or "video")
    if not options.has_table:
        # Nobody would see these columns.
        options = replace(
            options, timestamps_col=None, made_by_col=None, images="none", return_keyframes=None
        )
    writer = TableWriter(options, video_col) if options.has_table else None
    report = writer.report if writer else Report(options)
    # With `resume`, the number of videos that are left is not known.
    bar = progress(spark, total=None if options.resume else videos.count)
    try:
        with bar:
            if writer:
                _write(spark, writer, videos, options)
            else:
                result, counts = sample_videos(videos, video_col, options)
                rows = result.collect()
                report.add(counts.get)
    except TooManyFailuresError:
        report.print("not written: too many videos failed")
        raise
    if writer:
        rows = writer.first_rows(spark, _ROWS_SHOWN)
    show_rows(spark, rows[:_ROWS_SHOWN], video_col, options)
    return report.print(str(writer.table) if writer else "not written, without output")


def _read(spark: SparkSession, options: SampleOptions) -> DataFrame:
    """Return a row per video."""
    if not options.input_col:
        return read_videos(
            spark,
            options.input,
            limit=options.limit,
            cpus=options.cpus,
            access=options.sampler.access,
            limits=options.sampler.limits,
        )
    videos = read_table(spark, options.input, options.input_format)
    if not options.limit:
        return videos
    # limit() leaves a single task.
    return repartition_videos(videos.limit(options.limit), options.limit)


def _write(
    spark: SparkSession, writer: TableWriter, videos: DataFrame, options: SampleOptions
) -> None:
    """Write the table, in one part or several, with all videos or those that it lacks."""
    if options.mode == "error" and not options.resume and writer.table_exists(spark):
        raise ParameterError(
            f"{writer.table} already exists; choose another place, `resume` to add the videos "
            "that it lacks, or `mode` overwrite or append"
        )
    if options.resume or options.videos_per_batch:
        writer.write_new(videos, "overwrite" if options.mode == "overwrite" else "append")
    else:
        writer.write(videos, options.mode)
