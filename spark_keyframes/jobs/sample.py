"""Finds the keyframes that match a text, in many videos: the job of jobs/sample.py."""

from dataclasses import dataclass, field, replace

from pyspark.sql import SparkSession

from spark_keyframes.errors import ParameterError
from spark_keyframes.jobs.batch import BatchOptions, read_batch, run_batch
from spark_keyframes.jobs.job import Job
from spark_keyframes.jobs.keyframe_rows import KeyframeRows
from spark_keyframes.jobs.keyframes_options import KeyframesOptions
from spark_keyframes.jobs.options import INPUT, about


@dataclass(frozen=True, kw_only=True)
class SampleOptions(BatchOptions, KeyframesOptions):
    """Options of jobs/sample.py."""

    key_on_text: bool = field(
        default=False,
        metadata=about(
            "With `resume`: add a row for each text, so that a video that the table has with "
            "another text only is sampled with this one.",
            INPUT,
        ),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.key_on_text and not (self.resume and (self.made_by_col or self.text_col)):
            raise ParameterError("`key_on_text` needs `resume`, and a name in `made_by_col`")


def run(spark: SparkSession, options: SampleOptions) -> int:
    """Sample the videos, write and print the result, and return the exit code.

    Raises:
        ParameterError: an option that cannot work with this input, table or Spark.
        TooManyFailuresError: more videos failed than `max_failures` allows.
    """
    videos, video_col = read_batch(spark, options)
    if not options.has_table:
        # Nobody would see these columns.
        options = replace(
            options, timestamps_col=None, made_by_col=None, images="none", return_keyframes=None
        )
    maker = KeyframeRows(options, video_col)
    return run_batch(spark, options.with_texts(videos), maker, options)


JOB = Job(
    name="transform",
    script="sample.py",
    options=SampleOptions,
    run=run,
    description="Find the keyframes of videos that match a text, with CLIP and Adaptive "
    "Keyframe Sampling on Spark.",
    examples=(
        "--input videos/ --text spoon --max-num-frames 4 --output-tos-dir out/keyframes "
        "--output out/table",
    ),
    common=(
        *("input", "text", "output_tos_dir", "output", "resume", "fps", "max_num_frames"),
        *("model_path", "clip_model_name", "max_failures", "dry_run"),
    ),
)
main, parse_options = JOB.main, JOB.parse_options
