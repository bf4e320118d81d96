"""Writes HTML from the templates of the package. They escape all that they are given."""

from collections.abc import Iterable, Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from spark_keyframes.html.cards import Curve, Picture, VideoCard
from spark_keyframes.html.chart import chart_of
from spark_keyframes.html.words import counted, score_words, shown, shown_line, time_words
from spark_keyframes.selection import Part

if TYPE_CHECKING:
    from jinja2 import Environment

_OWN = "spark_keyframes.html"


def video_html(card: VideoCard, *, level: int | None = None, lazy: bool = True) -> str:
    """Return a video as HTML, for a page that has `css()` and an element of class `kf` around it.

    Args:
        card: the video.
        level: of the heading that the title is; None: it is no heading, as in a notebook.
        lazy: load images when they come near the screen, as is best for a page of many videos.

    Raises:
        ValueError: the times and scores of the curve differ in length.
    """
    chart = None if card.curve is None else chart_of(card.curve, card.keyframes, card.root)
    # No attribute is a style: pages that forbid them, as reports do, show all of it.
    return rendered("video.html", card=card, chart=chart, level=level, lazy=lazy, alone=False)


def cards_html(cards: Iterable[VideoCard]) -> str:
    """Return videos as HTML that brings its style, for the output of a notebook's cell."""
    from markupsafe import Markup

    made = [Markup(video_html(card, lazy=False)) for card in cards]  # noqa: S704 - by a template
    return rendered("cards.html", cards=made)


def curve_svg(curve: Curve, pictures: Sequence[Picture], root: Part | None = None) -> str:
    """Return the score curve as SVG, as wide as its place; "" where no score can be drawn.

    Args:
        curve: the scores of all candidates. Of very many, only the points are drawn that can be
            told apart: the first, last, lowest and highest of each two pixels.
        pictures: the keyframes, which are marked.
        root: how the selector divided the video: bars under the curve.

    Raises:
        ValueError: times and scores differ in length.
    """
    chart = chart_of(curve, pictures, root)
    return "" if chart is None else rendered("curve.svg", chart=chart, alone=True)


def css() -> str:
    """Return the style of `video_html`. All names of classes begin with `kf`.

    Colours are those of the page around it, and one that can be read on light and on dark.
    """
    return template_file("cards.css")


def rendered(template: str, *, package: str = _OWN, **values: Any) -> str:
    """Return a template of a package, in its folder `templates`, with these values, escaped."""
    return _environment(package).get_template(template).render(values)


def template_file(name: str, package: str = _OWN) -> str:
    """Return a file of a package's folder `templates` as it is."""
    # Read, not opened by its path: the package may be in a zip.
    return resources.files(package).joinpath("templates", name).read_text("utf-8")


@cache
def _environment(package: str) -> "Environment":
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FunctionLoader(lambda name: template_file(name, package)),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "line": shown_line,
        "score": score_words,
        "shown": shown,
        "time": time_words,
    }
    environment.globals |= {"counted": counted, "css": Markup(css())}  # noqa: S704 - our file
    return environment
