"""Draws outdoor objects."""

from __future__ import annotations

import math

import numpy as np

from spark_keyframes.demo.drawing.pen import INK, Colour, Pen, box, darker, lighter, oval, smooth

WHITE: Colour = (252, 250, 244)
LEAF: Colour = (92, 166, 72)
TRUNK: Colour = (134, 90, 58)
GLASS: Colour = (186, 224, 242)


def fish(pen: Pen, colour: Colour, rng: np.random.Generator) -> None:
    """A fish that swims to the left."""
    fin = darker(colour, 0.22)
    pen.fill(
        smooth([(0.42, 0), (0.78, -0.46), (0.97, -0.44), (0.84, 0), (0.97, 0.44), (0.78, 0.46)]),
        colour=fin,
    )
    pen.fill(smooth([(-0.3, -0.36), (-0.1, -0.68), (0.26, -0.6), (0.3, -0.2)]), colour=fin)
    pen.fill(smooth([(-0.1, 0.3), (0.02, 0.6), (0.26, 0.54), (0.22, 0.2)]), colour=fin)
    body = smooth(
        [
            (-0.95, 0.02),
            (-0.66, -0.34),
            (-0.2, -0.46),
            (0.3, -0.28),
            (0.62, 0),
            (0.3, 0.28),
            (-0.2, 0.44),
            (-0.66, 0.34),
        ]
    )
    pen.fill(body, colour=colour)
    pen.fill(
        smooth([(-0.7, 0.2), (-0.2, 0.2), (0.3, 0.12), (0.2, 0.27), (-0.2, 0.37), (-0.6, 0.31)]),
        colour=lighter(colour, 0.5),
        ink=None,
    )
    for x, y in ((-0.1, -0.14), (0.14, -0.14), (0.02, 0.04), (0.26, 0.02), (-0.16, 0.12)):
        pen.line(
            smooth([(x, y - 0.09), (x + 0.07, y), (x, y + 0.09)], closed=False),
            darker(colour, 0.3),
            0.035,
        )
    pen.line(
        smooth([(-0.4, -0.28), (-0.32, 0), (-0.4, 0.26)], closed=False), darker(colour, 0.35), 0.045
    )
    pen.fill(oval(-0.62, -0.1, 0.11, 0.11), colour=WHITE, width=0.035)
    pen.fill(oval(-0.64, -0.09, 0.05, 0.05), colour=INK, ink=None)
    pen.line(smooth([(-0.88, 0.1), (-0.78, 0.16), (-0.68, 0.14)], closed=False), INK, 0.04)


def tree(pen: Pen, colour: Colour, rng: np.random.Generator) -> None:
    """A leafy tree, or a fir."""
    if rng.random() < 0.35:
        pen.fill(box(-0.12, 0.55, 0.12, 0.97), colour=TRUNK)
        for top, base, half in ((0.0, 0.72, 0.7), (-0.48, 0.3, 0.56), (-0.97, -0.16, 0.42)):
            tier = [
                (0.0, top),
                (half, base),
                (half * 0.4, base + 0.07),
                (-half * 0.4, base + 0.07),
                (-half, base),
            ]
            pen.fill(np.array(tier), colour=darker(colour, 0.1 + 0.1 * (base > 0.5)))
            pen.line([(-0.05, top + 0.24), (-half * 0.6, base - 0.1)], lighter(colour, 0.3), 0.05)
        return
    trunk = [(-0.12, 0.2), (-0.13, 0.7), (-0.26, 0.96), (0.26, 0.96), (0.13, 0.7), (0.12, 0.2)]
    pen.fill(smooth(trunk), colour=TRUNK)
    pen.line([(0, 0.3), (0.2, 0.08)], TRUNK, 0.09)
    crown = [
        (0, -0.55, 0.42),
        (-0.42, -0.2, 0.4),
        (0.42, -0.2, 0.4),
        (-0.2, 0.1, 0.32),
        (0.22, 0.1, 0.32),
    ]
    pen.fill(*(oval(x, y, r, r) for x, y, r in crown), colour=darker(colour, 0.12))
    pen.fill(
        *(oval(x * 0.9 - 0.05, y * 0.95 - 0.06, r * 0.8, r * 0.78) for x, y, r in crown),
        colour=colour,
        ink=None,
    )
    for x, y in ((-0.2, -0.68), (-0.56, -0.3), (0.1, -0.3), (0.36, -0.4), (-0.2, 0.0)):
        pen.line(
            smooth([(x - 0.1, y + 0.05), (x, y - 0.03), (x + 0.1, y + 0.03)], closed=False),
            lighter(colour, 0.4),
            0.05,
        )


def flower(pen: Pen, colour: Colour, rng: np.random.Generator) -> None:
    """A flower with six petals on a stem."""
    pen.tube(smooth([(0, -0.2), (0.04, 0.4), (-0.02, 0.97)], closed=False), LEAF, 0.11)
    pen.fill(smooth([(0.02, 0.72), (0.2, 0.4), (0.56, 0.34), (0.4, 0.64)]), colour=LEAF)
    pen.fill(smooth([(0, 0.84), (-0.2, 0.54), (-0.54, 0.5), (-0.38, 0.78)]), colour=LEAF)
    for k in range(6):
        a = math.radians(60 * k + 30)
        x, y = 0.35 * math.cos(a), -0.38 + 0.35 * math.sin(a)
        pen.fill(oval(x, y, 0.25, 0.18, 60 * k + 30), colour=colour)
        pen.fill(
            oval(x * 0.85, -0.38 + (y + 0.38) * 0.85, 0.15, 0.08, 60 * k + 30),
            colour=lighter(colour, 0.4),
            ink=None,
        )
    heart: Colour = (
        (250, 196, 58)
        if max(colour[0] - 200, colour[1] - 160) < 40 or colour[2] > 90
        else (128, 80, 48)
    )
    pen.fill(oval(0, -0.38, 0.21, 0.21), colour=heart)
    pen.fill(oval(-0.05, -0.44, 0.08, 0.06), colour=lighter(heart, 0.5), ink=None)


