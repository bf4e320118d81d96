"""The contact sheet: one picture that shows what was found in a video, and where."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from spark_keyframes.images.curve import Curve, axes_for, draw_curve
from spark_keyframes.images.text import INK, LINE, MUTED, PAPER, clock, write

if TYPE_CHECKING:
    from PIL import Image

WIDTH = 1200  # pixels
_MARGIN = 40
_GAP = 16
_CAPTION = 46  # pixels of text under a frame
_GRID_HEIGHT = 470  # what the grid takes at most, as long as eight columns suffice
_MOST_COLUMNS = 8
_CURVE_HEIGHT = 300


@dataclass(frozen=True)
class SheetFrame:
    """One keyframe on the sheet."""

    rgb: npt.NDArray[np.uint8]
    """shape (height, width, 3), RGB, of any size"""
    frame_id: int
    """the frame's number in the video, in order of presentation, from 0"""
    timestamp: float
    """seconds from the start of the video"""
    score: float
    """raw cosine similarity to the text"""


def contact_sheet(
    keyframes: Sequence[SheetFrame],
    *,
    curve_times: Sequence[float],
    curve_scores: Sequence[float],
    title: str,
    subtitle: str = "",
    spans: Sequence[tuple[float, float]] = (),
) -> "Image.Image":
    """Draw keyframes with their time, number and score, over the score curve of the whole video.

    Args:
        keyframes: the selected frames, one or more, in order of time.
        curve_times: seconds, of every candidate, ascending.
        curve_scores: cosine similarities, of every candidate, finite.
        title: such as “spoon” in cooking.mp4.
        subtitle: a line under it, or empty.
        spans: (from, to) in seconds to shade: where the text is true, where that is known.

    Returns:
        An RGB image, 1200 pixels wide.

    Raises:
        ValueError: no keyframes, no candidates, or not one score for each candidate.
    """
    from PIL import Image, ImageDraw

    if not keyframes:
        raise ValueError("a contact sheet needs at least one keyframe, got none")
    if len(curve_times) != len(curve_scores) or not len(curve_times):
        raise ValueError(
            "curve_times and curve_scores must be as long as each other and not empty, got "
            f"{len(curve_times)} and {len(curve_scores)}"
        )
    height, width = keyframes[0].rgb.shape[:2]
    grid = _grid(len(keyframes), width / height)
    grid_top = _MARGIN + (76 if subtitle else 48)
    curve_top = grid_top + grid.rows * (grid.height + _CAPTION + _GAP) + 14
    sheet = Image.new("RGB", (WIDTH, curve_top + _CURVE_HEIGHT + _MARGIN - 10), PAPER)
    draw = ImageDraw.Draw(sheet)

    inner = WIDTH - 2 * _MARGIN
    write(draw, (_MARGIN, _MARGIN + 26), title, 32, INK, width=inner)
    if subtitle:
        write(draw, (_MARGIN, _MARGIN + 54), subtitle, 17, MUTED, width=inner)
    for index, keyframe in enumerate(keyframes):
        row, column = divmod(index, grid.columns)
        left = round(_MARGIN + column * (inner + _GAP) / grid.columns)
        top = grid_top + row * (grid.height + _CAPTION + _GAP)
        _draw_keyframe(sheet, keyframe, left, top, grid)
    draw.line([_MARGIN, curve_top - 14, WIDTH - _MARGIN - 1, curve_top - 14], fill=LINE)

    curve = Curve(
        times=[float(time) for time in curve_times],
        scores=[float(score) for score in curve_scores],
        marks=[(keyframe.timestamp, keyframe.score) for keyframe in keyframes],
        spans=spans,
    )
    axes = axes_for(curve, inner, _CURVE_HEIGHT)
    sheet.paste(draw_curve(curve, axes), (_MARGIN, curve_top + 6))
    return sheet


@dataclass(frozen=True)
class _Grid:
    columns: int
    rows: int
    width: int
    """pixels of a frame's place, without its caption"""
    height: int


def _grid(count: int, aspect: float) -> _Grid:
    """Choose the columns that show `count` frames largest, with few places left empty."""
    options = []
    for columns in range(1, _MOST_COLUMNS + 1):
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
    write(draw, (left, line), clock(keyframe.timestamp), large, INK)
    write(draw, (right, line), f"{keyframe.score:.3f}", large, INK, anchor="rs")
    write(draw, (left, line + 18), f"frame {keyframe.frame_id}", 13, MUTED)
