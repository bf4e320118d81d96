"""Draws the places behind the objects, slightly blurred."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from spark_keyframes.demo.drawing.pen import Colour, darker, lighter, mix

PASTELS: tuple[Colour, ...] = (
    (250, 226, 196),
    (206, 228, 240),
    (214, 236, 210),
    (248, 212, 216),
    (226, 216, 242),
    (250, 240, 200),
    (188, 214, 206),
    (236, 206, 178),
    (170, 196, 222),
    (120, 146, 168),
    (146, 112, 128),
    (96, 128, 118),
)
_WOODS: tuple[Colour, ...] = ((214, 168, 116), (188, 138, 92), (232, 198, 154), (150, 108, 78))


@dataclass(frozen=True)
class Canvas:
    """The picture that a background is painted on."""

    picture: Image.Image
    """RGB."""
    unit: float
    """Height of the camera's view in pixels, the unit of all lengths."""
    avoid: Colour
    """The object's colour, which the background must not have."""
    horizon: float
    """Distance of the floor's far edge from the top, in pixels."""
    water: bool
    """Whether the object belongs on water."""
    rng: np.random.Generator

    @property
    def draw(self) -> ImageDraw.ImageDraw:
        """Return a new drawing context."""
        return ImageDraw.Draw(self.picture)

    def pick(self, colours: tuple[Colour, ...]) -> Colour:
        """Return one of `colours`, slightly varied, that differs from the object's colour."""
        far = [c for c in colours if math.dist(c, self.avoid) > 70] or list(colours)
        chosen = far[int(self.rng.integers(len(far)))]
        r, g, b = (min(255, max(0, v + int(self.rng.integers(-10, 11)))) for v in chosen)
        return r, g, b


def _plain(canvas: Canvas) -> None:
    top = canvas.pick(PASTELS)
    bottom = mix(top, canvas.pick(PASTELS), 0.4)
    column = Image.new("RGB", (1, 2))
    column.putdata([top, bottom])
    canvas.picture.paste(column.resize(canvas.picture.size, Image.Resampling.BICUBIC))


def _pattern(canvas: Canvas) -> None:
    base = canvas.pick(PASTELS)
    mark = lighter(base, 0.4) if canvas.rng.random() < 0.5 else darker(base, 0.12)
    width, height = canvas.picture.size
    canvas.picture.paste(base, (0, 0, width, height))
    step = canvas.unit * canvas.rng.uniform(0.1, 0.2)
    draw = canvas.draw
    if canvas.rng.random() < 0.5:
        radius = step * 0.2
        for row in range(int(height / step) + 2):
            for column in range(int(width / step) + 2):
                x, y = (column + 0.5 * (row % 2)) * step, row * step
                draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=mark)
    else:
        lean = float(canvas.rng.choice([0.0, 1.0, -1.0])) * height
        for k in range(int((width + height) / step) + 2):
            x = k * step - (height if lean > 0 else 0)
            draw.polygon(
                [(x, 0), (x + step / 2, 0), (x + step / 2 + lean, height), (x + lean, height)], mark
            )


def _planks(canvas: Canvas, top: float) -> None:
    wood = canvas.pick(_WOODS)
    width, height = canvas.picture.size
    draw = canvas.draw
    step = canvas.unit * canvas.rng.uniform(0.16, 0.26)
    for k in range(int((height - top) / step) + 1):
        y = top + k * step
        tone = mix(wood, (90, 56, 30), float(canvas.rng.uniform(0, 0.16)))
        draw.rectangle((0, y, width, y + step), fill=tone)
        for _ in range(5):
            x, dy = canvas.rng.uniform(-0.2, 1) * width, canvas.rng.uniform(0.15, 0.85) * step
            length = canvas.rng.uniform(0.1, 0.4) * width
            thick = max(1, round(canvas.unit * 0.006))
            draw.line((x, y + dy, x + length, y + dy), fill=darker(tone, 0.1), width=thick)
        draw.line(
            (0, y, width, y), fill=darker(wood, 0.3), width=max(1, round(canvas.unit * 0.008))
        )


def _table(canvas: Canvas) -> None:
    _planks(canvas, 0.0)


def _board(canvas: Canvas) -> None:
    _plain(canvas)
    width, height = canvas.picture.size
    wood = canvas.pick(_WOODS)
    half_x, half_y = canvas.unit * 0.56, canvas.unit * 0.42
    x, y, edge = width / 2, height / 2, canvas.unit * 0.02
    box = (x - half_x, y - half_y, x + half_x, y + half_y)
    draw = canvas.draw
    for grow, down, colour in (
        (edge, 2 * edge, darker(canvas.picture.getpixel((0, 0)), 0.2)),  # type: ignore[arg-type]
        (0.0, edge, darker(wood, 0.35)),
        (0.0, 0.0, wood),
    ):
        draw.rounded_rectangle(
            (box[0] - grow, box[1] - grow + down, box[2] + grow, box[3] + grow + down),
            radius=canvas.unit * 0.08,
            fill=colour,
        )
    for _ in range(14):
        gx, gy = canvas.rng.uniform(-0.9, 0.5) * half_x, canvas.rng.uniform(-0.9, 0.9) * half_y
        length = canvas.rng.uniform(0.1, 0.4) * half_x
        draw.line(
            (x + gx, y + gy, x + gx + length, y + gy), darker(wood, 0.1), round(edge / 2) or 1
        )


