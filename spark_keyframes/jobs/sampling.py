"""Samples a job's videos, and counts the rows while they pass."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import uuid4

from spark_keyframes.jobs.options import JobOptions
from spark_keyframes.spark.monitoring.metrics import metrics
from spark_keyframes.spark.versions import check_observations, is_connect

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, Observation


def sample_videos(
    videos: "DataFrame", video_col: str, options: JobOptions
) -> "tuple[DataFrame, Observation]":
    """Return the result of `transform`, and an observation of its `metrics`.

    Args:
        videos: one video per row.
        video_col: the column that holds them.
        options: of the job. Their `images` decide about the parameter `return_keyframes`.
    """
    from pyspark.sql import Observation
    from pyspark.sql.types import ArrayType

    check_observations(videos.sparkSession)
    # The report always needs the account; the table has it only where it is asked for.
    account_col = options.account_col or f"account_{uuid4().hex}"
    images = options.images or "none"
    sampler = replace(options.sampler, return_keyframes=images != "none")
    sampled = sampler.transform(
        videos,
        input_col=video_col,
        output_col=options.output_col,
        text_col=options.text_col,
        start_col=options.start_col,
        end_col=options.end_col,
        error_col=options.error_col,
        account_col=account_col,
        timestamps_col=options.timestamps_col,
        made_by_col=options.made_by_col,
        images="encoded" if images == "encoded" else "arrays",
        on_error=options.on_error,
        cpus=options.cpus,
        gpus=options.gpus,
    )
    counts = Observation()
    columns = metrics(
        output_col=options.output_col,
        error_col=options.error_col,
        account_col=account_col,
        several_texts=isinstance(sampled.schema[options.output_col].dataType, ArrayType),
    )
    observed = sampled.observe(counts, *columns)
    return observed if options.account_col else observed.drop(account_col), counts


@contextlib.contextmanager
def kept(result: "DataFrame") -> "Iterator[DataFrame]":
    """Sample the videos now, and open the rows for several uses, each without sampling again."""
    from pyspark import StorageLevel

    if not is_connect(result.sparkSession):
        # Not persist: Spark forgets persisted rows when the table is written that they are
        # compared with, and would sample the videos again.
        yield result.localCheckpoint()
        return
    rows = result.persist(StorageLevel.DISK_ONLY)
    try:
        rows.count()
        yield rows
    finally:
        rows.unpersist()
