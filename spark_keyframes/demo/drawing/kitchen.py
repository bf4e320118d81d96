"""Draws tools and vessels of a kitchen."""

from __future__ import annotations

import math

import numpy as np

from spark_keyframes.demo.drawing.pen import (
    INK,
    Colour,
    Pen,
    box,
    darker,
    lighter,
    oval,
    smooth,
    symmetric,
)

STEEL: Colour = (203, 210, 220)
WOOD: Colour = (186, 128, 78)
WHITE: Colour = (252, 250, 244)


def spoon(pen: Pen, colour: Colour, rng: np.random.Generator) -> None:
    """A spoon seen from above, its bowl at the top."""
    handle = smooth(symmetric([(0, 0.98), (0.08, 0.93), (0.1, 0.72), (0.055, 0.2), (0.07, -0.3)]))
    bowl = smooth(symmetric([(0, -0.98), (0.25, -0.86), (0.34, -0.58), (0.24, -0.28), (0, -0.14)]))
    pen.fill(handle, bowl, colour=colour)
    pen.fill(oval(0, -0.58, 0.25, 0.33), colour=darker(colour, 0.22), ink=None)
    pen.fill(oval(0.03, -0.54, 0.19, 0.26), colour=darker(colour, 0.1), ink=None)
    pen.fill(oval(-0.11, -0.7, 0.05, 0.13, 20), colour=lighter(colour, 0.75), ink=None)
    pen.line([(-0.02, 0.15), (-0.035, 0.8)], lighter(colour, 0.6), 0.05)


def fork(pen: Pen, colour: Colour, rng: np.random.Generator) -> None:
    """A fork with four tines, seen from above."""
    handle = smooth(symmetric([(0, 0.98), (0.08, 0.93), (0.1, 0.72), (0.055, 0.2), (0.07, -0.25)]))
    palm = smooth(symmetric([(0, -0.12), (0.14, -0.16), (0.32, -0.36), (0.33, -0.62), (0, -0.58)]))
    tines = [box(x - 0.05, -0.98, x + 0.05, -0.45, 0.05) for x in (-0.28, -0.093, 0.093, 0.28)]
    pen.fill(handle, palm, *tines, colour=colour)
    pen.line(
        smooth([(-0.2, -0.42), (-0.08, -0.27), (0, -0.24)], closed=False),
        lighter(colour, 0.6),
        0.05,
    )
    pen.line([(-0.02, 0.15), (-0.035, 0.8)], lighter(colour, 0.6), 0.05)


def knife(pen: Pen, colour: Colour, rng: np.random.Generator) -> None:
    """A kitchen knife: a steel blade at the top, a coloured handle below."""
    blade = smooth(
        [
            (-0.16, 0.16),
            (-0.16, -0.4),
            (-0.14, -0.85),
            (-0.1, -0.98),
            (0.06, -0.74),
            (0.17, -0.4),
            (0.19, 0),
            (0.18, 0.16),
        ]
    )
    pen.fill(blade, colour=STEEL)
    pen.fill(
        smooth(
            [(0.07, 0.1), (0.08, -0.3), (-0.02, -0.75), (0.08, -0.55), (0.14, -0.25), (0.14, 0.1)]
        ),
        colour=lighter(STEEL, 0.75),
        ink=None,
    )
    pen.fill(box(-0.19, 0.12, 0.2, 0.24, 0.03), colour=darker(STEEL, 0.35))
    grip = smooth(
        [
            (-0.15, 0.24),
            (-0.13, 0.6),
            (-0.17, 0.9),
            (-0.05, 0.98),
            (0.12, 0.96),
            (0.17, 0.84),
            (0.12, 0.55),
            (0.15, 0.24),
        ]
    )
    pen.fill(grip, colour=colour)
    for y in (0.38, 0.6, 0.82):
        pen.fill(
            oval(0, y, 0.04, 0.04), colour=lighter(STEEL, 0.5), ink=darker(colour, 0.5), width=0.03
        )


def cup(pen: Pen, colour: Colour, rng: np.random.Generator) -> None:
    """A mug with a handle, a drink and steam."""
    ear = smooth(
        [(0.4, -0.2), (0.72, -0.28), (0.86, 0.05), (0.7, 0.38), (0.36, 0.46)], closed=False
    )
    pen.tube(ear, darker(colour, 0.12), 0.16)
    right = smooth([(0.58, -0.35), (0.54, 0.3), (0.44, 0.78)], closed=False)
    left = (right * [-1, 1])[::-1]
    rim, foot = oval(0, -0.35, 0.58, 0.16)[20:], oval(0, 0.78, 0.44, 0.14)[:20]
    body = np.concatenate([rim, right, foot, left])
    pen.fill(body, colour=colour)
    pen.fill(
        smooth([(0.3, -0.1), (0.5, -0.14), (0.47, 0.3), (0.36, 0.8), (0.2, 0.84), (0.3, 0.4)]),
        colour=darker(colour, 0.15),
        ink=None,
    )
    if rng.random() < 0.5:
        band = lighter(colour, 0.75) if sum(colour) < 600 else darker(colour, 0.4)
        pen.line(
            smooth([(-0.46, 0.19), (-0.2, 0.27), (0.2, 0.27), (0.46, 0.19)], closed=False),
            band,
            0.13,
        )
    pen.fill(oval(0, -0.35, 0.58, 0.16), colour=lighter(colour, 0.4))
    pen.fill(oval(0, -0.32, 0.47, 0.1), colour=(106, 62, 38), ink=None)
    pen.line([(-0.4, 0.0), (-0.33, 0.55)], lighter(colour, 0.6), 0.07)
    for x in (-0.22, 0.06, 0.32):
        steam = [(x, -0.57), (x + 0.05, -0.68), (x - 0.02, -0.81), (x + 0.04, -0.94)]
        pen.line(smooth(steam, closed=False), (238, 240, 245), 0.07)


