"""Draws the share of events hit as an SVG: by k for each selector, and by t1 of AKS for each k."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from xml.sax.saxutils import escape

from benchmarks.choice.marks import Interval, interval
from benchmarks.choice.measuring import QUESTIONS, Measured
from benchmarks.choice.settings import KS, SELECTORS, T1

_TITLES = {
    "one": "one event",
    "two": "two events",
    "many": "8 events",
    "close": "8 events, close together",
}
# Okabe and Ito's colours, which colour-blind people can tell apart.
_COLOURS = ("#000000", "#d55e00", "#999999", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_PANEL, _GAP, _LEFT, _TOP, _HEIGHT, _ROW = 196, 26, 44, 62, 150, 262
_WIDTH = _LEFT + len(QUESTIONS) * (_PANEL + _GAP)
_Line = tuple[str, list[Interval]]


def picture(measured: Measured) -> str:
    """Return the SVG."""

    def found(question: str, name: str, k: int) -> Interval:
        return interval(measured.values((question, name, k), "events"))

    def by_k(question: str) -> list[_Line]:
        return [(name, [found(question, name, k) for k in KS]) for name in SELECTORS]

    def by_t1(question: str) -> list[_Line]:
        return [(f"k = {k}", [found(question, f"aks, t1={t1:g}", k) for t1 in T1]) for k in KS[1:]]

    count = len(measured.kinds)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {2 * _ROW + 20}" '
        'font-family="sans-serif" font-size="11">',
        f'<rect width="{_WIDTH}" height="{2 * _ROW + 20}" fill="white"/>',
        *_row(0, f"Share of events hit by k keyframes, {count} videos", by_k, [str(k) for k in KS]),
        *_row(1, "The same by t1 of aks", by_t1, [f"{t1:g}" for t1 in T1]),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _row(
    number: int, title: str, lines_of: Callable[[str], list[_Line]], ticks: Sequence[str]
) -> list[str]:
    top = number * _ROW + _TOP
    parts = [_text(_LEFT, top - 44, title, 'font-size="14" font-weight="bold"')]
    x = float(_LEFT)
    for index, (name, _) in enumerate(lines_of(QUESTIONS[0])):
        parts.append(
            f'<line x1="{x:.0f}" x2="{x + 18:.0f}" y1="{top - 29}" y2="{top - 29}" '
            f'stroke="{_COLOURS[index]}" stroke-width="2.5"/>'
        )
        parts.append(_text(x + 22, top - 25, name))
        x += 40 + 7 * len(name)
    for panel, question in enumerate(QUESTIONS):
        left = _LEFT + panel * (_PANEL + _GAP)
        parts += _panel(left, top, _TITLES[question], lines_of(question), ticks)
    return parts


def _panel(
    left: int, top: int, title: str, lines: Sequence[_Line], ticks: Sequence[str]
) -> list[str]:
    def x(place: int) -> float:
        return left + 10 + place * (_PANEL - 20) / (len(ticks) - 1)

    def y(value: float) -> float:
        return top + _HEIGHT * (1 - value)

    parts = [_text(left + _PANEL / 2, top - 8, title, 'text-anchor="middle" font-weight="bold"')]
    for value in (0, 0.25, 0.5, 0.75, 1):
        parts.append(
            f'<line x1="{left}" x2="{left + _PANEL}" y1="{y(value):.1f}" y2="{y(value):.1f}" '
            'stroke="#dddddd"/>'
        )
        parts.append(_text(left - 4, y(value) + 4, f"{value:g}", 'text-anchor="end" fill="#555"'))
    for place, tick in enumerate(ticks):
        parts.append(_text(x(place), top + _HEIGHT + 16, tick, 'text-anchor="middle"'))
    for index, (_, found) in enumerate(lines):
        colour = _COLOURS[index]
        points = " ".join(f"{x(i):.1f},{y(each.mean):.1f}" for i, each in enumerate(found))
        for i, each in enumerate(found):
            parts.append(
                f'<line x1="{x(i):.1f}" x2="{x(i):.1f}" y1="{y(each.low):.1f}" '
                f'y2="{y(each.high):.1f}" stroke="{colour}" stroke-opacity="0.3"/>'
            )
        parts.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="2"/>'
        )
    return parts


def _text(x: float, y: float, text: str, more: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {more}>{escape(text)}</text>'
