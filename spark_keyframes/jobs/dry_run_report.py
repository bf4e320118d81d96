"""Prints what a dry run found."""

import math
from collections import Counter
from typing import TYPE_CHECKING

from spark_keyframes.jobs.estimates import Estimate
from spark_keyframes.jobs.keyframes_options import KeyframesOptions
from spark_keyframes.jobs.options import TableOptions
from spark_keyframes.jobs.sampled_videos import SampledVideos
from spark_keyframes.jobs.table_writer import TableWriter
from spark_keyframes.jobs.work import Work, is_exact
from spark_keyframes.redaction import redact_text, redact_url
from spark_keyframes.spark.versions import default_parallelism

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_TIMES = ((3600.0, "hours"), (60.0, "minutes"), (1.0, "seconds"))
_SIZES = ((1e9, "GB"), (1e6, "MB"), (1e3, "KB"))


def print_headers(sampled: SampledVideos, writer: TableWriter | None) -> None:
    """Print how many videos there are, and what came of opening some of them."""
    print("dry run    nothing is written")
    known = writer.report.known if writer else 0
    without = sampled.without_video + (writer.report.without_video if writer else 0)
    size = f", {amount(Estimate(sampled.bytes), _SIZES)}" if sampled.bytes is not None else ""
    print(f"videos     {sampled.count:,} to take{size}")
    if known:
        print(f"known      {known:,} videos: in the table already, or given twice")
    if without:
        print(f"left out   {without:,} rows without a video")
    if not sampled.count:
        return
    failed = [video.failure for video in sampled.videos if video.failure]
    how = "all" if sampled.are_all else "the first" if sampled.are_first else "chosen by size"
    print(f"headers    {len(sampled.videos)} read ({how}), {len(failed)} cannot be opened")
    for (stage, error), count in Counter((stage, error) for stage, error, _ in failed).items():
        message = next(text for _, name, text in failed if name == error)
        print(f"failed     {count} at stage {stage}, e.g. {error}: {redact_text(message)}")
    if silent := sum(not v.seconds and not v.failure for v in sampled.videos):
        print(f"           {silent} do not say how long they are: they count as 0 seconds")


def print_work(
    work: Work, spark: "SparkSession", options: TableOptions, writer: TableWriter | None
) -> None:
    """Print what the job would take, and where the results would go."""
    print(f"length     {amount(work.seconds, _TIMES)}")
    sampler = options.sampler
    some = f", of which up to {sampler.scan_budget:.0%} are scored" * (sampler.scan == "coarse")
    print(f"candidates {number(work.candidates)} at fps {sampler.fps:g}{some}")
    print(f"in         {amount(work.read, _SIZES)}{_of_parts(options)}")
    if work.probes:
        print(f"CPU        {amount(work.cpu, _TIMES)}")
        parts = {"decode": work.decode, "score": work.score, "images": work.encode}
        for name, part in parts.items():
            if part.value:
                print(f"  {name:<8} {amount(part, _TIMES)}")
        if work.gpu.value:
            print(f"GPU        {amount(work.gpu, _TIMES)}")
        cores = default_parallelism(spark)
        print(
            f"time       {amount(Estimate(work.cpu.value / cores), _TIMES)} or more on {cores} "
            f"CPU{'s' * (cores > 1)} of this Spark, without downloads and uploads"
        )
        print(
            f"measured   on {amount(Estimate(work.probed_seconds), _TIMES)} of {work.probes} "
            f"video{'s' * (work.probes > 1)}, by a task of this Spark"
        )
    for failure in work.failures:
        print(f"failed     while measuring: {redact_text(failure)}")
    at_most = "" if is_exact(options) else "at most "
    if isinstance(options, KeyframesOptions):
        print(f"images     {_images(work, options, at_most)}")
    table = str(writer.table) if writer else "not written, without output"
    size = f", images, candidates and curves in it {at_most}{amount(work.table, _SIZES)}"
    print(f"table      {table}{size if work.table.value else ''}")
    if writer and writer.failed_table:
        print(f"failed to  {writer.failed_table}")
    spreads = [each.spread for each in (work.seconds, work.cpu, work.images, work.stored)]
    if any(map(math.isinf, spreads)):
        print("ranges     none for CPU and sizes, which were measured on one video")
    elif any(spreads):
        print("ranges     in brackets; the truth is in 95 of 100 such ranges")


def _images(work: Work, options: KeyframesOptions, at_most: str) -> str:
    if not work.images.value:
        return "not stored, without output_tos_dir"
    count, place = f"{at_most}{number(work.images)}", redact_url(options.sampler.output_tos_dir)
    return (
        f"{count}, {amount(work.stored, _SIZES)}, in {place}" if place else f"{count}, in the table"
    )


def amount(estimate: Estimate, units: tuple[tuple[float, str], ...]) -> str:
    """Return an estimate in the largest unit of which it is 2 or more, with its range."""
    scale, unit = next((each for each in units if estimate.value >= 2 * each[0]), units[-1])
    return f"{_with_range(estimate, scale, 1)} {unit}"


def number(estimate: Estimate) -> str:
    """Return a count, with its range."""
    return _with_range(estimate, 1.0, 0)


def _with_range(estimate: Estimate, scale: float, digits: int) -> str:
    value, spread = estimate.value / scale, estimate.spread / scale
    text = f"{value:,.{digits}f}"
    if math.isinf(spread):
        return text
    low, high = (f"{max(0.0, each):,.{digits}f}" for each in (value - spread, value + spread))
    return text if low == high else f"{text} ({low} to {high})"


def _of_parts(options: TableOptions) -> str:
    return ", of which less is read: parts are asked for" if options.window_cols else ""
