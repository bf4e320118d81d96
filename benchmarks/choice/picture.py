"""Draws events hit and precision as an SVG: by k for each selector, and by t1 of AKS for each k."""

from __future__ import annotations

from collections.abc import Sequence
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
_COLOURS = ("#000000", "#d55e00", "#999999", "#56b4e9", "#009e73", "#cc79a7", "#e69f00", "#0072b2")
_DASHED = ("bin",)
"""Lines that others would hide."""
_PANEL, _GAP, _LEFT, _TOP, _HEIGHT, _ROW = 190, 36, 40, 62, 120, 226
_WIDTH = _LEFT + len(QUESTIONS) * (_PANEL + _GAP)
_Lines = dict[str, list[Interval]]


def picture(measured: Measured) -> str:
    """Return the SVG."""

    def by_k(question: str, mark: str) -> _Lines:
        return {
            name: [interval(measured.values((question, name, k), mark)) for k in KS]
            for name in SELECTORS
        }

    def by_t1(question: str, mark: str) -> _Lines:
        return {
            f"k = {k}": [
                interval(measured.values((question, f"aks, t1={t1:g}", k), mark)) for t1 in T1
            ]
            for k in KS[1:]
        }

    count = len(measured.kinds)
    rows = [
        (f"Share of events hit, by k ({count} videos)", by_k, KS, "events"),
        ("Share of keyframes that show an event, by k", by_k, KS, "precision"),
        ("AKS: share of events hit, by t1", by_t1, T1, "events"),
        ("AKS: share of keyframes that show an event, by t1", by_t1, T1, "precision"),
    ]
    height = len(rows) * _ROW + 6
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        'font-family="sans-serif" font-size="11">',
        f'<rect width="{_WIDTH}" height="{height}" fill="white"/>',
    ]
    for number, (title, lines_of, ticks, mark) in enumerate(rows):
        panels = {question: lines_of(question, mark) for question in QUESTIONS}
        parts += _row(number * _ROW + _TOP, title, panels, [f"{tick:g}" for tick in ticks])
    return "\n".join([*parts, "</svg>"]) + "\n"


def _row(top: int, title: str, panels: dict[str, _Lines], ticks: Sequence[str]) -> list[str]:
    parts = [_text(_LEFT, top - 44, title, 'font-size="14" font-weight="bold"')]
    x = float(_LEFT)
    for index, name in enumerate(panels[QUESTIONS[0]]):
        parts.append(f'<path d="M{x:.0f} {top - 29}h18" {_stroke(index, name)}/>')
        parts.append(_text(x + 22, top - 25, name))
        x += 40 + 7 * len(name)
    for panel, (question, lines) in enumerate(panels.items()):
        left = _LEFT + panel * (_PANEL + _GAP)
        parts += _panel(left, top, _TITLES[question], lines, ticks)
    return parts


def _panel(left: int, top: int, title: str, lines: _Lines, ticks: Sequence[str]) -> list[str]:
    def x(place: int) -> float:
        return left + 10 + place * (_PANEL - 20) / (len(ticks) - 1)

    def y(value: float) -> float:
        return top + _HEIGHT * (1 - value)

    parts = [_text(left + _PANEL / 2, top - 8, title, 'text-anchor="middle" font-weight="bold"')]
    for value in (0, 0.25, 0.5, 0.75, 1):
        parts.append(f'<path d="M{left} {y(value):.1f}h{_PANEL}" stroke="#dddddd"/>')
        parts.append(_text(left - 4, y(value) + 4, f"{value:g}", 'text-anchor="end" fill="#555"'))
    for place, tick in enumerate(ticks):
        parts.append(_text(x(place), top + _HEIGHT + 16, tick, 'text-anchor="middle"'))
    for index, (name, found) in enumerate(lines.items()):
        spans = "".join(
            f"M{x(i):.1f} {y(each.low):.1f}V{y(each.high):.1f}" for i, each in enumerate(found)
        )
        parts.append(f'<path d="{spans}" stroke="{_COLOURS[index]}" stroke-opacity="0.3"/>')
        points = " ".join(f"{x(i):.1f},{y(each.mean):.1f}" for i, each in enumerate(found))
        parts.append(f'<polyline points="{points}" {_stroke(index, name)}/>')
    return parts


def _stroke(index: int, name: str) -> str:
    dashes = ' stroke-dasharray="5 4"' if name in _DASHED else ""
    return f'fill="none" stroke="{_COLOURS[index]}" stroke-width="2"{dashes}'


def _text(x: float, y: float, text: str, more: str = "") -> str:
    return f'<text x="{x:.0f}" y="{y:.0f}" {more}>{escape(text)}</text>'