def _cloth(canvas: Canvas) -> None:
    check = canvas.pick(((214, 92, 88), (96, 142, 200), (110, 172, 120), (226, 176, 84)))
    width, height = canvas.picture.size
    canvas.picture.paste((250, 246, 238), (0, 0, width, height))
    step = canvas.unit * canvas.rng.uniform(0.09, 0.16)
    draw = canvas.draw
    half, full = lighter(check, 0.62), lighter(check, 0.3)
    for k in range(0, int(max(width, height) / step) + 1, 2):
        draw.rectangle((k * step, 0, (k + 1) * step, height), fill=half)
        draw.rectangle((0, k * step, width, (k + 1) * step), fill=half)
    for i in range(0, int(width / step) + 1, 2):
        for j in range(0, int(height / step) + 1, 2):
            draw.rectangle((i * step, j * step, (i + 1) * step, (j + 1) * step), fill=full)


def _kitchen(canvas: Canvas) -> None:
    tile = canvas.pick(PASTELS)
    width, height = canvas.picture.size
    canvas.picture.paste(tile, (0, 0, width, height))
    draw = canvas.draw
    step = canvas.unit * canvas.rng.uniform(0.14, 0.22)
    grout, thick = lighter(tile, 0.6), max(1, round(canvas.unit * 0.012))
    for row in range(int(canvas.horizon / step) + 2):
        y = canvas.horizon - row * step
        draw.line((0, y, width, y), fill=grout, width=thick)
        for column in range(int(width / step / 1.6) + 2):
            x = (column + 0.5 * (row % 2)) * step * 1.6
            draw.line((x, y - step, x, y), fill=grout, width=thick)
    _planks(canvas, canvas.horizon)
    draw.rectangle(
        (0, canvas.horizon, width, canvas.horizon + canvas.unit * 0.03), fill=darker(tile, 0.45)
    )


def _outside(canvas: Canvas) -> None:
    width, height = canvas.picture.size
    unit, rng, horizon = canvas.unit, canvas.rng, canvas.horizon
    sky = canvas.pick(((150, 206, 244), (190, 224, 246), (250, 214, 178), (176, 190, 226)))
    column = Image.new("RGB", (1, 2))
    column.putdata([sky, lighter(sky, 0.5)])
    canvas.picture.paste(column.resize((width, height), Image.Resampling.BICUBIC))
    draw = canvas.draw
    for _ in range(int(rng.integers(2, 5))):
        x, y, r = (
            rng.uniform(0, width),
            rng.uniform(0.05, 0.4) * unit,
            rng.uniform(0.04, 0.08) * unit,
        )
        for dx, dr in ((-1.3, 0.7), (0.0, 1.0), (1.3, 0.75)):
            draw.ellipse(
                (x + dx * r - dr * r, y - dr * r, x + dx * r + dr * r, y + dr * r),
                fill=lighter(sky, 0.75),
            )
    ground = canvas.pick(((116, 178, 96), (150, 196, 110), (206, 190, 130)))
    if canvas.water:
        ground = canvas.pick(((86, 156, 206), (92, 180, 190)))
    else:
        for _ in range(3):
            x, r = rng.uniform(0, width), rng.uniform(0.3, 0.6) * unit
            draw.ellipse(
                (x - 1.6 * r, horizon - 0.5 * r, x + 1.6 * r, horizon + r), lighter(ground, 0.25)
            )
    draw.rectangle((0, horizon, width, height), fill=ground)
    for _ in range(40):
        x, y = rng.uniform(0, width), rng.uniform(horizon, height)
        length = unit * (0.06 if canvas.water else 0.02)
        rise = 0.0 if canvas.water else -unit * 0.035
        tint = lighter(ground, 0.4) if canvas.water else darker(ground, 0.2)
        draw.line((x, y, x + length, y + rise), fill=tint, width=max(1, round(unit * 0.008)))


@dataclass(frozen=True)
class Place:
    """A kind of background."""

    paint: Callable[[Canvas], None]
    phrase: str
    """The phrase in captions."""
    upright: bool
    """True: seen from the side, with a floor. False: seen from above, or plain."""


PLACES: dict[str, Place] = {
    "plain": Place(_plain, "on a plain background", False),
    "pattern": Place(_pattern, "on wallpaper", False),
    "table": Place(_table, "on a wooden table", False),
    "board": Place(_board, "on a cutting board", False),
    "cloth": Place(_cloth, "on a tablecloth", False),
    "kitchen": Place(_kitchen, "in a kitchen", True),
    "outside": Place(_outside, "outside", True),
}
"""Every place by its name."""


def soften(picture: Image.Image, unit: float) -> Image.Image:
    """Blur a background slightly and darken its corners."""
    picture = picture.filter(ImageFilter.BoxBlur(unit * 0.004))
    width, height = picture.size
    y, x = np.mgrid[-1:1:24j, -1:1:32j]
    dark = np.clip((x**2 + y**2 - 0.6) * 60, 0, 90).astype(np.uint8)
    mask = Image.fromarray(dark).resize((width, height), Image.Resampling.BICUBIC)
    picture.paste((40, 26, 50), (0, 0, width, height), mask)
    return picture
