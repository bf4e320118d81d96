"""Makes the drawings for training and testing, each from its own seed."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from spark_keyframes.demo.drawing.objects import KINDS
from spark_keyframes.demo.scene import Scene, random_scene, snapshot, snapshots

TRAIN, VALIDATION, EVALUATION, TESTS = range(4)
"""First part of every seed: drawings of different purposes never have the same seed."""


@dataclass(frozen=True)
class Drawings:
    """Square drawings and their scenes."""

    pixels: NDArray[np.uint8]
    """RGB, shape (count, side, side, 3)."""
    scenes: list[Scene]


@dataclass(frozen=True)
class Trial:
    """A video of several scenes, each with another object, and the object to find."""

    wanted: str
    scenes: list[Scene]
    frames: list[Image.Image]
    """candidate frames in the order of the video"""
    shown: list[str]
    """The object in each frame."""


def draw_dataset(count: int, purpose: int, *, side: int = 96, processes: int = 2) -> Drawings:
    """Draw `count` scenes, cropped to the middle square, each object equally often."""
    # Forking after torch has started threads may hang.
    context = multiprocessing.get_context("spawn")
    jobs = [(purpose, i, side) for i in range(count)]
    with context.Pool(processes) as pool:
        drawn = pool.starmap(_draw, jobs, chunksize=256)
    return Drawings(np.stack([pixels for pixels, _ in drawn]), [scene for _, scene in drawn])


def draw_trials(
    count: int,
    purpose: int,
    *,
    scenes: int = 5,
    frames_per_scene: int = 2,
    height: int = 360,
) -> Iterator[Trial]:
    """Draw candidate frames of `count` short videos in 16:9, each with an object to find."""
    for i in range(count):
        rng = np.random.default_rng([purpose, 1, i])
        names = [str(name) for name in rng.choice(list(KINDS), scenes, replace=False)]
        video = [
            random_scene(rng, name, start=4.0 * k, end=4.0 * (k + 1))
            for k, name in enumerate(names)
        ]
        frames = [
            frame
            for scene in video
            for frame in snapshots(scene, rng.uniform(0, 1, frames_per_scene).tolist(), height, rng)
        ]
        shown = [scene.object for scene in video for _ in range(frames_per_scene)]
        yield Trial(str(rng.choice(names)), video, frames, shown)


def _draw(purpose: int, index: int, side: int) -> tuple[NDArray[np.uint8], Scene]:
    rng = np.random.default_rng([purpose, 0, index])
    names = list(KINDS)
    scene = random_scene(rng, names[index % len(names)])
    return np.asarray(snapshot(scene, float(rng.uniform(0, 1)), side, rng, aspect=1.0)), scene
