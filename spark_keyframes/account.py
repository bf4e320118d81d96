"""What one video took: wall-clock seconds by stage, frames, and bytes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spark_keyframes.errors import STAGES


@dataclass
class Account:
    """What a video took, up to its result or its failure."""

    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(STAGES, 0.0))
    """wall-clock seconds by stage; of a batch that videos share, each has its part"""
    waited: float = 0.0
    """seconds in which the video waited for the model, busy with other videos or with this"""
    frames_decoded: int = 0
    """frames that came out of the decoder; one that did so twice counts twice"""
    frames_skipped: int = 0
    """frames of the video that did not: no candidate needs them, or they are damaged; 0 where the
    timestamps cannot be trusted, since then all is decoded"""
    frames_scored: int = 0
    """candidates, each counted once"""
    scored_again: int = 0
    """of these, those that were too close to call at first"""
    decoded_again: int = 0
    """frames that were decoded a second time, since there was no room to hold them"""
    images_uploaded: int = 0
    """images that the storage has acknowledged; of a video that failed later, they stay there"""
    bytes_uploaded: int = 0
    """of these, as they are stored"""


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
