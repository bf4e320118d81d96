"""The objects that can be drawn: their names, colours and largest angles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from spark_keyframes.demo.drawing import food, kitchen, outdoors
from spark_keyframes.demo.drawing.pen import Colour, Pen

Artist = Callable[[Pen, Colour, np.random.Generator], None]

COLOURS: dict[str, Colour] = {
    "red": (222, 58, 52),
    "orange": (244, 142, 44),
    "yellow": (250, 208, 62),
    "green": (98, 176, 80),
    "blue": (66, 122, 206),
    "purple": (142, 92, 184),
    "pink": (244, 140, 176),
    "brown": (168, 112, 70),
    "white": (246, 242, 232),
    "silver": (202, 210, 220),
    "black": (76, 74, 84),
}
"""Colours by the name that captions use."""

_PAINTED = ("red", "orange", "yellow", "green", "blue", "purple", "pink", "white")
_CUTLERY = ("silver", "silver", "silver", "brown", "red", "yellow", "green", "blue", "pink")


@dataclass(frozen=True)
class Kind:
    """One kind of object."""

    artist: Artist
    """Draws the object upright."""
    colours: tuple[str, ...]
    """Names of its colours; a colour named twice is twice as frequent."""
    lean: float
    """Largest turn to either side, in degrees: small for standing objects, large for lying ones."""


KINDS: dict[str, Kind] = {
    "spoon": Kind(kitchen.spoon, _CUTLERY, 75),
    "fork": Kind(kitchen.fork, _CUTLERY, 75),
    "knife": Kind(kitchen.knife, ("black", "brown", "red", "blue", "green", "yellow"), 75),
    "cup": Kind(kitchen.cup, _PAINTED, 10),
    "pan": Kind(kitchen.pan, ("black", "silver", "red", "blue", "green", "orange"), 15),
    "pot": Kind(kitchen.pot, ("silver", "red", "blue", "green", "orange", "yellow"), 8),
    "egg": Kind(food.egg, ("white", "white", "white", "brown"), 35),
    "bottle": Kind(kitchen.bottle, ("green", "brown", "blue", "red", "white", "purple"), 12),
    "cake": Kind(food.cake, ("pink", "white", "brown", "blue", "purple", "red"), 6),
    "apple": Kind(food.apple, ("red", "red", "green", "yellow"), 25),
    "banana": Kind(food.banana, ("yellow", "yellow", "yellow", "green"), 40),
    "carrot": Kind(food.carrot, ("orange", "orange", "purple", "yellow"), 70),
    "mushroom": Kind(food.mushroom, ("red", "brown", "orange", "purple"), 20),
    "fish": Kind(outdoors.fish, ("blue", "orange", "red", "green", "silver", "pink"), 25),
    "tree": Kind(outdoors.tree, ("green", "green", "green", "orange", "yellow"), 5),
    "flower": Kind(outdoors.flower, ("red", "pink", "yellow", "purple", "blue", "white"), 20),
    "house": Kind(outdoors.house, ("yellow", "white", "blue", "pink", "orange"), 4),
    "car": Kind(outdoors.car, _PAINTED, 8),
    "boat": Kind(outdoors.boat, ("blue", "red", "green", "brown", "white", "orange"), 12),
    "clock": Kind(kitchen.clock, ("red", "blue", "green", "yellow", "purple", "silver"), 10),
}
"""Every object by its name."""


def draw_object(
    name: str,
    size: int,
    *,
    colour: Colour,
    angle: float,
    mirrored: bool,
    seed: int,
    oversample: int = 3,
) -> Image.Image:
    """Draw one object on a transparent RGBA square whose side is `size` pixels.

    The object spans size / √2, so that it fits the square at any angle. `seed` determines its
    details, such as the hands of a clock.
    """
    pen = Pen(size, angle=angle, mirrored=mirrored, oversample=oversample)
    KINDS[name].artist(pen, colour, np.random.default_rng(seed))
    return pen.finish()
