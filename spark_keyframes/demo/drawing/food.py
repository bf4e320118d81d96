"""Draws food."""

from __future__ import annotations

import math

import numpy as np

from spark_keyframes.demo.drawing.pen import (
    Colour,
    Pen,
    box,
    darker,
    lighter,
    oval,
    smooth,
    symmetric,
)

WHITE: Colour = (252, 250, 244)
LEAF: Colour = (92, 166, 72)
TRUNK: Colour = (134, 90, 58)


def egg(pen: Pen, colour: Colour, rng: np.random.Generator) -> None:
    """An egg or, if it is white, perhaps a fried one seen from above."""
    if min(colour) > 200 and rng.random() < 0.6:
        radii = rng.uniform(0.74, 0.97, 9)
        angles = np.linspace(0, 2 * math.pi, 9, endpoint=False)
        rim = [(r * math.cos(a), 0.9 * r * math.sin(a)) for r, a in zip(radii, angles, strict=True)]
        pen.fill(smooth(rim), colour=(238, 232, 220))
        pen.fill(
            smooth([(0.88 * x - 0.03, 0.88 * y - 0.03) for x, y in rim]),
            colour=(255, 254, 249),
            ink=None,
        )
        x, y = rng.uniform(-0.1, 0.1, 2)
        pen.fill(oval(x, y, 0.37, 0.34), colour=(250, 178, 38), ink=(206, 122, 24), width=0.04)
        pen.fill(oval(x + 0.03, y + 0.05, 0.27, 0.24), colour=(254, 196, 58), ink=None)
        pen.fill(oval(x - 0.12, y - 0.13, 0.1, 0.06, -35), colour=(255, 240, 190), ink=None)
        return
    shell = smooth(
        symmetric([(0, -0.95), (0.36, -0.72), (0.62, -0.2), (0.68, 0.3), (0.46, 0.76), (0, 0.92)])
    )
    pen.fill(shell, colour=darker(colour, 0.14))
    pen.fill(shell * [0.9, 0.93] + [-0.04, -0.04], colour=colour, ink=None)
    pen.fill(oval(-0.27, -0.32, 0.11, 0.25, 18), colour=lighter(colour, 0.85), ink=None)
    if rng.random() < 0.4:
        for x, y in rng.uniform(-0.42, 0.42, (14, 2)):
            pen.fill(oval(x, y + 0.15, 0.025, 0.025), colour=darker(colour, 0.35), ink=None)


def cake(pen: Pen, colour: Colour, rng: np.random.Generator) -> None:
    """A layer cake with icing of `colour` and candles."""
    sponge: Colour = (232, 184, 112) if rng.random() < 0.5 else (150, 96, 62)
    pen.fill(oval(0, 0.74, 0.92, 0.17), colour=(226, 231, 239))
    body = np.concatenate([oval(0, -0.05, 0.7, 0.2)[20:], oval(0, 0.66, 0.7, 0.2)[:20]])
    pen.fill(body, colour=sponge)
    pen.line(
        smooth([(-0.63, 0.44), (-0.3, 0.55), (0.3, 0.55), (0.63, 0.44)], closed=False),
        lighter(colour, 0.5),
        0.1,
    )
    drops = [(-0.7, -0.05), (-0.7, 0.14), (-0.56, 0.3), (-0.42, 0.2), (-0.26, 0.42), (-0.1, 0.26)]
    drops += [(0.08, 0.4), (0.26, 0.25), (0.42, 0.38), (0.56, 0.16), (0.7, 0.18), (0.7, -0.05)]
    icing = np.concatenate([oval(0, -0.05, 0.7, 0.2)[20:], smooth(drops, closed=False)[::-1]])
    pen.fill(icing, colour=colour)
    pen.fill(oval(0, -0.05, 0.6, 0.13), colour=lighter(colour, 0.3), ink=None)
    for x, y in ((-0.32, -0.06), (0.0, -0.02), (0.32, -0.06)):
        pen.fill(box(x - 0.05, y - 0.45, x + 0.05, y, 0.02), colour=(248, 246, 250), width=0.035)
        pen.fill(
            oval(x, y - 0.58, 0.06, 0.11), colour=(252, 180, 50), ink=(222, 96, 30), width=0.035
        )
    pen.fill(oval(-0.16, 0.03, 0.07, 0.06), colour=(208, 40, 60), width=0.03)
    pen.fill(oval(0.18, 0.03, 0.07, 0.06), colour=(208, 40, 60), width=0.03)


