"""Samples the videos that are new since the last run, each of them once: jobs/ingest.py."""

from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pyspark.sql import DataFrame, SparkSession

from spark_keyframes.errors import ParameterError
from spark_keyframes.jobs.checkpoint import Checkpoint
from spark_keyframes.jobs.dry_run import dry_run
from spark_keyframes.jobs.earlier_rows import stored_images
from spark_keyframes.jobs.failure_limit import TooManyFailuresError
from spark_keyframes.jobs.job import Job
from spark_keyframes.jobs.keyframe_rows import KeyframeRows
from spark_keyframes.jobs.keyframes_options import KeyframesOptions
from spark_keyframes.jobs.options import INPUT, about
from spark_keyframes.jobs.streams import partition_batch, read_now, read_stream
from spark_keyframes.jobs.table_writer import TableWriter
from spark_keyframes.jobs.user_objects import ARGUMENTS, object_settings
from spark_keyframes.redaction import redact_url
from spark_keyframes.spark.monitoring.progress import progress

# These must stay equal over all runs of a checkpoint, so that the rows of its table are made alike.
# The place of the model, speed and limits may change from run to run.
_SAME_OPTIONS = (
    *("input", "input_col", "input_format", "text_col", "start_col"),
    *("end_col", "texts", "id_col", "output", "output_table"),
    *("format", "output_col", "error_col", "explode", "partition_by", "failed_output", "images"),
    *("candidates_col", "curve_col"),
)
# These do not decide what a row holds, or are among the options and objects that are compared.
_MAY_CHANGE = (
    *("model_path", "dtype", "batch_size", "rank", "video_format", "decoder", "limits", "access"),
    *("return_keyframes", *ARGUMENTS),
)


