"""What rows took: as a cell of the result, summed up while they pass by, and in two lines."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from spark_keyframes.engine.pipeline import Outcome
from spark_keyframes.errors import STAGES
from spark_keyframes.schema import ACCOUNT_DDL

if TYPE_CHECKING:
    from pyspark.sql import Column

_FIELDS = [field.split(" ")[0] for field in ACCOUNT_DDL.split(", ")]


def account_cell(outcome: Outcome) -> dict[str, float] | None:
    """The account of a row as its struct; None for a null video."""
    if outcome is None:
        return None
    account = outcome.account
    return {
        **{f"{stage}_seconds": account.seconds[stage] for stage in STAGES},
        "waited_seconds": account.waited,
        "frames_decoded": account.frames_decoded,
        "frames_skipped": account.frames_skipped,
        "frames_scored": account.frames_scored,
        "scored_again": account.scored_again,
        "decoded_again": account.decoded_again,
    }


def account_metrics(account_col: str) -> "list[Column]":
    """The sum of each field of an account column over all rows, under the field's name.

    For DataFrame.observe, which sums while the rows pass by: to look at them a second time would
    sample the videos again.

        seen = Observation()
        result = sampler.transform(videos, account_col="account")
        result.observe(seen, *account_metrics("account")).write.parquet("out")
        print(seen.get["decode_seconds"])
    """
    from pyspark.sql import functions as sf

    account = sf.col(f"`{account_col}`")
    return [sf.coalesce(sf.sum(account[name]), sf.lit(0)).alias(name) for name in _FIELDS]


def account_lines(metrics: Mapping[str, Any]) -> list[str]:
    """Two lines for people, of what `account_metrics` summed up: the stages and the frames.

    Seconds of videos that run side by side add up to more than passed on the clock.
    """
    seconds = {stage: metrics[f"{stage}_seconds"] for stage in STAGES}
    total = sum(seconds.values())
    parts = [
        f"{stage} {spent:.1f} ({spent / total:.0%})"
        for stage, spent in sorted(seconds.items(), key=lambda item: -item[1])
        if spent >= total / 100 > 0  # less than a percent is not worth a word
    ]
    waited = f"waited {metrics['waited_seconds']:.1f} for the model"
    decoded, scored = metrics["frames_decoded"], metrics["frames_scored"]
    return [
        f"seconds    {', '.join([*parts, waited])}; summed over the videos",
        f"frames     {decoded} decoded{_rate(decoded, seconds['decode'])}, "
        f"{metrics['frames_skipped']} skipped, {scored} scored{_rate(scored, seconds['clip'])}",
    ]


def _rate(frames: int, seconds: float) -> str:
    return f" ({frames / seconds:.0f}/s)" if frames and seconds else ""
