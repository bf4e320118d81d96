"""Says what a job would do, and writes nothing: how much there is, what it takes, where it goes."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from spark_keyframes.errors import CredentialsError, StorageWriteError
from spark_keyframes.jobs.dry_run_report import print_headers, print_work
from spark_keyframes.jobs.estimates import spread_out
from spark_keyframes.jobs.inputs import SIZE_COL
from spark_keyframes.jobs.keyframes_options import KeyframesOptions
from spark_keyframes.jobs.options import TableOptions
from spark_keyframes.jobs.row_maker import RowMaker
from spark_keyframes.jobs.sampled_videos import SampledVideo, SampledVideos, sampled_videos
from spark_keyframes.jobs.table_writer import TableWriter
from spark_keyframes.jobs.work import estimated_work, makes_index
from spark_keyframes.runner import pipeline_for_workers
from spark_keyframes.sampler import VideoAdaptiveKeyframesSampling
from spark_keyframes.schema import spark_type
from spark_keyframes.spark.columns import column
from spark_keyframes.spark.interpreter import is_local, shipped
from spark_keyframes.spark.probe_stage import PROBE_DDL, ProbeStage
from spark_keyframes.spark.resources import task_resources
from spark_keyframes.spark.versions import frame_of, has_profiles
from spark_keyframes.storage import check_writable

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

logger = logging.getLogger("spark_keyframes")

PROBES = 6
"""The most videos of which parts are sampled, to measure what that takes."""

_PROBE_SECONDS = 60.0


def dry_run(
    videos: "DataFrame",
    maker: RowMaker,
    left: "Callable[[TableWriter], DataFrame]",
    *,
    url_col: str | None = None,
) -> int:
    """Print what the job would do with these videos, and return the exit code.

    Args:
        videos: the job's; with `SIZE_COL`, the sizes of files.
        maker: of the rows.
        left: returns those that the table lacks, and raises as the job would.
        url_col: the column with the paths of the videos, where `videos` has no bytes of them.

    Raises:
        ParameterError: an option that cannot work with this input, table or Spark.
    """
    asked = maker.options
    _check_images_place(asked.sampler, videos)
    # Neither images nor what callbacks write.
    maker.options = replace(asked, sampler=_storeless(asked.sampler))
    writer = TableWriter(maker) if asked.has_table else None
    if writer is None:
        maker.make(videos.drop(SIZE_COL))
    rows = videos if writer is None else left(writer)
    sampler = maker.options.sampler
    if url_col is not None:
        sampler = replace(sampler, video_src_type="video_url")
    sampled = sampled_videos(
        rows,
        url_col or maker.video_col,
        sampler,
        texts=_texts(maker.options, rows),
        start_col=asked.start_col,
        end_col=asked.end_col,
    )
    print_headers(sampled, writer)
    opened = [video for video in sampled.videos if video.seconds]
    if opened:
        probed = _probed(sampled, opened, sampler, maker.options)
        print_work(estimated_work(sampled, probed, asked), rows.sparkSession, asked, writer)
    return 0


def _check_images_place(sampler: VideoAdaptiveKeyframesSampling, videos: "DataFrame") -> None:
    """Check the place of the images as far as nothing must be written for it."""
    try:
        if sampler.output_tos_dir:
            check_writable(sampler.output_tos_dir)
    except (CredentialsError, StorageWriteError) as error:
        if is_local(videos.sparkSession):
            raise
        logger.warning("%s (on the driver; each task will check it)", error)


def _storeless(sampler: VideoAdaptiveKeyframesSampling) -> VideoAdaptiveKeyframesSampling:
    return replace(sampler, output_tos_dir="", callbacks=())


def _texts(options: TableOptions, rows: "DataFrame") -> "Column":
    """Return how many texts a row has; 0 for an index, which has none."""
    from pyspark.sql import functions as sf
    from pyspark.sql.types import ArrayType

    if not isinstance(options, KeyframesOptions):
        return sf.lit(0)
    if options.text_col is None:
        return sf.lit(1)
    text = column(options.text_col)
    kinds = {field.name.lower(): field.dataType for field in rows.schema}
    if not isinstance(kinds[options.text_col.lower()], ArrayType):
        return sf.when(text.isNull(), 0).otherwise(1)
    present = sf.filter(text, lambda each: each.isNotNull())
    return sf.coalesce(sf.size(sf.array_distinct(present)), sf.lit(0))


def _probed(
    sampled: SampledVideos,
    opened: list[SampledVideo],
    sampler: VideoAdaptiveKeyframesSampling,
    options: TableOptions,
) -> list[dict[str, Any]]:
    """Sample parts of a few videos in a task; return what each took, with its weight."""
    spark = sampled.frame.sparkSession
    asked = [video for video in opened if video.texts or makes_index(options)]
    weights = spread_out([(video.seconds or 0.0) / video.share for video in asked], PROBES)
    chosen = {asked[place].place: (asked[place], weight) for place, weight in weights.items()}
    if not chosen:
        return []
    keeps_images = isinstance(options, KeyframesOptions)
    pipeline = pipeline_for_workers(
        # Without min_score: a part that shows nothing of the text would give no image to measure.
        # All candidates: a part is too short to look at some of them only.
        replace(sampler, return_keyframes=keeps_images, min_score=None, scan="exhaustive"),
        same_view=is_local(spark),
        text_advice=None,
    )
    pipeline = replace(pipeline, images_as="encoded", embeddings=makes_index(options))
    if not keeps_images:
        pipeline = replace(pipeline, matcher=None)
    frame = _probe_frame(sampled, [video for video, _ in chosen.values()]).coalesce(1)
    resources = task_resources(
        spark, cpus=options.cpus, gpus=options.gpus, profiles=has_profiles(frame)
    )
    stage = shipped(ProbeStage(pipeline, _PROBE_SECONDS))
    schema: Any = spark_type(f"struct<{PROBE_DDL}>")
    measured = (
        frame.mapInArrow(stage, schema)
        if resources.profile is None
        else frame.mapInArrow(stage, schema, profile=resources.profile)
    )
    return [{**row.asDict(), "weight": chosen[row["place"]][1]} for row in measured.collect()]


def _probe_frame(sampled: SampledVideos, videos: list[SampledVideo]) -> "DataFrame":
    """Return rows for `ProbeStage`: from the middle of each video on, where that is cheap."""
    import pyarrow as pa
    from pyspark.sql import functions as sf

    ranges = [_range(video) for video in videos]
    columns = {
        "place": pa.array([video.place for video in videos], pa.int64()),
        "start": pa.array([start for start, _ in ranges], pa.float64()),
        "end": pa.array([end for _, end in ranges], pa.float64()),
        "texts": pa.array([video.texts for video in videos], pa.int32()),
    }
    parts = frame_of(sampled.frame.sparkSession, pa.table(columns))
    joined = sampled.frame.join(sf.broadcast(parts), "place")
    return joined.select("place", "video", "start", "end", "texts")


def _range(video: SampledVideo) -> tuple[float, float]:
    """Return between which seconds a part of the video may be sampled."""
    from spark_keyframes.spark.candidates_rows import can_be_read_in_parts

    end = video.start + (video.seconds or 0.0)
    if video.video is not None and not can_be_read_in_parts(video.video):
        return video.start, end
    # A third of it comes before: titles and black are not what most of it is.
    return (
        (video.start, end)
        if end - video.start <= 60
        else (video.start + (end - video.start) / 3, end)
    )
