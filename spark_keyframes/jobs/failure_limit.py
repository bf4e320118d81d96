"""The limit of failed videos in a job."""

import math
import re
from dataclasses import dataclass
from typing import Self

from spark_keyframes.errors import ParameterError


@dataclass(frozen=True)
class MaxFailures:
    """The most videos that may fail: a number, or a share of the videos that are not null."""

    number: int | None = None
    percent: float | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read "10" or "5%"; raise ParameterError for anything else."""
        if re.fullmatch(r"\d+", text):
            return cls(number=int(text))
        if match := re.fullmatch(r"(\d+(?:\.\d+)?)\s*%", text):
            percent = float(match[1])
            if math.isfinite(percent) and percent <= 100:
                return cls(percent=percent)
        raise ParameterError(
            f"`max_failures` must be a number of videos or a share up to 100%, got {text!r}; "
            "use e.g. 10 or 5%"
        )

    def check(self, failed: int, done: int) -> None:
        """Raise TooManyFailuresError where more videos failed than the limit."""
        most = (
            self.number if self.number is not None else (failed + done) * (self.percent or 0) / 100
        )
        if failed > most:
            raise TooManyFailuresError(
                f"{failed} of {failed + done} videos failed, more than `max_failures` {self} allows"
            )

    def __str__(self) -> str:
        return f"{self.number}" if self.number is not None else f"{self.percent:g}%"


class TooManyFailuresError(Exception):
    """More videos failed than `MaxFailures` allows."""