def pan(pen: Pen, colour: Colour, rng: np.random.Generator) -> None:
    """A frying pan seen from a little above, its long handle to the right."""
    grip = WOOD if rng.random() < 0.5 else (58, 56, 64)
    pen.tube([(0.3, 0.1), (0.6, -0.14)], STEEL, 0.13)
    pen.tube([(0.58, -0.12), (0.92, -0.38)], grip, 0.19)
    pen.fill(oval(0.9, -0.365, 0.03, 0.03), colour=lighter(grip, 0.6), ink=None)
    side = np.concatenate([oval(-0.27, 0.1, 0.68, 0.43)[20:], oval(-0.27, 0.32, 0.58, 0.36)[:20]])
    pen.fill(side, colour=darker(colour, 0.25))
    pen.fill(oval(-0.27, 0.1, 0.68, 0.43), colour=lighter(colour, 0.25))
    pen.fill(oval(-0.27, 0.13, 0.58, 0.35), colour=(66, 64, 72), ink=None)
    pen.fill(oval(-0.27, 0.18, 0.52, 0.29), colour=(84, 82, 92), ink=None)
    pen.line(
        smooth([(-0.68, 0.12), (-0.6, -0.02), (-0.42, -0.11)], closed=False), (150, 150, 160), 0.05
    )
    pen.line(
        smooth([(-0.74, 0.49), (-0.6, 0.58), (-0.42, 0.63)], closed=False),
        lighter(colour, 0.2),
        0.05,
    )


def pot(pen: Pen, colour: Colour, rng: np.random.Generator) -> None:
    """A cooking pot with two ears and a lid."""
    for side in (-1, 1):
        ear = [(side * x, y) for x, y in ((0.62, -0.02), (0.9, -0.04), (0.9, 0.2), (0.62, 0.2))]
        pen.tube(smooth(ear, closed=False), darker(colour, 0.35), 0.12)
    pen.fill(box(-0.68, -0.2, 0.68, 0.8, 0.2), colour=colour)
    pen.fill(box(0.38, -0.12, 0.62, 0.72, 0.12), colour=darker(colour, 0.16), ink=None)
    pen.fill(box(-0.56, -0.02, -0.42, 0.64, 0.07), colour=lighter(colour, 0.55), ink=None)
    lid = smooth([(-0.72, -0.24), (-0.5, -0.5), (0, -0.62), (0.5, -0.5), (0.72, -0.24), (0, -0.2)])
    pen.fill(lid, colour=lighter(colour, 0.22))
    pen.fill(box(-0.76, -0.28, 0.76, -0.14, 0.07), colour=STEEL)
    pen.line(smooth([(-0.5, -0.36), (-0.34, -0.45), (-0.16, -0.5)], closed=False), WHITE, 0.05)
    pen.fill(oval(0, -0.7, 0.13, 0.11), colour=darker(colour, 0.45))


def bottle(pen: Pen, colour: Colour, rng: np.random.Generator) -> None:
    """A bottle with a cap and a label."""
    glass = smooth(
        symmetric([(0.26, 0.95), (0.36, 0.8), (0.36, 0), (0.3, -0.28), (0.13, -0.5), (0.12, -0.78)])
    )
    pen.fill(glass, colour=colour)
    pen.fill(box(0.2, -0.1, 0.31, 0.86, 0.06), colour=darker(colour, 0.2), ink=None)
    pen.fill(box(-0.36, 0.14, 0.36, 0.62), colour=(250, 240, 214), width=0.035)
    mark = lighter(colour, 0.1) if sum(colour) < 600 else (206, 70, 60)
    pen.fill(oval(0, 0.38, 0.15, 0.15), colour=mark, ink=None)
    pen.fill(box(-0.28, -0.16, -0.2, 0.1, 0.04), colour=lighter(colour, 0.7), ink=None)
    pen.fill(
        box(-0.17, -0.97, 0.17, -0.74, 0.05),
        colour=(196, 62, 54) if mark != (206, 70, 60) else (70, 90, 150),
    )


def clock(pen: Pen, colour: Colour, rng: np.random.Generator) -> None:
    """An alarm clock with two bells."""
    for side in (-1, 1):
        pen.tube([(side * 0.4, 0.66), (side * 0.56, 0.94)], darker(colour, 0.3), 0.13)
        pen.fill(oval(side * 0.46, -0.66, 0.28, 0.2, side * 35), colour=lighter(colour, 0.2))
    pen.tube([(0, -0.62), (0, -0.88)], (206, 212, 220), 0.11)
    pen.fill(oval(0, 0.1, 0.76, 0.76), colour=colour)
    pen.fill(oval(0, 0.1, 0.57, 0.57), colour=WHITE, width=0.04)
    for k in range(12):
        a = math.radians(30 * k)
        x, y = math.cos(a), math.sin(a)
        inner = 0.4 if k % 3 == 0 else 0.46
        pen.line([(inner * x, 0.1 + inner * y), (0.5 * x, 0.1 + 0.5 * y)], INK, 0.05)
    hour, minute = rng.uniform(0, 2 * math.pi, 2)
    pen.line([(0, 0.1), (0.24 * math.cos(hour), 0.1 + 0.24 * math.sin(hour))], INK, 0.09)
    pen.line([(0, 0.1), (0.38 * math.cos(minute), 0.1 + 0.38 * math.sin(minute))], INK, 0.06)
    pen.fill(oval(0, 0.1, 0.06, 0.06), colour=(216, 60, 54), ink=None)
