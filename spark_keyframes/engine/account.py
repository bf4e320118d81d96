"""What rows took: as a cell of the result, summed up while they pass by, and in words."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from spark_keyframes.errors import STAGES
from spark_keyframes.result import Account
from spark_keyframes.schema import ACCOUNT_DDL

if TYPE_CHECKING:
    from pyspark.sql import Column

_FIELDS = [field.split(" ")[0] for field in ACCOUNT_DDL.split(", ")]


def account_cell(account: Account) -> dict[str, float]:
    """The account of a row as its struct."""
    return {
        **{f"{stage}_seconds": account.seconds[stage] for stage in STAGES},
        "waited_seconds": account.waited,
        "frames_decoded": account.frames_decoded,
        "frames_skipped": account.frames_skipped,
        "frames_scored": account.frames_scored,
        "scored_again": account.scored_again,
        "decoded_again": account.decoded_again,
        "images_uploaded": account.images_uploaded,
        "bytes_uploaded": account.bytes_uploaded,
    }


def account_metrics(account_col: str) -> "list[Column]":
    """The sum of each field of an account column over all rows, under the field's name."""
    from pyspark.sql import functions as sf

    account = sf.col(f"`{account_col}`")
    return [sf.coalesce(sf.sum(account[name]), sf.lit(0)).alias(name) for name in _FIELDS]


def account_lines(metrics: Mapping[str, Any]) -> list[str]:
    """What `account_metrics` summed up, for people: the stages, the frames, and what was stored.

    Seconds of videos that run side by side add up to more than passed on the clock.
    """
    lines = [f"seconds    {stage_words(metrics)}; summed over the videos"]
    lines.append(f"frames     {frame_words(metrics)}")
    if images := metrics["images_uploaded"]:
        lines.append(f"uploaded   {images} images, {metrics['bytes_uploaded'] / 1e6:.1f} MB")
    return lines


def stage_words(metrics: Mapping[str, Any]) -> str:
    """Seconds by stage, the longest first, and how long the model was waited for."""
    seconds = {stage: metrics[f"{stage}_seconds"] for stage in STAGES}
    total = sum(seconds.values())
    parts = [
        f"{stage} {spent:.1f} ({spent / total:.0%})"
        for stage, spent in sorted(seconds.items(), key=lambda item: -item[1])
        if spent >= total / 100 > 0  # less than a percent is not worth a word
    ]
    return ", ".join([*parts, f"waited {metrics['waited_seconds']:.1f} for the model"])


def frame_words(metrics: Mapping[str, Any]) -> str:
    """Frames that were decoded, skipped and scored, with the rates of the two stages."""
    decoded, scored = metrics["frames_decoded"], metrics["frames_scored"]
    return (
        f"{decoded} decoded{_rate(decoded, metrics['decode_seconds'])}, "
        f"{metrics['frames_skipped']} skipped, "
        f"{scored} scored{_rate(scored, metrics['clip_seconds'])}"
    )


def _rate(frames: int, seconds: float) -> str:
    return f" ({frames / seconds:.0f}/s)" if frames and seconds else ""
