"""Draws AKS step by step on a real score curve, and what other selectors choose on it."""

from collections.abc import Sequence
from typing import Any

from docs.pictures.svg import Svg
from spark_keyframes.selection import AKS, Bin, Choice, Part, Selector, Top, Trace, Uniform

K, T1 = 8, 0.6
_WIDTH, _LEFT, _RIGHT = 800, 84, 690
_CURVE_HEIGHT = 112
_ROW, _BAR = 44, 36
_STRIP = 30

SELECTORS: tuple[tuple[str, Selector], ...] = (
    (f"aks, t1={T1}", AKS(t1=T1)),
    ("aks", AKS()),
    ("top", Top()),
    ("bin", Bin()),
    ("uniform", Uniform()),
)


def trace(curve: dict[str, Any], selector: Selector) -> Trace:
    """Let a selector choose; this is what `Keyframes.explain()` returns."""
    scores, times = curve["scores"], curve["times"]
    return Choice(selector, K).decide(scores, timestamps=times).explain(scores, times)


def matching(curve: dict[str, Any], chosen: Sequence[int]) -> int:
    """Return how many of the chosen candidates show what the text says."""
    times = [curve["times"][index] for index in chosen]
    return sum(any(start <= time < end for start, end in curve["spans"]) for time in times)


def picture(curve: dict[str, Any]) -> str:
    """Return the SVG."""
    found = trace(curve, AKS(t1=T1))
    assert found.root is not None
    depth = max(row for _, row in _rows(found.root)) + 1
    height = 2 * (_CURVE_HEIGHT + 76) + depth * _ROW + 44 + len(SELECTORS) * _STRIP + 76
    svg = Svg(_WIDTH, height, f"How AKS chooses {K} keyframes on a score curve, step by step")
    axes = _Axes(curve)
    text, count = curve["text"], len(curve["scores"])

    top = 12.0
    _step(svg, top, 1, f"Score all {count} candidates of the video with “{text}”")
    svg.rect(500, top + 4, 22, 12, "shade")
    svg.text(528, top + 15, f"a {text} is on screen", colour="muted", size=12)
    _curve(svg, axes, curve, top + 30)

    top += _CURVE_HEIGHT + 76
    _step(svg, top, 2, f"Halve the video, and each half again, unless top − mean > t1 = {T1}")
    for part, row in _rows(found.root):
        _bar(svg, axes, part, top + 32 + row * _ROW)

    top += 44 + depth * _ROW
    _step(svg, top, 3, "Take the best frames of each part that was not halved")
    ends = [axes.x(axes.end_of(part)) for part in found.root.leaves]
    _curve(svg, axes, curve, top + 30, chosen=found.keyframes, ends=ends[:-1])

    top += _CURVE_HEIGHT + 76
    svg.text(12, top + 14, "What selectors choose on this curve", bold=True, size=14)
    svg.text(700, top + 14, f"show a {text}", colour="muted", size=12)
    for number, (name, selector) in enumerate(SELECTORS):
        found = trace(curve, selector)
        _strip(svg, axes, curve, top + 28 + number * _STRIP, name=name, found=found)
    _time_labels(svg, axes, top + 28 + len(SELECTORS) * _STRIP + 12)
    return str(svg)


class _Axes:
    """Places of times and scores."""

    def __init__(self, curve: dict[str, Any]) -> None:
        self.times: list[float] = curve["times"]
        self.duration: float = curve["duration"]

    def x(self, time: float) -> float:
        return _LEFT + time / self.duration * (_RIGHT - _LEFT)

    @staticmethod
    def y(score: float, top: float) -> float:
        return top + _CURVE_HEIGHT * (1 - score / 0.8)

    def end_of(self, part: Part) -> float:
        return self.times[part.stop] if part.stop < len(self.times) else self.duration


def _rows(part: Part, row: int = 0) -> list[tuple[Part, int]]:
    return [(part, row), *(pair for each in part.parts for pair in _rows(each, row + 1))]


def _step(svg: Svg, top: float, number: int, text: str) -> None:
    svg.number(22, top + 10, number)
    svg.text(40, top + 15, text, bold=True, size=14)


def _spans(svg: Svg, axes: _Axes, curve: dict[str, Any], top: float, height: float) -> None:
    svg.rects(
        [
            (axes.x(start), top, axes.x(end) - axes.x(start), height)
            for start, end in curve["spans"]
        ],
        "shade",
    )


def _curve(
    svg: Svg,
    axes: _Axes,
    curve: dict[str, Any],
    top: float,
    *,
    chosen: Sequence[int] = (),
    ends: Sequence[float] = (),
) -> None:
    _spans(svg, axes, curve, top, _CURVE_HEIGHT)
    for score in (0, 0.2, 0.4, 0.6, 0.8):
        y = axes.y(score, top)
        svg.line([(_LEFT, y), (_RIGHT, y)])
        svg.text(_LEFT - 6, y + 4, f"{score:.1f}", colour="muted", anchor="end", size=12)
    svg.text(_RIGHT + 10, top + 12, "cosine", colour="muted", size=12)
    svg.text(_RIGHT + 10, top + 27, "similarity", colour="muted", size=12)
    points = [
        (axes.x(time), axes.y(score, top))
        for time, score in zip(curve["times"], curve["scores"], strict=True)
    ]
    for x in ends:
        svg.line([(x, top), (x, top + _CURVE_HEIGHT)], "muted", dashed=True)
    svg.line(points, "blue", width=1.6)
    for index in chosen:
        svg.dot(*points[index], 5)
    _time_labels(svg, axes, top + _CURVE_HEIGHT + 16)


def _time_labels(svg: Svg, axes: _Axes, y: float) -> None:
    for time in range(0, int(axes.duration) + 1, 10):
        text = f"0:{time:02}" if time < 60 else f"{time // 60}:00"
        svg.text(axes.x(time), y, text, colour="muted", anchor="middle", size=12)


def _bar(svg: Svg, axes: _Axes, part: Part, top: float) -> None:
    left, right = axes.x(part.times[0]) + 1, axes.x(axes.end_of(part)) - 1
    final = not part.parts
    svg.rect(left, top, right - left, _BAR, "accent" if final else "box")
    middle, ink = (left + right) / 2, "on" if final else "ink"
    frames = "1 frame" if part.places == 1 else f"{part.places} frames"
    lines = [frames]
    if part.places > 1:
        assert part.top is not None
        assert part.mean is not None
        difference = part.top - part.mean
        sign, then = (">", "whole") if final else ("≤", "halve")
        lines.append(f"{part.top:.3f} − {part.mean:.3f} = {difference:.3f} {sign} {T1}: {then}")
        if right - left < 200:
            lines[1] = f"{difference:.3f} {sign} {T1}: {then}"
    for number, line in enumerate(lines):
        y = top + _BAR / 2 + 4.5 + (number - (len(lines) - 1) / 2) * 15
        svg.text(middle, y, line, colour=ink, anchor="middle", bold=not number, size=12)


def _strip(
    svg: Svg, axes: _Axes, curve: dict[str, Any], top: float, *, name: str, found: Trace
) -> None:
    height = _STRIP - 8
    svg.text(_LEFT - 6, top + 15, name, anchor="end", size=12)
    svg.rect(_LEFT, top, _RIGHT - _LEFT, height, "box")
    _spans(svg, axes, curve, top, height)
    for index in found.keyframes:
        svg.dot(axes.x(curve["times"][index]), top + height / 2, 5)
    fitting = matching(curve, found.keyframes)
    svg.text(700, top + 15, f"{fitting} of {len(found.keyframes)}", size=12)
