"""Computes what a job would take, from the headers of some videos and measurements of a few."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spark_keyframes.arrow.curves import CANDIDATE_BYTES
from spark_keyframes.jobs.estimates import NOTHING, Estimate, rate, total
from spark_keyframes.jobs.keyframes_options import KeyframesOptions
from spark_keyframes.jobs.options import TableOptions
from spark_keyframes.jobs.sampled_videos import SampledVideo, SampledVideos

_FRAME_BYTES = 16  # of a candidate of an index, beside its embedding


@dataclass(frozen=True)
class Work:
    """What a job would take."""

    seconds: Estimate
    """of video"""
    candidates: Estimate
    images: Estimate
    read: Estimate
    """bytes of videos"""
    decode: Estimate
    """CPU seconds"""
    score: Estimate
    encode: Estimate
    gpu: Estimate
    """seconds of a GPU"""
    stored: Estimate
    """bytes of images in the storage"""
    table: Estimate
    """bytes of the table's images, candidates and curves, before compression"""
    probes: int
    """videos of which a part was sampled"""
    probed_seconds: float
    """of these parts together"""
    failures: tuple[str, ...]
    """why other parts could not be sampled"""

    @property
    def cpu(self) -> Estimate:
        """CPU seconds in all."""
        return self.decode + self.score + self.encode


def makes_index(options: TableOptions) -> bool:
    """Return whether the table has the candidates and their embeddings."""
    return not isinstance(options, KeyframesOptions) or bool(options.candidates_col)


def estimated_work(
    sampled: SampledVideos, probes: Sequence[Mapping[str, Any]], options: TableOptions
) -> Work:
    """Return what the job would take.

    Args:
        sampled: videos whose headers were read.
        probes: rows of `ProbeStage`, each with its `weight`.
        options: of the job.
    """
    videos, sampler = sampled.videos, options.sampler
    shares = [video.share for video in videos]
    ones = [1.0] * len(videos)
    sizes = [float(video.bytes or 0) for video in videos]

    def of_videos(values: Sequence[float]) -> Estimate:
        """Return a total that grows with the number of videos."""
        return total(values, ones, sampled.count, shares)

    def of_bytes(values: Sequence[float]) -> Estimate:
        """Return a total that grows with their bytes, where those of all are known."""
        if sampled.bytes is None:
            return of_videos(values)
        return total(values, sizes, sampled.bytes, shares)

    counts = [
        video.candidates(sampler.fps) if video.texts or makes_index(options) else 0
        for video in videos
    ]
    worked = [
        (video.seconds or 0.0) if count else 0.0
        for video, count in zip(videos, counts, strict=True)
    ]
    images = [_images(video, count, options) for video, count in zip(videos, counts, strict=True)]
    looked = [
        _looked_at(video, count, options) for video, count in zip(videos, counts, strict=True)
    ]
    share = sampler.scan_budget if sampler.scan == "coarse" else 1.0
    measured = [probe for probe in probes if probe["error"] is None]
    measured_all = sampled.are_all and len(measured) == sum(count > 0 for count in counts)
    weights = [probe["weight"] for probe in measured]

    def each(top: str, bottom: str) -> Estimate:
        found = rate(
            [probe[top] or 0.0 for probe in measured],
            [probe[bottom] or 0 for probe in measured],
            weights,
        )
        return Estimate(found.value) if measured_all else found

    all_images, candidates = of_videos(images), of_bytes(counts)
    of_file = all_images * each("image_bytes", "images")
    kind = getattr(options, "images", None)
    in_table = NOTHING
    if kind == "encoded":
        in_table = of_file
    elif kind == "arrays":
        in_table = of_videos([3 * v.pixels * n for v, n in zip(videos, images, strict=True)])
    if makes_index(options):
        floats = max((probe["dimensions"] or 0 for probe in measured), default=0)
        in_table += candidates * float(4 * floats + _FRAME_BYTES)
    if getattr(options, "curve_col", None):
        scores = [v.texts * count for v, count in zip(videos, counts, strict=True)]
        in_table += of_bytes(scores) * (share * CANDIDATE_BYTES)
    return Work(
        seconds=of_bytes([video.seconds or 0.0 for video in videos]),
        candidates=candidates,
        images=all_images,
        read=of_videos(sizes) if sampled.bytes is None else Estimate(sampled.bytes),
        decode=of_bytes(worked) * each("decode", "seconds") * share,
        score=candidates * each("score", "candidates") * share
        + of_videos(looked) * each("again", "looked"),
        encode=all_images * each("encode", "images"),
        gpu=candidates * each("gpu", "candidates") * share,
        stored=of_file if sampler.output_tos_dir else NOTHING,
        table=in_table,
        probes=len(measured),
        probed_seconds=sum(probe["seconds"] for probe in measured),
        failures=tuple(f"{p['error']}: {p['message']}" for p in probes if p["error"] is not None),
    )


def is_exact(options: TableOptions) -> bool:
    """Return whether a video gives as many keyframes as it may, so that they can be counted."""
    if not isinstance(options, KeyframesOptions):
        return True
    sampler, one_text = options.sampler, not options.text_col
    bounded = sampler.min_score is not None or sampler.min_gap or sampler.max_similarity < 1
    return one_text and not bounded and isinstance(sampler.selector, str)


def _images(video: SampledVideo, count: int, options: TableOptions) -> int:
    """Return how many keyframes of a video there are at most, where somebody wants images."""
    kept = getattr(options, "images", None) in ("encoded", "arrays")
    if not isinstance(options, KeyframesOptions) or not (options.sampler.output_tos_dir or kept):
        return 0
    return min(video.texts * options.sampler.max_num_frames, count)


def _looked_at(video: SampledVideo, count: int, options: TableOptions) -> int:
    """Return how many candidates of a video `rerank` looks at, at most."""
    sampler = options.sampler
    if not sampler.rerank or not isinstance(options, KeyframesOptions):
        return 0
    each = sampler.rerank_candidates or 4 * sampler.max_num_frames
    return min(video.texts * each, count)
