"""The part of a video that is asked for."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from numbers import Real
from typing import Any

from spark_keyframes.errors import WindowError


@dataclass(frozen=True, slots=True)
class Window:
    """The candidates of a video whose timestamp t has start <= t < end.

    Raises:
        WindowError: there is no such part in any video.
    """

    start: float = 0.0
    """Seconds from the start of the video; at least 0."""
    end: float = math.inf
    """Seconds from the start of the video; behind its end stands for its end."""

    def __post_init__(self) -> None:
        for name, value in (("start", self.start), ("end", self.end)):
            if math.isnan(value) or value < 0:
                raise WindowError(
                    f"{name} must be at least 0 seconds, got {value:g}; use null for "
                    f"the {name} of the video"
                )
        if math.isinf(self.start):
            raise WindowError("start must be finite, got inf; use null for the start of the video")
        if self.start >= self.end:
            raise WindowError(
                f"end must be greater than start, got start {self.start!r} and end {self.end!r}; "
                "use null for the end of the video"
            )

    @classmethod
    def of(cls, start: Any, end: Any) -> Window:
        """Return the window between two numbers; None: from the start, to the end.

        Raises:
            WindowError: one of them is no number, or there is no such part in any video.
        """
        return cls(
            0.0 if start is None else _seconds("start", start),
            math.inf if end is None else _seconds("end", end),
        )

    @classmethod
    def around(cls, timestamps: Iterable[float]) -> Window:
        """Return the smallest window with these times, of which there is at least one."""
        times = sorted(timestamps)
        return cls(times[0], math.nextafter(times[-1], math.inf))

    @property
    def is_whole(self) -> bool:
        """Whether it is the whole video, however long."""
        return self == Window()

    def check_start(self, duration: float) -> None:
        """Raise WindowError if a video of `duration` seconds ends before the window begins."""
        if self.start >= duration:
            raise WindowError(
                f"start {self.start!r} is at or behind the end of the video, which is "
                f"{duration!r} seconds long; use a smaller start"
            )


def _seconds(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, Real | Decimal):
        raise WindowError(f"{name} must be a number of seconds, got {value!r}; use e.g. 12.5")
    try:
        return float(value)
    except (OverflowError, ValueError):  # 10**400, or a signalling NaN
        raise WindowError(
            f"{name} must be a number of seconds that a double can hold; use e.g. 12.5"
        ) from None
