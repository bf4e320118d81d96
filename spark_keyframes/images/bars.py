"""Draws how a selector divided a video, as bars under the score curve of a contact sheet."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spark_keyframes.images.curve import CurveAxes
from spark_keyframes.images.text import ACCENT, INK, LINE, MUTED, PAPER, draw_text, text_width

if TYPE_CHECKING:
    from PIL import Image

_TOP = 40  # pixels of the title
_ROW = 26
_HEIGHT = 22
_GAP = 1  # pixels at each end, so that neighbours do not touch
_TITLE = "How the selector divided the video, and how many keyframes each part gives"


@dataclass(frozen=True)
class Bar:
    """A part of the video."""

    start: float
    """Seconds from the start of the video."""
    end: float
    """Seconds from the start of the video."""
    row: int
    """0 is the topmost."""
    count: int
    """How many keyframes the part gives."""
    divided: bool
    """Whether the next row has parts of it."""


def bars_height(bars: Sequence[Bar]) -> int:
    """Return how many pixels high the picture is."""
    return _TOP + _ROW * (1 + max(bar.row for bar in bars))


def draw_bars(bars: Sequence[Bar], axes: CurveAxes) -> "Image.Image":
    """Draw each part over its time, with its count: below it are those that it was divided into.

    Parts that were not divided are coloured, unless they give no keyframe.
    """
    from PIL import Image, ImageDraw

    picture = Image.new("RGB", (axes.width, bars_height(bars)), PAPER)
    draw = ImageDraw.Draw(picture)
    draw_text(draw, (0, _TOP / 2), _TITLE, 16, INK, anchor="lm")
    for bar in bars:
        left, right = axes.x(bar.start) + _GAP, axes.x(bar.end) - _GAP
        top = _TOP + bar.row * _ROW
        fill, ink = (ACCENT, PAPER) if bar.count and not bar.divided else (LINE, INK)
        if not bar.count:
            fill, ink = PAPER, MUTED
        box = [left, top, max(left + 1, right), top + _HEIGHT]
        draw.rectangle(box, fill=fill, outline=None if bar.count else LINE)
        label = str(bar.count)
        if text_width(label, 14) <= right - left:
            at = ((left + right) / 2, top + _HEIGHT / 2)
            draw_text(draw, at, label, 14, ink, anchor="mm")
    return picture
