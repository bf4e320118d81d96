"""Counts failed rows by stage and error class while Spark runs the action."""

import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from spark_keyframes.errors import STAGES, KeyframesError
from spark_keyframes.spark.columns import column

if TYPE_CHECKING:
    from pyspark.sql import Column

FAILURES = "failure_kinds"
"""the name of the metric"""


def failure_metrics(error_col: str) -> "list[Column]":
    """Return a column for DataFrame.observe: counts by stage and error class, with examples.

    Each error class of this package has its own count. All other classes share one count per
    stage. The counts are JSON, since an observation of Spark 3.5 cannot hold arrays and structs.
    `failure_lines` formats the metric, `add_failures` adds two of them.
    """
    from pyspark.sql import functions as sf

    error = column(error_col)
    stage = error["stage"]
    known = sorted({f"{kind.stage} {kind.__name__}" for kind in _kinds()})
    kind = sf.concat_ws(" ", stage, error["error"])
    other = error.isNotNull() & ~kind.isin(known)
    groups = [
        *(kind == name for name in known),
        *(other & (stage == name) for name in STAGES),
        other & ~stage.isin(*STAGES),
    ]
    what = sf.struct(
        stage.alias("stage"), error["error"].alias("error"), error["message"].alias("message")
    )
    counts = sf.array(
        *(
            sf.struct(
                sf.count(sf.when(group, True)).alias("count"),
                sf.min(sf.when(group, what)).alias("example"),
            )
            for group in groups
        )
    )
    return [sf.to_json(sf.filter(counts, lambda group: group["count"] > 0)).alias(FAILURES)]


def failure_lines(metrics: Mapping[str, Any]) -> list[str]:
    """Return a line for each group of `failure_metrics`, the most frequent first."""
    lines = []
    for group in sorted(json.loads(metrics[FAILURES]), key=lambda group: -int(group["count"])):
        example = group["example"]
        said = (
            f"{example['error']}: {example['message']}"
            if "message" in example
            else example["error"]
        )
        lines.append(f"failed     {group['count']} at stage {example['stage']}, e.g. {said}")
    return lines


def add_failures(first: str, second: str) -> str:
    """Return the sum of two metrics, with the examples of the first."""
    groups: dict[tuple[str, str], dict[str, Any]] = {}
    known = {kind.__name__: kind.stage for kind in _kinds()}
    for group in [*json.loads(first), *json.loads(second)]:
        stage, error = group["example"]["stage"], group["example"]["error"]
        key = (stage, error if known.get(error) == stage else "")
        count = group["count"] + groups.get(key, {"count": 0})["count"]
        groups[key] = {**group, **groups.get(key, {}), "count": count}
    return json.dumps(list(groups.values()))


def _kinds() -> set[type[KeyframesError]]:
    def below(kind: type[KeyframesError]) -> Iterator[type[KeyframesError]]:
        yield kind
        for narrower in kind.__subclasses__():
            yield from below(narrower)

    return set(below(KeyframesError))