def apple(pen: Pen, colour: Colour, rng: np.random.Generator) -> None:
    """An apple with a stem and a leaf."""
    skin = smooth(
        symmetric(
            [(0, -0.42), (0.3, -0.56), (0.68, -0.4), (0.8, 0), (0.66, 0.5), (0.34, 0.84), (0, 0.78)]
        )
    )
    pen.fill(skin, colour=darker(colour, 0.16))
    pen.fill(skin * [0.88, 0.9] + [-0.06, -0.01], colour=colour, ink=None)
    pen.fill(oval(-0.42, -0.12, 0.12, 0.24, 18), colour=lighter(colour, 0.65), ink=None)
    pen.line(smooth([(0, -0.36), (0.02, -0.62), (0.1, -0.86)], closed=False), TRUNK, 0.1)
    pen.fill(smooth([(0.08, -0.62), (0.26, -0.88), (0.58, -0.86), (0.4, -0.62)]), colour=LEAF)
    pen.line([(0.16, -0.66), (0.44, -0.8)], darker(LEAF, 0.3), 0.035)


def banana(pen: Pen, colour: Colour, rng: np.random.Generator) -> None:
    """A banana, bent like a smile."""
    peel = smooth(
        [
            (-0.9, -0.46),
            (-0.8, -0.5),
            (-0.66, -0.16),
            (-0.34, 0.1),
            (0.08, 0.14),
            (0.5, -0.06),
            (0.74, -0.38),
            (0.78, -0.6),
            (0.9, -0.6),
            (0.94, -0.34),
            (0.8, 0.1),
            (0.48, 0.44),
            (0.06, 0.58),
            (-0.4, 0.5),
            (-0.74, 0.18),
            (-0.92, -0.3),
        ]
    )
    pen.fill(peel, colour=colour)
    fold = smooth(
        [(-0.8, -0.2), (-0.46, 0.26), (0.04, 0.38), (0.5, 0.2), (0.84, -0.3)], closed=False
    )
    pen.line(fold, darker(colour, 0.3), 0.045)
    pen.line(
        smooth([(-0.5, 0.1), (-0.2, 0.22), (0.1, 0.24)], closed=False), lighter(colour, 0.6), 0.06
    )
    pen.fill(box(0.76, -0.72, 0.92, -0.54, 0.03), colour=TRUNK)
    pen.fill(oval(-0.88, -0.46, 0.07, 0.07), colour=darker(TRUNK, 0.3), ink=None)


def carrot(pen: Pen, colour: Colour, rng: np.random.Generator) -> None:
    """A carrot, its point down, with green leaves."""
    for x, lean in ((-0.12, -0.34), (0.12, 0.34), (0.0, 0.0)):
        leaf = [(x, -0.34), (x + lean - 0.12, -0.7), (x + lean, -0.99), (x + lean + 0.12, -0.7)]
        pen.fill(smooth(leaf), colour=LEAF)
    root = smooth(
        symmetric([(0, -0.46), (0.24, -0.44), (0.34, -0.22), (0.22, 0.3), (0.06, 0.9), (0, 0.98)])
    )
    pen.fill(root, colour=colour)
    for x0, x1, y in (
        (-0.3, -0.08, -0.16),
        (0.06, 0.24, 0.06),
        (-0.22, -0.05, 0.26),
        (0, 0.13, 0.5),
    ):
        pen.line([(x0, y), (x1, y + 0.03)], darker(colour, 0.32), 0.045)
    pen.fill(oval(-0.14, -0.32, 0.09, 0.04), colour=lighter(colour, 0.55), ink=None)


def mushroom(pen: Pen, colour: Colour, rng: np.random.Generator) -> None:
    """A mushroom with a spotted cap."""
    stem = smooth(
        [
            (-0.22, -0.1),
            (0.22, -0.1),
            (0.24, 0.4),
            (0.34, 0.86),
            (0, 0.94),
            (-0.34, 0.86),
            (-0.24, 0.4),
        ]
    )
    pen.fill(stem, colour=(244, 232, 208))
    pen.fill(
        smooth([(0.06, 0.06), (0.18, 0.06), (0.2, 0.5), (0.24, 0.84), (0.1, 0.86)]),
        colour=(222, 204, 174),
        ink=None,
    )
    cap = smooth(
        symmetric([(0, -0.9), (0.44, -0.8), (0.8, -0.42), (0.9, 0.02), (0.5, 0.16), (0, 0.2)])
    )
    pen.fill(cap, colour=colour)
    dots = ((-0.5, -0.3, 0.15), (0.02, -0.56, 0.17), (0.5, -0.26, 0.13), (0.0, -0.08, 0.1))
    for x, y, r in dots:
        pen.fill(oval(x, y, r, r * 0.85), colour=WHITE, ink=None)
