"""Chooses some of a job's videos, and reads their headers, to say something of all of them."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spark_keyframes.jobs.inputs import SIZE_COL
from spark_keyframes.sampler import VideoAdaptiveKeyframesSampling
from spark_keyframes.schema import spark_type
from spark_keyframes.spark.columns import column
from spark_keyframes.spark.header_stage import HEADER_DDL, HeaderStage
from spark_keyframes.spark.interpreter import shipped
from spark_keyframes.spark.versions import default_parallelism, frame_of

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

HEADERS = 50
"""About how many videos are opened. Of no more videos than these, all are."""

_PARTS = 2**31  # into which the hash of a video is divided


@dataclass(frozen=True)
class SampledVideo:
    """A video that was chosen, and what its header says."""

    place: int
    video: str | None
    """path or URL; None for one whose bytes are in its row"""
    share: float
    """with which probability it was chosen"""
    bytes: int | None
    seconds: float | None
    """of the part that is asked for; None: it could not be opened, or does not say"""
    fps: float | None
    pixels: int
    start: float
    """of the part that is asked for, in seconds"""
    texts: int
    failure: tuple[str, str, str] | None = None
    """stage, class and message of why it cannot be opened"""

    def candidates(self, fps: float) -> int:
        """Return about how many candidates it has."""
        seconds = self.seconds or 0.0
        return math.ceil(seconds * min(fps, self.fps or fps) - 1e-6)


@dataclass(frozen=True)
class SampledVideos:
    """All videos, as far as they are known, and the chosen ones."""

    frame: "DataFrame"
    """the chosen ones, with the columns place and video"""
    count: int
    bytes: int | None
    """of all; None: only opening all would tell"""
    without_video: int
    """rows whose video is null"""
    videos: list[SampledVideo]
    are_first: bool
    """whether they are the first rows, and not chosen by chance"""

    @property
    def are_all(self) -> bool:
        """Whether all videos were opened."""
        return len(self.videos) == self.count


def sampled_videos(
    rows: "DataFrame",
    video_col: str,
    sampler: VideoAdaptiveKeyframesSampling,
    *,
    texts: "Column",
    start_col: str | None,
    end_col: str | None,
) -> SampledVideos:
    """Choose about `HEADERS` videos, larger ones more likely, and read their headers.

    Which ones depends on the videos only, so that the next run opens the same.

    Args:
        rows: the videos; with `SIZE_COL`, their sizes.
        video_col: the column that holds them.
        sampler: how they are opened.
        texts: how many texts a row has.
        start_col: as in `transform`.
        end_col: as in `transform`.
    """
    from pyspark.sql import functions as sf

    size = column(SIZE_COL) if SIZE_COL in rows.columns else sf.lit(None).cast("bigint")
    start, end = (
        (column(name) if name else sf.lit(None)).cast("double") for name in (start_col, end_col)
    )
    plain = rows.select(
        column(video_col).alias("video"),
        *(size.alias("bytes"), start.alias("start"), end.alias("end"), texts.alias("texts")),
    )
    counted = plain.agg(
        sf.count(sf.lit(1)), sf.count("video"), sf.count("bytes"), sf.sum("bytes")
    ).first()
    all_rows, count, sized, all_bytes = counted or (0, 0, 0, 0)
    plain = plain.where(sf.col("video").isNotNull())
    knows_sizes = count == sized and bool(all_bytes)
    wanted = sf.lit(HEADERS / max(1, count))
    in_rows = sampler.video_src_type != "video_url"
    share = wanted
    if knows_sizes and not in_rows:
        share = wanted * (sf.col("bytes") / sf.lit(all_bytes / count) + 1) / 2
    plain = plain.withColumn(
        "share", sf.least(sf.lit(1.0), share) if count > HEADERS else sf.lit(1.0)
    )
    if in_rows:
        # To choose by chance would read the bytes of all.
        chosen = plain.limit(HEADERS).withColumn("place", sf.xxhash64("video"))
        meta = [row.asDict() for row in chosen.drop("video").collect()]
    else:
        chance = sf.pmod(sf.xxhash64("video", "start", "end"), sf.lit(_PARTS)) / _PARTS
        meta = [row.asDict() for row in plain.where(chance < sf.col("share")).collect()]
        for place, row in enumerate(meta):
            row["place"] = place
        chosen = _frame(rows, meta)
    frame = chosen.select("place", "video")
    headers = _headers(frame, len(meta), sampler) if meta else {}
    return SampledVideos(
        frame=frame,
        count=count,
        bytes=int(all_bytes) if knows_sizes else None,
        without_video=all_rows - count,
        videos=[_sampled(row, headers[row["place"]]) for row in meta if row["place"] in headers],
        are_first=in_rows and count > HEADERS,
    )


def _headers(
    frame: "DataFrame", count: int, sampler: VideoAdaptiveKeyframesSampling
) -> dict[int, dict[str, Any]]:
    """Read the headers in tasks: these have the credentials and the decoder."""
    tasks = max(1, min(count, default_parallelism(frame.sparkSession)))
    stage = shipped(HeaderStage(sampler, sampler.video_src_type))
    schema: Any = spark_type(f"struct<{HEADER_DDL}>")
    found = frame.repartition(tasks).mapInArrow(stage, schema)
    return {row["place"]: row.asDict() for row in found.collect()}


def _frame(rows: "DataFrame", meta: list[dict[str, Any]]) -> "DataFrame":
    import pyarrow as pa

    return frame_of(
        rows.sparkSession,
        pa.table(
            {
                "place": pa.array([row["place"] for row in meta], pa.int64()),
                "video": pa.array([row["video"] for row in meta], pa.string()),
            }
        ),
    )


def _sampled(row: dict[str, Any], header: dict[str, Any]) -> SampledVideo:
    failure = (header["stage"], header["error"], header["message"])
    start, seconds = row["start"] or 0.0, header["seconds"]
    if seconds is not None:
        end = seconds if row["end"] is None else min(row["end"], seconds)
        seconds = max(0.0, end - start)
    size = row["bytes"] if row["bytes"] is not None else header["bytes"]
    return SampledVideo(
        place=row["place"],
        video=row.get("video"),
        share=row["share"],
        bytes=size,
        seconds=seconds,
        fps=header["fps"],
        pixels=(header["width"] or 0) * (header["height"] or 0),
        start=start,
        texts=row["texts"],
        failure=failure if header["error"] else None,
    )
