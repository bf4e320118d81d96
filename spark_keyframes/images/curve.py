"""Draws the score curve of a contact sheet: all candidates' scores, with keyframes marked."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spark_keyframes.images.text import (
    ACCENT,
    INK,
    LINE,
    MUTED,
    PAPER,
    SHADE,
    Colour,
    draw_text,
    format_score,
    format_time,
    text_width,
)

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

_SCALE = 3  # shapes are drawn this many times larger, then reduced: Pillow has no anti-aliasing
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 8, 46, 52  # pixels around the axes, for their labels
_LEGEND_ROW = 12  # y of the middle of the legend
_SYMBOL_WIDTH = 22  # pixels of a symbol in the legend
_CURVE: Colour = (71, 85, 105)
_TIME_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)


@dataclass(frozen=True)
class Curve:
    """The data to draw: times in seconds, scores as cosine similarities."""

    times: Sequence[float]
    """Time of each candidate, ascending."""
    scores: Sequence[float]
    """Score of each candidate."""
    marks: Sequence[tuple[float, float]]
    """(time, score) of each keyframe."""
    spans: Sequence[tuple[float, float]]
    """(start, end) of each known match of the text."""


@dataclass(frozen=True)
class CurveAxes:
    """Maps times and scores to pixels of the final picture."""

    width: int
    height: int
    first: float
    """Seconds at the left end of the axis."""
    last: float
    """Seconds at the right end of the axis."""
    low: float
    """Cosine similarity at the bottom of the axis."""
    high: float
    """Cosine similarity at the top of the axis."""

    def x(self, time: float) -> float:
        """Return the x coordinate of a time in seconds."""
        share = (time - self.first) / (self.last - self.first)
        return _LEFT + share * (self.width - _LEFT - _RIGHT)

    def y(self, score: float) -> float:
        """Return the y coordinate of a score."""
        share = (score - self.low) / (self.high - self.low)
        return self.height - _BOTTOM - share * (self.height - _TOP - _BOTTOM)


def axes_for(curve: Curve, width: int, height: int) -> CurveAxes:
    """Return axes that show the whole curve, even one of a single or constant score."""
    times = [*curve.times, *(time for time, _ in curve.marks)]
    scores = [*curve.scores, *(score for _, score in curve.marks)]
    first, last = min(times), max(times)
    low, high = min(scores), max(scores)
    margin = (high - low) * 0.12 or max(abs(high) * 0.05, 0.01)
    return CurveAxes(
        width, height, first, last if last > first else first + 1, low - margin, high + margin
    )


def draw_curve(curve: Curve, axes: CurveAxes) -> "Image.Image":
    """Draw the curve, the labels of its axes, and a legend above it."""
    from PIL import Image

    large = Image.new("RGB", (axes.width * _SCALE, axes.height * _SCALE), PAPER)
    legend = _place_legend(axes, spans=bool(curve.spans))
    _draw_shapes(large, curve, axes)
    _draw_legend_symbols(large, legend)
    # Draw text at the final size: reducing it would blur it.
    picture = large.reduce(_SCALE)
    _draw_labels(picture, axes, legend)
    return picture


def _draw_shapes(picture: "Image.Image", curve: Curve, axes: CurveAxes) -> None:
    from PIL import ImageDraw

    draw = ImageDraw.Draw(picture)

    def at(time: float, score: float) -> tuple[float, float]:
        return axes.x(time) * _SCALE, axes.y(score) * _SCALE

    for start, end in curve.spans:
        left, right = max(start, axes.first), min(end, axes.last)
        if left < right:
            draw.rectangle([at(left, axes.high), at(right, axes.low)], fill=SHADE)
    edges = axes.x(axes.first) * _SCALE, axes.width * _SCALE
    for score in score_ticks(axes.low, axes.high)[0]:
        y = axes.y(score) * _SCALE
        draw.line([edges[0], y, edges[1], y], fill=LINE, width=_SCALE)
    y = axes.y(axes.low) * _SCALE
    draw.line([edges[0], y, edges[1], y], fill=MUTED, width=_SCALE)
    points = [at(time, score) for time, score in zip(curve.times, curve.scores, strict=True)]
    if len(points) > 1:
        # With more candidates than pixel columns, a thick line would fill the whole area.
        width = 2 if len(points) < axes.width else 1
        draw.line(points, fill=_CURVE, width=width * _SCALE, joint="curve")
    else:
        _dot(draw, *points[0], 3 * _SCALE, _CURVE)
    for time, score in curve.marks:
        draw.line([at(time, axes.low), at(time, score)], fill=ACCENT, width=_SCALE)
    for time, score in curve.marks:
        _dot(draw, *at(time, score), 7 * _SCALE, PAPER)
        _dot(draw, *at(time, score), 5 * _SCALE, ACCENT)


def _dot(draw: "ImageDraw.ImageDraw", x: float, y: float, radius: float, colour: Colour) -> None:
    draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=colour)


def _draw_labels(
    picture: "Image.Image", axes: CurveAxes, legend: Sequence[tuple[float, str, str]]
) -> None:
    from PIL import ImageDraw

    draw = ImageDraw.Draw(picture)
    scores, decimals = score_ticks(axes.low, axes.high)
    for score in scores:
        at = (_LEFT - 10.0, axes.y(score))
        draw_text(draw, at, format_score(score, decimals), 14, MUTED, anchor="rm")
    times, tenths = time_ticks(axes.first, axes.last)
    for time in times:
        label = format_time(time, tenths=tenths)
        x = min(axes.x(time), axes.width - text_width(label, 14) / 2)
        draw_text(draw, (x, axes.height - _BOTTOM + 10.0), label, 14, MUTED, anchor="mt")
    middle = (axes.x(axes.first) + axes.x(axes.last)) / 2
    draw_text(draw, (middle, axes.height - 2), "time", 14, MUTED, anchor="mb")
    draw_text(draw, (0, _LEGEND_ROW), "Cosine similarity to the text", 16, INK, anchor="lm")
    for x, _, label in legend:
        draw_text(draw, (x + _SYMBOL_WIDTH + 8, _LEGEND_ROW), label, 14, MUTED, anchor="lm")


def _place_legend(axes: CurveAxes, *, spans: bool) -> list[tuple[float, str, str]]:
    """Return (x, symbol, label) of each entry from left to right, aligned to the right edge."""
    entries = [("curve", "candidates"), ("mark", "selected")]
    if spans:
        entries.append(("span", "where the text is true"))
    placed, x = [], float(axes.width)
    for kind, label in reversed(entries):
        x -= _SYMBOL_WIDTH + 8 + text_width(label, 14)
        placed.append((x, kind, label))
        x -= 28
    return placed[::-1]


def _draw_legend_symbols(picture: "Image.Image", legend: Sequence[tuple[float, str, str]]) -> None:
    from PIL import ImageDraw

    draw = ImageDraw.Draw(picture)
    y = _LEGEND_ROW * _SCALE
    for left, kind, _ in legend:
        x, end = left * _SCALE, (left + _SYMBOL_WIDTH) * _SCALE
        if kind == "curve":
            draw.line([x, y, end, y], fill=_CURVE, width=2 * _SCALE)
        elif kind == "mark":
            _dot(draw, (x + end) / 2, y, 5 * _SCALE, ACCENT)
        else:
            draw.rectangle([x, y - 7 * _SCALE, end, y + 7 * _SCALE], fill=SHADE)


def score_ticks(low: float, high: float, *, about: int = 7) -> tuple[list[float], int]:
    """Return `about` round scores from low to high, and the number of decimals to show."""
    rough = (high - low) / about
    power = math.floor(math.log10(rough))
    step = next(m for m in (1, 2, 5, 10) if m * 10**power >= rough) * 10.0**power
    return _multiples(step, low, high), max(0, -math.floor(math.log10(step) + 1e-9))


def time_ticks(first: float, last: float, *, most: int = 11) -> tuple[list[float], bool]:
    """Return at most one more than `most` round times, and whether to show tenths of seconds."""
    step = next((s for s in _TIME_STEPS if s * most >= last - first), 0.0)
    if not step:
        days = math.ceil((last - first) / most / 86400)
        step = days * 86400.0
    return _multiples(step, first, last), step < 1


def _multiples(step: float, low: float, high: float) -> list[float]:
    slack = step * 1e-6
    first, last = math.ceil((low - slack) / step), math.floor((high + slack) / step)
    return [i * step for i in range(first, last + 1)]
