"""What one video took: wall-clock seconds by stage, frames, and bytes."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any

from spark_keyframes.errors import STAGES
from spark_keyframes.fields import doc_of, documented


@dataclass
class Account:
    """What a video took, up to its result or its failure."""

    seconds: dict[str, float] = field(
        default_factory=lambda: dict.fromkeys(STAGES, 0.0),
        metadata={
            "doc": "Wall-clock seconds in each stage. Of a batch that several videos share, each "
            "video counts its part."
        },
    )
    waited: float = documented(
        0.0, "Seconds of waiting for the model, which was busy with this or other videos."
    )
    frames_decoded: int = documented(
        0, "Frames that came out of the decoder. A frame that was decoded twice counts twice."
    )
    frames_skipped: int = documented(
        0,
        "Frames that did not: no candidate needs them, or they are damaged. 0 where the timestamps "
        "of the whole video cannot be trusted, since all frames are decoded then.",
    )
    candidates_total: int = documented(
        0, "Candidates of the video, or of the part of it that was asked for."
    )
    frames_scored: int = documented(
        0, 'Candidates that were scored, each counted once: all, or some with `scan="coarse"`.'
    )
    guides_scored: int = documented(
        0, 'Frames that are no candidates, and were scored to guide `scan="coarse"`.'
    )
    scored_again: int = documented(
        0,
        "Candidates that were scored a second time, since their scores were too close, or by "
        "`rerank`.",
    )
    decoded_again: int = documented(
        0, "Frames that were decoded a second time, since there was no room to keep them."
    )
    frames_doubtful: int = documented(
        0,
        "Those of `frames_decoded` that were decoded in sequence, because damage or unreliable "
        "timestamps leave a doubt about which frames there are.",
    )
    images_uploaded: int = documented(
        0, "Images that the storage acknowledged. Those of a video that failed later stay there."
    )
    bytes_uploaded: int = documented(0, "The size of these images, in bytes.")


class StageClock:
    """Knows in which stage a video is, and since when."""

    def __init__(self, account: Account) -> None:
        self.stage = "open"
        """where the video is, or where it ended"""
        self._account = account
        self._began = time.perf_counter()

    def start(self) -> None:
        """Begin to count, in the first stage."""
        self._began = time.perf_counter()

    def enter(self, stage: str, ago: float = 0.0) -> None:
        """Begin a stage: errors from now on belong to it, and so do the seconds.

        So do these seconds before, of the stage that ends.
        """
        now = max(self._began, time.perf_counter() - ago)
        self._account.seconds[self.stage] += now - self._began
        self.stage, self._began = stage, now

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Wait for other videos; these seconds belong to no stage."""
        self.enter(self.stage)
        yield
        self._began = time.perf_counter()

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Wait for the scorer, whose thread adds the seconds of "clip"; these are others."""
        self.enter("clip")
        began = self._began
        yield
        waited = time.perf_counter() - began
        self._account.waited += waited
        self._began += waited


def account_columns() -> dict[str, tuple[str, str]]:
    """Return the fields of an account as a struct: by name, the type in SQL and the text."""
    columns: dict[str, tuple[str, str]] = {}
    for each in fields(Account):
        if each.name == "seconds":
            columns |= {f"{stage}_seconds": ("double", doc_of(each)) for stage in STAGES}
        elif each.type is float:
            columns[f"{each.name}_seconds"] = ("double", doc_of(each))
        else:
            columns[each.name] = ("bigint", doc_of(each))
    return columns


def account_cell(account: Account) -> dict[str, float]:
    """Return an account as the fields of `account_columns`."""
    values = [*(account.seconds[stage] for stage in STAGES), account.waited]
    values += [getattr(account, each.name) for each in fields(Account)[2:]]
    return dict(zip(account_columns(), values, strict=True))


def stage_words(metrics: Mapping[str, Any]) -> str:
    """Return the seconds of each stage in words, the longest first, and those of waiting."""
    seconds = {stage: metrics[f"{stage}_seconds"] for stage in STAGES}
    total = sum(seconds.values())
    parts = [
        f"{stage} {spent:.1f} ({spent / total:.0%})"
        for stage, spent in sorted(seconds.items(), key=lambda item: -item[1])
        if spent >= total / 100 > 0  # less than 1 % is left out
    ]
    return ", ".join([*parts, f"waited {metrics['waited_seconds']:.1f} for the model"])


def frame_words(metrics: Mapping[str, Any]) -> str:
    """Return in words how many frames were decoded, skipped and scored, with the rates."""
    decoded, scored = metrics["frames_decoded"], metrics["frames_scored"]
    doubtful = metrics.get("frames_doubtful")
    doubt = f", {doubtful} of them for doubt" if doubtful else ""
    total = metrics.get("candidates_total", scored)  # not in accounts of earlier versions
    of_all = f" of {total} candidates" if scored < total else ""
    return (
        f"{decoded} decoded{_rate(decoded, metrics['decode_seconds'])}{doubt}, "
        f"{metrics['frames_skipped']} skipped, "
        f"{scored}{of_all} scored{_rate(scored, metrics['clip_seconds'])}"
    )


def _rate(frames: int, seconds: float) -> str:
    return f" ({frames / seconds:.0f}/s)" if frames and seconds else ""
