"""Failed rows, counted by stage and kind while they pass by, and how many of them are too many."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from spark_keyframes.errors import KeyframesError, ParameterError

if TYPE_CHECKING:
    from pyspark.sql import Column

# Counts of kinds are exact up to three quarters of what is tracked; there are about 40.
_TRACKED = 1000

_OTHER = "other"


def failure_metrics(error_col: str) -> "list[Column]":
    """Counts by stage and kind of an error column, with examples.

    For DataFrame.observe, which counts while the rows pass by: to look at them a second time would
    sample the videos again. `failure_lines` puts the metrics into words.
    """
    from pyspark.sql import functions as sf

    error = sf.col(f"`{error_col}`")
    name, message = error["error"], error["message"]
    kind = sf.concat(error["stage"], sf.lit(" "), name)  # null where there is no error
    tracked = sf.lit(_TRACKED)
    metrics = [sf.call_function("approx_top_k", kind, tracked, tracked).alias("failure_kinds")]
    known = sorted(_kinds())
    for example in [*known, _OTHER]:
        of_kind = ~name.isin(known) if example == _OTHER else name == example
        what = sf.struct(
            error["stage"].alias("stage"), name.alias("error"), message.alias("message")
        )
        found = sf.when(of_kind, what)
        # Of up to two stages: credentials are needed to read and to write.
        metrics += [
            sf.min(found).alias(f"{example}_first"),
            sf.max(found).alias(f"{example}_last"),
        ]
    return metrics


def failure_lines(metrics: Mapping[str, Any]) -> list[str]:
    """A line for each stage and kind of what `failure_metrics` counted, the most frequent first."""
    examples = {
        (example["stage"], example["error"]): example["message"]
        for kind in (*_kinds(), _OTHER)
        for example in (metrics[f"{kind}_last"], metrics[f"{kind}_first"])
        if example is not None
    }
    lines = []
    for item in metrics["failure_kinds"] or ():
        if item["item"] is not None:
            stage, _, error = item["item"].partition(" ")
            message = examples.get((stage, error))
            said = f"{error}: {message}" if message else error
            lines.append(f"failed     {item['count']} at stage {stage}, e.g. {said}")
    return lines


def _kinds() -> set[str]:
    def below(kind: type[KeyframesError]) -> Iterator[str]:
        yield kind.__name__
        for narrower in kind.__subclasses__():
            yield from below(narrower)

    return set(below(KeyframesError))


@dataclass(frozen=True)
class MaxFailures:
    """How many videos may fail: a number, or a share of those that are not null."""

    number: int | None = None
    percent: float | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """From "10" or "5%"; ParameterError for anything else."""
        if re.fullmatch(r"\d+", text):
            return cls(number=int(text))
        if match := re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", text):
            percent = float(match[1])
            if math.isfinite(percent) and percent <= 100:
                return cls(percent=percent)
        raise ParameterError(
            f"--max-failures must be a number of videos or a share up to 100%, got {text!r}; "
            "use e.g. 10 or 5%"
        )

    def check(self, failed: int, done: int) -> None:
        """Raise TooManyFailuresError where more have failed than may."""
        most = (
            self.number if self.number is not None else (failed + done) * (self.percent or 0) / 100
        )
        if failed > most:
            raise TooManyFailuresError(
                f"{failed} of {failed + done} videos failed, more than --max-failures {self} allows"
            )

    def __str__(self) -> str:
        return f"{self.number}" if self.number is not None else f"{self.percent:g}%"


class TooManyFailuresError(Exception):
    """More videos failed than `MaxFailures` allows."""
