"""Counts videos, keyframes and failures while Spark runs an action, and formats the counts.

Counting in a second action would sample the videos again.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from spark_keyframes.account import frame_words, stage_words
from spark_keyframes.errors import STAGES, ParameterError
from spark_keyframes.schema import ACCOUNT_DDL
from spark_keyframes.spark.columns import column
from spark_keyframes.spark.monitoring.failures import failure_lines, failure_metrics

if TYPE_CHECKING:
    from pyspark.sql import Column

_OTHER = "other"

_ACCOUNT_FIELDS = [field.split(" ")[0] for field in ACCOUNT_DDL.split(", ")]


def metrics(
    *,
    output_col: str | None = "keyframes",
    error_col: str | None = None,
    account_col: str | None = None,
    candidates_col: str | None = None,
    several_texts: bool = False,
) -> "list[Column]":
    """Return columns for DataFrame.observe over a result of `transform`, or of `index`.

        seen = Observation()
        result = sampler.transform(videos, error_col="error", account_col="account")
        result.observe(seen, *metrics(error_col="error", account_col="account")).write.save("out")
        print(seen.get["failed"], seen.get["decode_seconds"])

    It works in batch, in streaming and over Connect. Columns that are dropped after `observe`
    still count. A streaming query takes a name instead of an Observation, and reports the counts of
    each batch in `query.lastProgress["observedMetrics"]`.

    Args:
        output_col: as in `transform`; None for a result of `index`.
        error_col: as in `transform`; None where there is no such column.
        account_col: as in `transform`; None where there is no such column.
        candidates_col: as in `index`, to count its candidates; None: do not.
        several_texts: whether `text_col` was a column of several texts for each video.

    Returns:
        Aggregates, by name:

        - `videos`, `done`: rows, and rows with a result. Null videos and texts count as videos, and
          neither as done nor as failed;
        - with `output_col`: `keyframes`, with `candidates_col`: `candidates`, of all rows;
        - with `error_col`: `failed`, `failed_open` and so on for each stage, `failed_other`, and
          `failure_kinds`, JSON that `report_lines` reads;
        - with `account_col`: the sum of each field of Account: `decode_seconds`,
          `frames_decoded`, `images_uploaded` and so on.
    """
    from pyspark.sql import functions as sf

    if output_col is None and candidates_col is None:
        raise ParameterError("there is nothing to count; give output_col or candidates_col")
    columns = [
        sf.count(sf.lit(1)).alias("videos"),
        sf.count(column(output_col or candidates_col or "")).alias("done"),
    ]
    if output_col is not None:
        columns.append(_sum(_keyframes(output_col, several_texts)).alias("keyframes"))
    if candidates_col is not None:
        columns.append(_sum(sf.array_size(column(candidates_col))).alias("candidates"))
    if error_col is not None:
        columns += [*_failed(error_col), *failure_metrics(error_col)]
    if account_col is not None:
        columns += _account_metrics(account_col)
    return columns


def _keyframes(output_col: str, several_texts: bool) -> "Column":
    """Return how many keyframes a row has; null without a result."""
    from pyspark.sql import functions as sf

    ids = column(output_col)["frame_ids"]
    if not several_texts:
        return sf.array_size(ids)  # size() of null is -1 without ANSI
    return sf.aggregate(
        ids,
        sf.lit(0),
        lambda count, of_text: count + sf.coalesce(sf.array_size(of_text), sf.lit(0)),
    )


def _sum(counts: "Column") -> "Column":
    from pyspark.sql import functions as sf

    return sf.coalesce(sf.sum(counts), sf.lit(0))


def _failed(error_col: str) -> "list[Column]":
    from pyspark.sql import functions as sf

    error = column(error_col)
    stage = error["stage"]
    return [
        sf.count(error).alias("failed"),
        *(sf.count_if(stage == name).alias(f"failed_{name}") for name in STAGES),
        sf.count_if(~stage.isin(*STAGES)).alias(f"failed_{_OTHER}"),
    ]


def report_lines(values: Mapping[str, Any]) -> list[str]:
    """Format the counts of `metrics` for people.

        for line in report_lines(seen.get):
            print(line)

        videos     3: 2 with keyframes, 1 failed
        keyframes  8
        failed     1 at stage demux, e.g. NotAVideoError: broken.mp4: …
        seconds    decode 1.3 (64%), …, waited 0.2 for the model; summed over the videos
        frames     1428 decoded (1137/s), 72 skipped, 120 scored (781/s)
        uploaded   8 images, 0.9 MB

    Args:
        values: `Observation.get`, or `asDict()` of the Row of a streaming query.

    Returns:
        Lines without line ends. Lines whose column `metrics` was not given are missing.
    """
    failed = f", {values['failed']} failed" if "failed" in values else ""
    done = "with keyframes" if "keyframes" in values else "indexed"
    lines = [f"videos     {values['videos']}: {values['done']} {done}{failed}"]
    lines += [f"{name:11}{values[name]}" for name in ("keyframes", "candidates") if name in values]
    if "failed" in values:
        lines += failure_lines(values)
    if "frames_decoded" in values:
        lines += _account_lines(values)
    return lines


def _account_metrics(account_col: str) -> "list[Column]":
    """Return the sum of each field of an account column, under the field's name."""
    account = column(account_col)
    return [_sum(account[name]).alias(name) for name in _ACCOUNT_FIELDS]


def _account_lines(metrics: Mapping[str, Any]) -> list[str]:
    """Format the sums of `_account_metrics`: seconds by stage, frames, and stored images.

    Videos run in parallel, so the sum of their seconds may exceed the wall-clock time.
    """
    lines = [f"seconds    {stage_words(metrics)}; summed over the videos"]
    lines.append(f"frames     {frame_words(metrics)}")
    if images := metrics["images_uploaded"]:
        lines.append(f"uploaded   {images} images, {metrics['bytes_uploaded'] / 1e6:.1f} MB")
    return lines
