"""Draws which frames of a video are decoded to get its candidates, and which are not."""

from collections.abc import Sequence
from typing import Any

from docs.pictures.svg import Svg

_WIDTH, _LEFT, _RIGHT = 800, 14, 786
_TALL = {"I": 44, "P": 30, "B": 16}
_CASE = 122
_LEGEND = (
    ("c", "a candidate"),
    ("d", "decoded: others refer to it"),
    ("s", "skipped by the decoder"),
    ("n", "not given to the decoder"),
)
_FILLS = {"c": "accent", "d": "blue", "s": "soft", "n": "line"}
_TITLES = {
    "long GOP": "One GOP of 6 s, without B-frames",
    "B-frames": "One GOP of 6 s, with B-frames to which no frame refers",
    "short GOPs": "GOPs of 1.6 s, with such B-frames",
}


def decoded(states: str) -> int:
    """Return how many frames came out of the decoder."""
    return sum(state in "cd" for state in states)


def summary(case: dict[str, Any]) -> str:
    """Return the frames that are decoded, in words."""
    states = case["states"]
    share = round(100 * decoded(states) / len(states))
    return f"{decoded(states)} of {len(states)} frames decoded, {share} %"


def picture(cases: Sequence[dict[str, Any]]) -> str:
    """Return the SVG."""
    svg = Svg(_WIDTH, 62 + len(cases) * _CASE, "Which frames of a video are decoded")
    x = float(_LEFT)
    for state, text in _LEGEND:
        svg.rect(x, 12, 10, 14, _FILLS[state])
        svg.text(x + 16, 24, text, size=12)
        x += 36 + 6.2 * len(text)
    svg.text(_LEFT, 46, "Each bar is a frame: tall is I, medium is P, low is B.", size=12)
    for number, case in enumerate(cases):
        _draw(svg, case, 62 + number * _CASE)
    return str(svg)


def _draw(svg: Svg, case: dict[str, Any], top: float) -> None:
    types, states, rate = case["types"], case["states"], case["rate"]
    step = (_RIGHT - _LEFT) / len(types)

    def x(frame_id: float) -> float:
        return _LEFT + frame_id * step

    title = f"{_TITLES[case['name']]}; fps={case['fps']:g}"
    svg.text(_LEFT, top + 18, title, bold=True)
    svg.text(_RIGHT, top + 18, summary(case), anchor="end")
    bottom = top + 28 + _TALL["I"]
    for state, fill in _FILLS.items():
        svg.rects(
            [
                (x(frame_id) + 0.6, bottom - _TALL[kind], step - 1.2, _TALL[kind])
                for frame_id, (kind, found) in enumerate(zip(types, states, strict=True))
                if found == state
            ],
            fill,
        )
    for frame_id in case["gop_starts"]:
        svg.line([(x(frame_id), top + 26), (x(frame_id), bottom + 6)], "muted", dashed=True)
    for frame_id, state in enumerate(states):
        if state == "c":
            svg.triangle(x(frame_id + 0.5), bottom + 2)
    svg.line([(_LEFT, bottom), (_RIGHT, bottom)], "muted")
    for second in range(len(types) // rate + 1):
        place = min(max(x(second * rate), _LEFT + 8), _RIGHT - 8)
        svg.text(place, bottom + 22, f"{second} s", colour="muted", anchor="middle", size=12)
