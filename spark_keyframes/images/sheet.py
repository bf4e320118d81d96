"""Draws a contact sheet: the keyframes of a video, and where they are on its score curve."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from spark_keyframes.images.bars import Bar, bars_height, draw_bars
from spark_keyframes.images.curve import Curve, axes_for, draw_curve
from spark_keyframes.images.text import (
    INK,
    LINE,
    MUTED,
    PAPER,
    cut_text,
    draw_text,
    format_score,
    format_time,
    text_width,
)

if TYPE_CHECKING:
    from PIL import Image

WIDTH = 1200  # pixels
_MARGIN = 40
_GAP = 16
_CAPTION = 46  # pixels of text under a frame
_GRID_HEIGHT = 470  # largest height of the grid, unless that takes more than eight columns
_MAX_COLUMNS = 8
_CURVE_HEIGHT = 300
_TITLE_SIZE = 32


@dataclass(frozen=True)
class SheetFrame:
    """A keyframe to draw."""

    rgb: npt.NDArray[np.uint8]
    """uint8, shape (height, width, 3), RGB, of any size."""
    frame_id: int
    """Number of the frame in presentation order, from 0."""
    timestamp: float
    """Seconds from the start of the video."""
    score: float
    """Cosine similarity to the text."""


def contact_sheet(
    keyframes: Sequence[SheetFrame],
    *,
    curve_times: Sequence[float],
    curve_scores: Sequence[float],
    text: str,
    video: str,
    subtitle: str = "",
    spans: Sequence[tuple[float, float]] = (),
    bars: Sequence[Bar] = (),
) -> "Image.Image":
    """Draw keyframes with their time, number and score, above the score curve of the video.

    Args:
        keyframes: the selected frames, at least one, in order of time.
        curve_times: time of each candidate in seconds, ascending.
        curve_scores: cosine similarity of each candidate, finite.
        text: what the frames were compared with.
        video: the video's name. The first line, “spoon” in cooking.mp4, is cut in the text.
        subtitle: second line, or empty.
        spans: (start, end) in seconds of known matches of the text, which are shaded.
        bars: how the video was divided, drawn under the curve.

    Returns:
        An RGB image, 1200 pixels wide.

    Raises:
        ValueError: there is no keyframe or no candidate, or times and scores differ in length.
    """
    from PIL import Image, ImageDraw

    if not keyframes:
        raise ValueError("a contact sheet needs at least one keyframe, got none")
    if len(curve_times) != len(curve_scores) or not len(curve_times):
        raise ValueError(
            "curve_times and curve_scores must have the same length, at least 1, got "
            f"{len(curve_times)} and {len(curve_scores)}"
        )
    height, width = keyframes[0].rgb.shape[:2]
    grid = _grid(len(keyframes), width / height)
    grid_top = _MARGIN + (76 if subtitle else 48)
    curve_top = grid_top + grid.rows * (grid.height + _CAPTION + _GAP) + 14
    bars_top = curve_top + _CURVE_HEIGHT + 6
    bottom = bars_top + (bars_height(bars) if bars else 0)
    sheet = Image.new("RGB", (WIDTH, bottom + _MARGIN - 16), PAPER)
    draw = ImageDraw.Draw(sheet)

    inner = WIDTH - 2 * _MARGIN
    draw_text(draw, (_MARGIN, _MARGIN + 26), _title(text, video, inner), _TITLE_SIZE)
    if subtitle:
        draw_text(draw, (_MARGIN, _MARGIN + 54), subtitle, 17, MUTED, width=inner)
    for index, keyframe in enumerate(keyframes):
        row, column = divmod(index, grid.columns)
        left = round(_MARGIN + column * (inner + _GAP) / grid.columns)
        top = grid_top + row * (grid.height + _CAPTION + _GAP)
        _draw_keyframe(sheet, keyframe, left, top, grid)
    draw.line([_MARGIN, curve_top - 14, WIDTH - _MARGIN - 1, curve_top - 14], fill=LINE)

    on_curve = dict(zip(curve_times, map(float, curve_scores), strict=True))
    curve = Curve(
        times=[float(time) for time in curve_times],
        scores=[float(score) for score in curve_scores],
        # On the curve, also where the keyframes' scores are of another model.
        marks=[(each.timestamp, on_curve.get(each.timestamp, each.score)) for each in keyframes],
        spans=spans,
    )
    axes = axes_for(curve, inner, _CURVE_HEIGHT)
    sheet.paste(draw_curve(curve, axes), (_MARGIN, curve_top + 6))
    if bars:
        sheet.paste(draw_bars(bars, axes), (_MARGIN, bars_top))
    return sheet


def _title(text: str, video: str, width: float) -> str:
    """Return “text” in video, at most `width` pixels wide; the video's name has half of it."""
    text, video = " ".join(text.split()), " ".join(video.split())
    video = cut_text(video, _TITLE_SIZE, width / 2, keep="end")
    rest = width - text_width(f"“” in {video}", _TITLE_SIZE)
    return f"“{cut_text(text, _TITLE_SIZE, rest)}” in {video}"


@dataclass(frozen=True)
class _Grid:
    columns: int
    rows: int
    width: int
    """Pixels of a cell, without the caption."""
    height: int


def _grid(count: int, aspect: float) -> _Grid:
    """Return the grid that shows `count` frames largest, with few empty cells."""
    options = []
    for columns in range(1, _MAX_COLUMNS + 1):
        rows = -(-count // columns)
        width = (WIDTH - 2 * _MARGIN - (columns - 1) * _GAP) // columns
        options.append(_Grid(columns, rows, width, max(1, round(width / aspect))))
    fitting = [
        grid for grid in options if grid.rows * (grid.height + _CAPTION + _GAP) <= _GRID_HEIGHT
    ]
    return max(
        fitting or options[-1:],
        key=lambda grid: grid.width * grid.height * (count / (grid.rows * grid.columns)) ** 2,
    )


def _draw_keyframe(
    sheet: "Image.Image", keyframe: SheetFrame, left: int, top: int, grid: _Grid
) -> None:
    from PIL import Image, ImageDraw

    height, width = keyframe.rgb.shape[:2]
    scale = min(grid.width / width, grid.height / height)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    picture = Image.fromarray(keyframe.rgb).resize(size, Image.Resampling.LANCZOS, reducing_gap=3)
    sheet.paste(picture, (left, top + grid.height - size[1]))

    draw = ImageDraw.Draw(sheet)
    right, line = left + size[0], top + grid.height + 21
    large = 17 if grid.width >= 150 else 15
    draw_text(draw, (left, line), format_time(keyframe.timestamp), large, INK)
    draw_text(draw, (right, line), format_score(keyframe.score), large, INK, anchor="rs")
    draw_text(draw, (left, line + 18), f"frame {keyframe.frame_id}", 13, MUTED)
