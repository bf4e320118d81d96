"""The part of a picture that matters to a model which crops its centre."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import NamedTuple

_MOST = 65_536  # pixels: more than any model has


class Box(NamedTuple):
    """Rows and columns of a picture, up to and without `bottom` and `right`."""

    top: int
    bottom: int
    left: int
    right: int


@dataclass(frozen=True, slots=True)
class CentreCrop:
    """Resizing until the shorter side has `shortest_edge` pixels, then the square in the centre.

    A model that crops this way sees 56 % of a 16:9 picture, and a few pixels around it that the
    filter reaches.
    """

    shortest_edge: int
    """the shorter side after resizing, pixels"""
    side: int
    """of the square, pixels; at most `shortest_edge`"""
    reach: int
    """of the resizing filter, to each side, in pixels of the smaller picture: 1 for bilinear, 2 for
    bicubic, 3 for Lanczos"""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if type(value) is not int or not 1 <= value <= _MOST:
                raise ValueError(
                    f"{field.name} must be a whole number from 1 to {_MOST}, got {value!r}"
                )
        if self.side > self.shortest_edge:
            raise ValueError(
                f"side must be at most shortest_edge, got {self.side} and {self.shortest_edge}"
            )

    def resized(self, height: int, width: int) -> tuple[int, int]:
        """Return the height and width of a picture after resizing."""
        short, long = sorted((height, width))
        # int() and not round(), as in transformers: one pixel here shifts every sample.
        longer = int(self.shortest_edge * long / short)
        return (self.shortest_edge, longer) if height <= width else (longer, self.shortest_edge)

    def corner(self, height: int, width: int) -> tuple[int, int]:
        """Return the row and the column in the resized picture at which the square begins."""
        resized_height, resized_width = self.resized(height, width)
        return (resized_height - self.side) // 2, (resized_width - self.side) // 2

    def box(self, height: int, width: int) -> Box:
        """Return the rows and columns of a picture on which the pixels of the square depend."""
        sizes = zip((height, width), self.resized(height, width), strict=True)
        corner = self.corner(height, width)
        (top, bottom), (left, right) = (
            self._needed(*size, first) for size, first in zip(sizes, corner, strict=True)
        )
        return Box(top, bottom, left, right)

    def _needed(self, size: int, resized: int, first: int) -> tuple[int, int]:
        scale = size / resized
        reach = self.reach * max(scale, 1.0) + 1
        start, end = scale * first - reach, scale * (first + self.side) + reach
        return max(0, math.floor(start)), min(size, math.ceil(end))