def house(pen: Pen, colour: Colour, rng: np.random.Generator) -> None:
    """A house: a door, two windows, a roof with a chimney."""
    roof: Colour = [(188, 70, 58), (92, 84, 110), (140, 92, 60)][int(rng.integers(3))]
    pen.fill(box(0.36, -0.86, 0.58, -0.3), colour=darker(roof, 0.25))
    pen.fill(box(-0.7, -0.2, 0.7, 0.9), colour=colour)
    pen.fill(box(0.5, -0.1, 0.7, 0.87), colour=darker(colour, 0.12), ink=None)
    pen.fill(np.array([(0, -0.92), (0.95, -0.1), (-0.95, -0.1)]), colour=roof)
    pen.line([(-0.02, -0.74), (-0.66, -0.2)], lighter(roof, 0.4), 0.05)
    pen.fill(box(-0.17, 0.3, 0.17, 0.9, 0.03), colour=darker(TRUNK, 0.1))
    pen.fill(oval(0.09, 0.62, 0.035, 0.035), colour=(250, 206, 80), ink=None)
    for x in (-0.44, 0.44):
        pen.fill(box(x - 0.16, 0.1, x + 0.16, 0.42), colour=GLASS)
        pen.line([(x, 0.12), (x, 0.4)], WHITE, 0.04)
        pen.line([(x - 0.14, 0.26), (x + 0.14, 0.26)], WHITE, 0.04)
    pen.fill(oval(0, -0.42, 0.14, 0.14), colour=GLASS)


def car(pen: Pen, colour: Colour, rng: np.random.Generator) -> None:
    """A car that drives to the left."""
    cabin = smooth([(-0.5, 0), (-0.3, -0.42), (-0.1, -0.5), (0.34, -0.5), (0.5, -0.42), (0.66, 0)])
    body = smooth(
        [
            (-0.96, 0.36),
            (-0.95, 0.1),
            (-0.8, -0.04),
            (-0.4, -0.08),
            (0.6, -0.08),
            (0.9, -0.02),
            (0.97, 0.2),
            (0.94, 0.4),
            (0, 0.42),
        ]
    )
    pen.fill(cabin, body, colour=colour)
    pen.fill(
        smooth([(-0.9, 0.28), (0, 0.26), (0.92, 0.26), (0.9, 0.4), (0, 0.41), (-0.9, 0.36)]),
        colour=darker(colour, 0.22),
        ink=None,
    )
    pen.fill(
        np.array([(-0.36, -0.07), (-0.22, -0.36), (0.04, -0.4), (0.04, -0.07)]),
        colour=GLASS,
        width=0.04,
    )
    pen.fill(
        np.array([(0.14, -0.07), (0.14, -0.4), (0.38, -0.38), (0.54, -0.07)]),
        colour=GLASS,
        width=0.04,
    )
    pen.line([(0.09, 0), (0.09, 0.3)], darker(colour, 0.4), 0.035)
    pen.line([(0.18, 0.06), (0.3, 0.06)], darker(colour, 0.5), 0.05)
    pen.fill(oval(-0.86, 0.1, 0.07, 0.09), colour=(254, 236, 150), width=0.035)
    pen.fill(box(0.87, 0.04, 0.95, 0.2, 0.03), colour=(226, 64, 54), width=0.035)
    for x in (-0.54, 0.56):
        pen.fill(oval(x, 0.4, 0.24, 0.24), colour=(58, 56, 64))
        pen.fill(oval(x, 0.4, 0.11, 0.11), colour=(206, 212, 220), ink=None)


def boat(pen: Pen, colour: Colour, rng: np.random.Generator) -> None:
    """A sailing boat with a hull of `colour`."""
    sail: Colour = WHITE if sum(colour) < 640 else (230, 120, 90)
    pen.line([(0.02, -0.94), (0.02, 0.4)], TRUNK, 0.09)
    pen.fill(
        smooth([(0.1, -0.86), (0.4, -0.4), (0.68, 0.24), (0.4, 0.28), (0.1, 0.26)]), colour=sail
    )
    pen.fill(
        smooth([(-0.06, -0.72), (-0.3, -0.3), (-0.56, 0.22), (-0.3, 0.27), (-0.06, 0.26)]),
        colour=darker(sail, 0.12),
    )
    pen.fill(
        np.array([(0.05, -0.97), (0.36, -0.9), (0.05, -0.8)]), colour=(222, 66, 60), width=0.035
    )
    hull = smooth(
        [
            (-0.94, 0.4),
            (-0.5, 0.44),
            (0.5, 0.44),
            (0.94, 0.38),
            (0.66, 0.84),
            (0.3, 0.92),
            (-0.4, 0.92),
            (-0.68, 0.8),
        ]
    )
    pen.fill(hull, colour=colour)
    pen.line([(-0.74, 0.6), (0.76, 0.6)], lighter(colour, 0.6), 0.07)
