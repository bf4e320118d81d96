"""The numbers of a score curve: where the lines, marks and bars of its SVG are.

Places along the time are percentages, so that the picture is as wide as there is room while its
words keep their size.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spark_keyframes.html.cards import Curve, Picture
from spark_keyframes.html.thin import thinned
from spark_keyframes.html.words import counted, score_words, time_words
from spark_keyframes.images.curve import score_ticks, time_ticks
from spark_keyframes.images.text import format_score, format_time
from spark_keyframes.selection import Part

Numbers = npt.NDArray[np.float64]

PLOT = 150  # pixels of the curve's height
_ROW = 22  # pixels from one row of bars to the next
_BOX = 1000  # the path's own width and height, which are stretched to those of the plot


@dataclass(frozen=True)
class Label:
    """A word at a place of an axis."""

    at: str
    text: str


@dataclass(frozen=True)
class Mark:
    """A point on the curve: a keyframe, or a candidate between two without a score."""

    x: str
    y: str
    tip: str = ""


@dataclass(frozen=True)
class BarShape:
    """A part of the video that the selector made."""

    x: str
    width: str
    middle: str
    y: int
    count: int
    divided: bool
    share: float
    """of the whole width, from 0 to 1"""
    tip: str


@dataclass(frozen=True)
class Chart:
    """All that the template of the curve needs."""

    title: str
    description: str
    path: str
    """in a box of 1000 by 1000"""
    dots: Sequence[Mark]
    """candidates without neighbours, of which no line can be drawn"""
    marks: Sequence[Mark]
    scores: Sequence[Label]
    times: Sequence[Label]
    bars: Sequence[BarShape]
    left_out: int
    """candidates whose score is not a number"""
    points: int
    """of the drawn line"""
    plot: int = PLOT

    bars_top: int = PLOT + 46
    """pixels from the top of the plot to the words above the bars"""

    @property
    def height(self) -> int:
        """Pixels of the whole picture."""
        bottom = max((bar.y for bar in self.bars), default=self.plot + 6) + _ROW
        return bottom + 14


def chart_of(curve: Curve, pictures: Sequence[Picture], root: Part | None = None) -> Chart | None:
    """Return the chart of a curve; None where it has no score that can be drawn.

    Raises:
        ValueError: the curve's times and scores differ in length.
    """
    seconds = np.asarray(curve.seconds, np.float64)
    scores = np.asarray(curve.scores, np.float64)
    if seconds.shape != scores.shape:
        raise ValueError(
            "a curve needs a time for each score, got "
            f"{counted(len(seconds), 'time')} and {counted(len(scores), 'score')}"
        )
    finite = np.isfinite(seconds) & np.isfinite(scores)
    if not finite.any():
        return None
    placed = list(_placed(pictures, dict(zip(seconds.tolist(), scores.tolist(), strict=True))))
    axes = _Axes.of(seconds[finite], scores[finite], placed)
    keep = np.flatnonzero(finite)[thinned(seconds[finite], scores[finite])]
    lines = _lines(keep, finite)
    ticks, decimals = score_ticks(axes.low, axes.high, about=5)
    times, tenths = time_ticks(axes.first, axes.last, most=6)
    low, high = float(scores[finite].min()), float(scores[finite].max())
    return Chart(
        title=f"Score curve of {counted(int(finite.sum()), 'candidate')}",
        description=(
            f"Scores from {format_score(low)} to {format_score(high)}, "
            f"from {format_time(axes.first)} to {format_time(axes.last)}. "
            f"{counted(len(pictures), 'keyframe')}: {'; '.join(map(_tip, pictures)) or 'none'}."
        ),
        path="".join(_path(line, seconds, scores, axes) for line in lines if len(line) > 1),
        dots=[
            Mark(axes.x(seconds[line[0]]), f"{axes.y(scores[line[0]]):.1f}")
            for line in lines
            if len(line) == 1
        ],
        marks=[Mark(axes.x(at), f"{axes.y(y):.1f}", _tip(each)) for each, at, y in placed],
        scores=[Label(f"{axes.y(tick):.1f}", format_score(tick, decimals)) for tick in ticks],
        times=[Label(axes.x(tick), format_time(tick, tenths=tenths)) for tick in times],
        bars=list(_bars(root, seconds, axes)) if root and root.parts else [],
        left_out=int((~finite).sum()),
        points=len(keep),
    )


@dataclass(frozen=True)
class _Axes:
    first: float
    last: float
    low: float
    high: float

    @classmethod
    def of(
        cls,
        seconds: Numbers,
        scores: Numbers,
        placed: Sequence[tuple[Picture, float, float | None]],
    ) -> "_Axes":
        times = [float(seconds.min()), float(seconds.max()), *(at for _, at, _ in placed)]
        values = [float(scores.min()), float(scores.max())]
        values += [score for _, _, score in placed if score is not None]
        first, last, low, high = min(times), max(times), min(values), max(values)
        margin = (high - low) * 0.12 or max(abs(high) * 0.05, 0.01)
        return cls(first, last if last > first else first + 1, low - margin, high + margin)

    def share(self, seconds: float) -> float:
        return (seconds - self.first) / (self.last - self.first)

    def x(self, seconds: float) -> str:
        return percent(self.share(seconds))

    def y(self, score: float | None) -> float:
        """Pixels from the top; what has no score is on the axis of the time."""
        return PLOT if score is None else (self.high - score) / (self.high - self.low) * PLOT


def percent(share: float) -> str:
    """Return 0.5 as 50%."""
    return f"{share * 100:.2f}".rstrip("0").rstrip(".") + "%"


def _placed(
    pictures: Sequence[Picture], on_curve: dict[float, float]
) -> Iterator[tuple[Picture, float, float | None]]:
    """Yield the keyframes whose time is known, with the score to draw them at."""
    for each in pictures:
        if each.seconds is None or not math.isfinite(each.seconds):
            continue
        # On the curve, also where the keyframes' scores are of another model.
        score = on_curve.get(each.seconds, each.score)
        yield each, each.seconds, score if score is not None and math.isfinite(score) else None


def _lines(keep: npt.NDArray[np.intp], finite: npt.NDArray[np.bool_]) -> list[npt.NDArray[np.intp]]:
    """Return the points to draw, parted where a score between them is not a number."""
    gaps = np.cumsum(~finite)[keep]
    return np.split(keep, np.flatnonzero(np.diff(gaps)) + 1)


def _path(line: npt.NDArray[np.intp], seconds: Numbers, scores: Numbers, axes: _Axes) -> str:
    points = (
        f"{axes.share(seconds[at]) * _BOX:.1f} {axes.y(scores[at]) / PLOT * _BOX:.0f}"
        for at in line
    )
    return f"M{' '.join(points)}".replace(".0 ", " ")


def _tip(each: Picture) -> str:
    time = time_words(each.seconds)
    at = f"{time}, " if time else ""
    return f"{at}score {score_words(each.score)}, frame {each.frame_id}"


def _bars(part: Part, seconds: Numbers, axes: _Axes, row: int = 0) -> Iterator[BarShape]:
    """Yield a part and all parts of it, each up to where the next begins."""
    begin, end = part.times[0], float(seconds[min(part.stop, len(seconds) - 1)])
    left, right = (min(1.0, max(0.0, axes.share(at))) for at in (begin, max(begin, end)))
    of = counted(part.stop - part.start, "candidate")
    tip = f"{time_words(begin)} – {time_words(part.times[1])}: "
    tip += f"{counted(part.places, 'keyframe')} of {of}"
    if part.top is not None and part.mean is not None:
        tip += f", top {format_score(part.top)}, mean {format_score(part.mean)}"
    yield BarShape(
        x=percent(left),
        width=percent(right - left),
        middle=percent((left + right) / 2),
        y=PLOT + 54 + row * _ROW,
        count=part.places,
        divided=bool(part.parts),
        share=right - left,
        tip=f"{tip}: {part.why}" if part.why else tip,
    )
    for each in part.parts:
        yield from _bars(each, seconds, axes, row + 1)