@dataclass(frozen=True, kw_only=True)
class IngestOptions(KeyframesOptions):
    """Options of jobs/ingest.py."""

    input: str = field(
        metadata=about(
            "A folder in which new videos arrive (with its subfolders), or a glob; or (with "
            "`input_col`) a folder in which new tables or lists of videos arrive.",
            INPUT,
            "WHERE",
        )
    )
    checkpoint: str = field(
        metadata=about(
            "The folder, of this job alone, in which Spark records what it has taken.",
            INPUT,
            "WHERE",
        )
    )
    files_per_batch: int = field(
        default=1000,
        metadata=about(
            "The files to take at a time; a batch that is written is not repeated.", INPUT
        ),
    )
    mode: Literal["error", "append"] = field(
        default="error",
        metadata=about(
            "What to do where the table exists already and the checkpoint is new.", INPUT
        ),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.has_table:
            raise ParameterError("`output` or `output_table` is required: where to write the table")
        self.check_positive("files_per_batch", "it is the number of files taken at a time")
        if not self.input_col and self.sampler.video_src_type == "video_base64":
            raise ParameterError(
                "`video_src_type` video_base64 needs `input_col`, the column that holds it"
            )
        if not self.input_col and self.sampler.video_src_type == "video_binary":
            object.__setattr__(self, "id_col", self.id_col or ("path",))
        self.check_ids()
        places = ["output", "checkpoint", "failed_output"]
        for name in places if self.input_format == "table" else ["input", *places]:
            place = getattr(self, name)
            if place and not urlsplit(place).scheme:
                # The checkpoint compares these between runs, which may start in other folders.
                object.__setattr__(self, name, str(Path(place).absolute()))


def run(spark: SparkSession, options: IngestOptions) -> int:
    """Sample what is new, add it to the table, print the counts, and return the exit code.

    Raises:
        ParameterError: an option that cannot work with this input, table, checkpoint or Spark.
        TooManyFailuresError: more videos failed than `max_failures` allows.
    """
    if options.dry_run:
        return _dry_run(spark, options)
    videos, video_col = read_stream(
        spark,
        options.input,
        column=options.input_col,
        table_format=options.input_format,
        content=options.sampler.video_src_type == "video_binary",
        files_per_batch=options.files_per_batch,
    )
    checkpoint = Checkpoint(spark, options.checkpoint)
    options = _checked(spark, options, checkpoint)
    writer = TableWriter(KeyframeRows(options, video_col))
    if checkpoint.is_new:
        # Before it is claimed: it could not be used for other settings.
        writer.fit(options.with_texts(videos))
    with checkpoint.locked():
        checkpoint.claim(run_settings(options))
        try:
            with progress(spark):
                _run_stream(videos, writer, options)
        except TooManyFailuresError:
            writer.report.print("the last batch is not written: too many videos failed")
            raise
    return writer.report.print(str(writer.table))


def _dry_run(spark: SparkSession, options: IngestOptions) -> int:
    """Say what `run` would do with the videos that the table lacks; write nothing."""
    has_files = options.input_col is None and options.holds_video_bytes
    videos, video_col = read_now(
        spark,
        options.input,
        column=options.input_col,
        table_format=options.input_format,
        content=has_files,
    )
    checkpoint = Checkpoint(spark, options.checkpoint)
    options = _checked(spark, options, checkpoint)
    if not checkpoint.is_new:
        checkpoint.claim(run_settings(options))  # which only compares them
    return dry_run(
        options.with_texts(videos),
        KeyframeRows(options, video_col),
        lambda writer: writer.new_videos(options.with_texts(videos)),
        url_col="path" if has_files else None,
    )


def _checked(spark: SparkSession, options: IngestOptions, checkpoint: Checkpoint) -> IngestOptions:
    """Return the options with the images that earlier runs had.

    Raises:
        ParameterError: there is a table, and the checkpoint is not its own.
    """
    table = TableWriter(KeyframeRows(options, "video")).table
    if options.images is None:
        images = checkpoint.recorded.get("images") or stored_images(options, table, spark)
        options = replace(options, images=images)
    if checkpoint.is_new and options.mode == "error" and table.exists(spark):
        place = redact_url(options.checkpoint)
        raise ParameterError(
            f"{table} already exists, and the checkpoint {place} is new; give the table's own "
            "checkpoint, or `mode` append to add the videos that the table lacks"
        )
    return options


def run_settings(options: IngestOptions) -> dict[str, Any]:
    """Return what must stay equal over all runs of a checkpoint."""
    return {
        **{name: getattr(options, name) for name in _SAME_OPTIONS},
        "info_col": options.info_col if options.candidates_col else None,
        **{
            each.name: getattr(options.sampler, each.name)
            for each in fields(options.sampler)
            if each.name not in _MAY_CHANGE
        },
        **object_settings(options),
    }


def _run_stream(videos: DataFrame, writer: TableWriter, options: IngestOptions) -> None:
    """Run the stream until nothing new is left."""
    raised: list[Exception] = []

    def write_batch(rows: DataFrame, number: int) -> None:
        # After a kill, Spark calls it again with the same rows: write_new leaves out what is
        # written already.
        try:
            if options.input_col is None and not options.holds_video_bytes:
                rows = partition_batch(rows, cpus=options.cpus)
                writer.write_new(options.with_texts(rows))
            else:
                rows = options.with_texts(rows)
                writer.write_new(rows, repartition=not options.holds_video_bytes)
        except Exception as error:
            raised.append(error)
            raise

    stream: Any = videos.writeStream.foreachBatch(write_batch).trigger(availableNow=True)
    query = stream.option("checkpointLocation", options.checkpoint).start()
    try:
        query.awaitTermination()
    except Exception:
        # Spark's own exception holds the original only as text.
        if raised:
            raise raised[0] from None
        raise


JOB = Job(
    name="ingest",
    script="ingest.py",
    options=IngestOptions,
    run=run,
    description="Sample the videos that are new since the last run, each of them once.",
    examples=(
        "--input landing/ --checkpoint out/checkpoint --output out/table --text spoon "
        "--output-tos-dir out/keyframes",
    ),
    common=(
        *("input", "checkpoint", "text", "output_tos_dir", "output", "fps", "max_num_frames"),
        *("model_path", "clip_model_name", "max_failures", "dry_run"),
    ),
)
main, parse_options = JOB.main, JOB.parse_options
