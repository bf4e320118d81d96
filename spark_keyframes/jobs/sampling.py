"""Samples a job's videos, and counts the rows while they pass."""

from typing import TYPE_CHECKING
from uuid import uuid4

from spark_keyframes.jobs.options import JobOptions
from spark_keyframes.spark.monitoring.metrics import metrics
from spark_keyframes.spark.versions import check_observations

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, Observation


def sample_videos(
    videos: "DataFrame", video_col: str, options: JobOptions
) -> "tuple[DataFrame, Observation]":
    """Return the result of `transform`, and an observation of its `metrics`.

    Args:
        videos: one video per row.
        video_col: the column that holds them.
        options: of the job.
    """
    from pyspark.sql import Observation

    check_observations(videos.sparkSession)
    # The report always needs the account; the table has it only where it is asked for.
    account_col = options.account_col or f"account_{uuid4().hex}"
    sampled = options.sampler.transform(
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
    counts = Observation()
    columns = metrics(
        output_col=options.output_col, error_col=options.error_col, account_col=account_col
    )
    observed = sampled.observe(counts, *columns)
    return observed if options.account_col else observed.drop(account_col), counts
