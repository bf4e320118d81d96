"""What is asked of a collection: for which texts, and how many moments."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from spark_keyframes.checks import check_integer, check_number, check_type, lone_surrogate
from spark_keyframes.errors import ParameterError


@dataclass(frozen=True)
class Question:
    """A checked search.

    Raises:
        ParameterError: a value is invalid.
    """

    texts: Sequence[str]
    """each once"""
    limit: int
    """the most moments for each text"""
    per_video: int | None
    """the most moments of one video for each text; None: any number"""
    min_gap: float
    """seconds between two moments of a video"""

    def __post_init__(self) -> None:
        object.__setattr__(self, "texts", _checked_texts(self.texts))
        limit = check_integer("limit", self.limit, 1, "it is the number of moments for each text")
        object.__setattr__(self, "limit", limit)
        if self.per_video is not None:
            hint = "leave it out for any number of moments of a video"
            object.__setattr__(
                self, "per_video", check_integer("per_video", self.per_video, 1, hint)
            )
        gap = check_number("min_gap", self.min_gap, "use e.g. 2.0, in seconds")
        if not 0 <= gap < math.inf:
            raise ParameterError(
                f"min_gap must be at least 0 and finite, got {gap}; use e.g. 2.0, in seconds"
            )
        object.__setattr__(self, "min_gap", gap)

    @property
    def of_a_video(self) -> int:
        """The most moments of one video that can be in the answer, for each text."""
        return self.limit if self.per_video is None else min(self.limit, self.per_video)


def _checked_texts(texts: Any) -> list[str]:
    if not isinstance(texts, list | tuple):
        raise ParameterError(f"text must be a string, or a list of strings, got {texts!r}")
    if not texts:
        raise ParameterError("text must not be an empty list; give at least one text")
    for text in texts:
        check_type("text", text, str, "a string, or a list of strings")
        if fault := lone_surrogate(text):
            raise ParameterError(f"text {fault}")
    return list(dict.fromkeys(texts))
