"""Draws the way of a row, with the numbers of the list in docs/architecture.md."""

from docs.pictures.svg import Svg

_WIDTH, _HEIGHT = 800, 684
_LEFT, _MIDDLE, _RIGHT = 24, 262, 548
"""x of the columns: beside the worker, a video's thread, what the videos share."""


def picture() -> str:
    """Return the SVG."""
    svg = Svg(_WIDTH, _HEIGHT, "The way of a row through Spark, the engine and the decoder")
    _places(svg)
    _boxes(svg)
    _arrows(svg)
    return str(svg)


def _places(svg: Svg) -> None:
    """The machines and processes, as frames around their boxes."""
    svg.rect(12, 10, 776, 62, "paper", edge="line")
    svg.text(_LEFT, 46, "Driver", bold=True)
    svg.rect(12, 90, 776, 62, "paper", edge="line")
    svg.text(_LEFT, 118, "Executor", bold=True)
    svg.text(_LEFT, 136, "its JVM", colour="muted", size=12)
    svg.rect(228, 170, 560, 502, "paper", edge="line")
    svg.text(_RIGHT, 300, "Python worker", bold=True)
    svg.text(_RIGHT, 318, "one for each running task", colour="muted", size=12)
    for shift in (8, 4, 0):
        svg.rect(250 + shift, 280 - shift, 254, 376, "paper", edge="muted")
    svg.number(270, 298, 3)
    svg.text(288, 302, "A thread for each video", bold=True)
    svg.rect(12, 366, 190, 136, "paper", edge="line")
    svg.text(_LEFT, 386, "Decode process", bold=True)
    svg.text(_LEFT, 402, "one for each video at work", colour="muted", size=12)


def _boxes(svg: Svg) -> None:
    _box(svg, (_MIDDLE, 18, 230), 1, "checks the parameters", "sampler.py, spark/: adds a stage")
    _box(svg, (_MIDDLE, 98, 230), None, "a partition of rows", "URLs, texts, other columns")
    _box(svg, (_RIGHT, 98, 228), None, "rows with keyframes", "and all other columns")
    _box(svg, (_MIDDLE, 202, 230), 2, "Arrow batch to requests", "arrow/")
    _box(svg, (_RIGHT, 202, 228), 11, "outcomes to Arrow batch", "arrow/, in the rows' order")
    _box(svg, (_LEFT, 314, 166), None, "the video", "TOS, S3, HTTP, a file …")
    _box(svg, (_MIDDLE, 314, 230), 4, "opens the source", "storage/: whole, or in parts")
    _box(svg, (_LEFT, 410, 166), 5, "lists packets", "video/: times, GOPs", height=40)
    _box(svg, (_LEFT, 456, 166), 6, "decodes the needed", "video/: exact frames", height=40)
    _box(svg, (_MIDDLE, 406, 230), None, "resizes each candidate", "clip/ or your module")
    _box(svg, (_RIGHT, 406, 200), 7, "scores batches", "of all videos, in one thread")
    _box(svg, (_MIDDLE, 470, 230), 8, "drops what cannot win", "frames within a byte budget")
    _box(svg, (_MIDDLE, 534, 230), 9, "chooses keyframes", "selection/: AKS or another")
    _box(svg, (_MIDDLE, 598, 230), 10, "encodes and stores images", "images/, storage/")
    _box(svg, (_LEFT, 598, 166), None, "the images", "8 uploads at a time")


def _box(
    svg: Svg,
    at: tuple[float, float, float],
    number: int | None,
    text: str,
    more: str,
    *,
    height: float = 46,
) -> None:
    x, y, width = at
    svg.rect(x, y, width, height, "box", edge="muted")
    left = x + 10
    if number is not None:
        svg.number(x + 16, y + height / 2, number)
        left = x + 34
    svg.text(left, y + height / 2 - 3, text)
    svg.text(left, y + height / 2 + 13, more, colour="muted", size=11)


def _arrows(svg: Svg) -> None:
    down = _MIDDLE + 115
    svg.line([(down, 64), (down, 98)], "blue", width=1.6, arrow=True)
    svg.text(down + 10, 86, "tasks", colour="muted", size=12)
    svg.line([(down, 144), (down, 202)], "blue", width=1.6, arrow=True)
    svg.text(down + 10, 165, "Arrow batches", colour="muted", size=12)
    svg.line([(462, 248), (462, 314)], "blue", width=1.6, arrow=True)
    svg.text(452, 266, "a request", colour="muted", anchor="end", size=12)
    svg.line([(_LEFT + 166, 337), (_MIDDLE, 337)], "blue", width=1.6, arrow=True)
    svg.line([(down, 360), (down, 383), (202, 383)], "blue", width=1.6, arrow=True)
    svg.text(262, 379, "bytes", colour="muted", size=12)
    svg.line([(202, 429), (_MIDDLE, 429)], "blue", width=1.6, arrow=True)
    svg.text(206, 424, "pixels", colour="muted", size=11)
    svg.line([(_MIDDLE + 230, 429), (_RIGHT, 429)], "blue", width=1.6, arrow=True)
    svg.line(
        [(_RIGHT + 100, 452), (_RIGHT + 100, 493), (_MIDDLE + 230, 493)],
        "blue",
        width=1.6,
        arrow=True,
    )
    svg.text(_RIGHT + 4, 488, "scores", colour="muted", size=12)
    svg.line([(down, 516), (down, 534)], "blue", width=1.6, arrow=True)
    svg.line([(down, 580), (down, 598)], "blue", width=1.6, arrow=True)
    svg.line([(_MIDDLE, 621), (_LEFT + 166, 621)], "blue", width=1.6, arrow=True)
    svg.line([(_MIDDLE + 230, 621), (768, 621), (768, 248)], "blue", width=1.6, arrow=True)
    svg.text(_RIGHT + 4, 614, "an outcome: keyframes, or why not", colour="muted", size=12)
    svg.line([(_RIGHT + 114, 202), (_RIGHT + 114, 144)], "blue", width=1.6, arrow=True)
    svg.text(_RIGHT + 124, 165, "Arrow batches", colour="muted", size=12)
