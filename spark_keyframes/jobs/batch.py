"""Runs a job over the videos that are there now: reads them, and writes and prints the result."""

from dataclasses import dataclass, field
from typing import Literal

from pyspark.sql import DataFrame, SparkSession

from spark_keyframes.errors import ParameterError
from spark_keyframes.jobs.dry_run import dry_run
from spark_keyframes.jobs.failure_limit import TooManyFailuresError
from spark_keyframes.jobs.inputs import (
    SIZE_COL,
    read_table,
    read_videos,
    repartition_videos,
    sized_videos,
)
from spark_keyframes.jobs.options import INPUT, TableOptions, about
from spark_keyframes.jobs.report import Report, show_rows
from spark_keyframes.jobs.row_maker import RowMaker
from spark_keyframes.jobs.table_writer import TableWriter
from spark_keyframes.result import OnError
from spark_keyframes.spark.columns import actual_name
from spark_keyframes.spark.monitoring.progress import progress

_ROWS_SHOWN = 20

_NEED_TABLE = (
    *("resume", "videos_per_batch", "failed_output", "partition_by", "explode", "candidates_col"),
    "curve_col",
)


@dataclass(frozen=True, kw_only=True)
class BatchOptions(TableOptions):
    """Options of the jobs that take the videos that are there now."""

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
        if self.limit and self.videos_per_batch:
            raise ParameterError(
                "`limit` could take other videos for each part of `videos_per_batch`; leave one of "
                "them out"
            )
        for name in _NEED_TABLE:
            if getattr(self, name, None) and not self.has_table:
                raise ParameterError(f"`{name}` needs a table: `output` or `output_table`")
        if self.resume or self.videos_per_batch:
            self.check_ids()


def run_batch(
    spark: SparkSession, videos: DataFrame, maker: RowMaker, options: BatchOptions
) -> int:
    """Make the rows of the videos, write and print them, and return the exit code.

    With `dry_run`, only say what that would take.

    Args:
        spark: the session.
        videos: as from `read_batch`.
        maker: of the rows.
        options: those of `maker`.

    Raises:
        ParameterError: an option that cannot work with this input, table or Spark.
        TooManyFailuresError: more videos failed than `max_failures` allows.
    """
    if options.dry_run:
        return dry_run(videos, maker, lambda writer: _left(spark, writer, videos, options))
    writer = TableWriter(maker) if options.has_table else None
    report = writer.report if writer else Report(options.max_failures, maker.images_place)
    # With `resume`, the number of videos that are left is not known.
    bar = progress(spark, total=None if options.resume else videos.count)
    try:
        with bar:
            if writer:
                _write(spark, writer, videos, options)
            else:
                result, counts = maker.make(videos)
                rows = result.collect()
                report.add(counts.get)
    except TooManyFailuresError:
        report.print("not written: too many videos failed")
        raise
    if writer:
        rows = writer.first_rows(spark, _ROWS_SHOWN)
    show_rows(spark, rows[:_ROWS_SHOWN], maker)
    return report.print(str(writer.table) if writer else "not written, without output")


def read_batch(spark: SparkSession, options: BatchOptions) -> tuple[DataFrame, str]:
    """Return a row per video, and the name of the column that holds them."""
    videos = _read(spark, options)
    return videos, actual_name(videos, options.input_col or "video")


def _read(spark: SparkSession, options: BatchOptions) -> DataFrame:
    """Return a row per video."""
    if not options.input_col and options.dry_run:
        access, limits = options.sampler.access, options.sampler.limits
        return sized_videos(spark, options.input, limit=options.limit, access=access, limits=limits)
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
    spark: SparkSession, writer: TableWriter, videos: DataFrame, options: BatchOptions
) -> None:
    """Write the table, in one part or several, with all videos or those that it lacks."""
    _check_mode(spark, writer, options)
    if options.resume or options.videos_per_batch:
        writer.write_new(videos, _first_mode(options))
    else:
        writer.write(videos, options.mode)


def _left(
    spark: SparkSession, writer: TableWriter, videos: DataFrame, options: BatchOptions
) -> DataFrame:
    """Return the videos that `_write` would sample."""
    _check_mode(spark, writer, options)
    if options.resume or options.videos_per_batch:
        return writer.new_videos(videos, _first_mode(options))
    writer.check(videos.drop(SIZE_COL), options.mode)
    return videos


def _first_mode(options: BatchOptions) -> str:
    return "overwrite" if options.mode == "overwrite" else "append"


def _check_mode(spark: SparkSession, writer: TableWriter, options: BatchOptions) -> None:
    if options.mode == "error" and not options.resume and writer.table.exists(spark):
        raise ParameterError(
            f"{writer.table} already exists; choose another place, `resume` to add the videos "
            "that it lacks, or `mode` overwrite or append"
        )
