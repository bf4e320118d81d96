"""Draws the demo video, one minute of cooking.

`python -m spark_keyframes.demo.cooking FOLDER` copies the demo's model to FOLDER/models too.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from spark_keyframes.demo.model import copy_model
from spark_keyframes.demo.scene import Scene, random_scene
from spark_keyframes.demo.video import draw_video, write_scene_list

# Object, colour, place, seconds. A spoon appears in each quarter of the minute, so that four
# keyframes spread over the video can all show one.
STORY: tuple[tuple[str, str, str, float], ...] = (
    ("clock", "red", "kitchen", 3.5),
    ("egg", "brown", "table", 3.5),
    ("spoon", "silver", "table", 4.0),
    ("pan", "black", "kitchen", 4.5),
    ("bottle", "green", "kitchen", 3.5),
    ("egg", "white", "board", 3.5),
    ("spoon", "brown", "cloth", 4.5),
    ("carrot", "orange", "board", 4.0),
    ("knife", "black", "board", 3.5),
    ("spoon", "red", "plain", 4.0),
    ("pot", "blue", "kitchen", 5.0),
    ("cup", "yellow", "kitchen", 4.5),
    ("spoon", "green", "board", 4.5),
    ("cake", "pink", "cloth", 7.5),
)


def draw_cooking_video(
    folder: Path, *, seed: int = 5, size: tuple[int, int] = (1280, 720), fps: int = 25
) -> tuple[Path, list[Scene]]:
    """Draw cooking.mp4, a minute long, and its scene list cooking.scenes.json into `folder`.

    The story is fixed; the seed varies the details: angles, camera, noise.

    Returns:
        The video's path and its scenes in order.
    """
    folder.mkdir(parents=True, exist_ok=True)
    scenes = cooking_scenes(seed)
    path = folder / "cooking.mp4"
    draw_video(path, scenes, size=size, fps=fps, seed=seed)
    write_scene_list(folder / "cooking.scenes.json", scenes)
    return path, scenes


def cooking_scenes(seed: int) -> list[Scene]:
    """Return the story's scenes, with details that depend on the seed."""
    rng = np.random.default_rng([seed, 60])
    scenes: list[Scene] = []
    start = 0.0
    for name, colour, place, seconds in STORY:
        end = start + seconds
        scenes.append(random_scene(rng, name, colour=colour, place=place, start=start, end=end))
        start = end
    return scenes


def main(arguments: list[str] | None = None) -> None:
    """Draw the video, and print its path and scenes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=5)
    options = parser.parse_args(arguments)
    path, scenes = draw_cooking_video(options.folder, seed=options.seed)
    copy_model(options.folder)
    print(path)
    for scene in scenes:
        print(f"{scene.start:5.1f} – {scene.end:4.1f} s  {scene.caption}")


if __name__ == "__main__":
    main()
