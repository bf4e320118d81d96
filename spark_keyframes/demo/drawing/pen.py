"""Draws smooth, outlined shapes in an object's own coordinates.

An object's coordinates go from −1 to 1 (x to the right, y down). The pen turns, mirrors and scales
it onto a transparent picture several times too large. Shrinking that picture smooths the edges,
which Pillow does not do itself.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
Points = Sequence[tuple[float, float]]
Outline = NDArray[np.float64]
"""A closed polygon of shape (n, 2)."""

INK: Colour = (46, 34, 40)
INK_WIDTH = 0.055


def mix(colour: Colour, other: Colour, share: float) -> Colour:
    """Return `colour` mixed with `share` (0 to 1) of `other`."""
    r, g, b = (round(c + (o - c) * share) for c, o in zip(colour, other, strict=True))
    return r, g, b


def lighter(colour: Colour, share: float = 0.35) -> Colour:
    """Return `colour` mixed with white."""
    return mix(colour, (255, 255, 255), share)


def darker(colour: Colour, share: float = 0.25) -> Colour:
    """Return `colour` mixed with a dark violet."""
    return mix(colour, (30, 10, 45), share)


def oval(x: float, y: float, rx: float, ry: float, turn: float = 0.0) -> Outline:
    """Return an ellipse around (x, y), turned by `turn` degrees clockwise."""
    angle = np.linspace(0, 2 * math.pi, 40, endpoint=False)
    dx, dy = rx * np.cos(angle), ry * np.sin(angle)
    c, s = math.cos(math.radians(turn)), math.sin(math.radians(turn))
    return np.stack([x + c * dx - s * dy, y + s * dx + c * dy], axis=1)


def box(x0: float, y0: float, x1: float, y1: float, radius: float = 0.0) -> Outline:
    """Return a rectangle with rounded corners."""
    radius = min(radius, (x1 - x0) / 2, (y1 - y0) / 2)
    if radius <= 0:
        return np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], dtype=np.float64)
    quarter = np.linspace(0, math.pi / 2, 7)
    corners = []
    for x, y, start in (
        (x1 - radius, y1 - radius, 0.0),
        (x0 + radius, y1 - radius, 0.5),
        (x0 + radius, y0 + radius, 1.0),
        (x1 - radius, y0 + radius, 1.5),
    ):
        angle = quarter + start * math.pi
        corners.append(np.stack([x + radius * np.cos(angle), y + radius * np.sin(angle)], axis=1))
    return np.concatenate(corners)


def smooth(points: Points, *, closed: bool = True, steps: int = 7) -> Outline:
    """Return a Catmull-Rom curve through `points`."""
    p = np.asarray(points, dtype=np.float64)
    ends = (p[-1:], p[:2]) if closed else (p[:1], p[-1:])
    q = np.concatenate([ends[0], p, ends[1]])
    t = np.linspace(0, 1, steps, endpoint=False)[:, None]
    a, b, c, d = (q[i : len(q) - 3 + i, None, :] for i in range(4))
    curve: Outline = 0.5 * (
        2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - 3 * c + d - a) * t**3
    )
    curve = curve.reshape(-1, 2)
    return curve if closed else np.concatenate([curve, p[-1:]])


def symmetric(right: Points) -> Points:
    """Return the closed symmetric outline whose right half is `right`."""
    return [*right, *((-x, y) for x, y in reversed(right) if x > 0)]


class Pen:
    """Draws in object coordinates on a transparent square picture of `size` pixels."""

    def __init__(
        self, size: int, *, angle: float = 0.0, mirrored: bool = False, oversample: int = 3
    ) -> None:
        self._size = size
        self._oversample = oversample
        self._scale = size * oversample / 2
        self._picture = Image.new("RGBA", (size * oversample,) * 2, (*INK, 0))
        self._draw = ImageDraw.Draw(self._picture)
        c, s = math.cos(math.radians(angle)), math.sin(math.radians(angle))
        turn = np.array([[c, s], [-s, c]])
        # The side is the diagonal of the object's square, so that it fits at any angle.
        self._matrix = (np.diag([-1.0, 1.0]) @ turn if mirrored else turn) / math.sqrt(2)

    def fill(
        self, *outlines: Outline, colour: Colour, ink: Colour | None = INK, width: float = INK_WIDTH
    ) -> None:
        """Fill the union of `outlines` and draw one line around it; ink=None: no line."""
        polygons = [self._pixels(outline) for outline in outlines]
        if ink is not None:
            for polygon in polygons:
                self._stroke([*polygon, *polygon[:2]], ink, width)
        for polygon in polygons:
            self._draw.polygon(polygon, fill=colour)

    def line(
        self, points: Points | Outline, colour: Colour = INK, width: float = INK_WIDTH
    ) -> None:
        """Draw an open line with round ends."""
        pixels = self._pixels(np.asarray(points, dtype=np.float64))
        self._stroke(pixels, colour, width)
        radius = width * self._scale / math.sqrt(2) / 2
        for x, y in (pixels[0], pixels[-1]):
            self._draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)

    def tube(
        self, points: Points | Outline, colour: Colour, width: float, ink: Colour = INK
    ) -> None:
        """Draw an open, outlined line: a handle, a stem, a wire."""
        self.line(points, ink, width + INK_WIDTH)
        self.line(points, colour, width - INK_WIDTH / 2)

    def finish(self) -> Image.Image:
        """Return the RGBA picture, shrunk to its final size."""
        return self._picture.reduce(self._oversample)

    def _pixels(self, outline: Outline) -> list[tuple[float, float]]:
        points = (outline @ self._matrix + 1) * self._scale
        return [(float(x), float(y)) for x, y in points]

    def _stroke(self, pixels: list[tuple[float, float]], colour: Colour, width: float) -> None:
        thick = max(1, round(width * self._scale / math.sqrt(2)))
        self._draw.line(pixels, fill=colour, width=thick, joint="curve")
