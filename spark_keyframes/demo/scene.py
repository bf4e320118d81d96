"""Draws one scene: an object in a place, seen by a moving camera."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from spark_keyframes.demo.drawing.backgrounds import PLACES, Canvas, soften
from spark_keyframes.demo.drawing.objects import COLOURS, KINDS, draw_object
from spark_keyframes.demo.drawing.pen import Colour

MARGIN = 1.3
"""The canvas is this many times larger than the view, which leaves room for the camera to move."""


@dataclass(frozen=True)
class View:
    """The part of the canvas that the camera shows."""

    x: float
    """Distance of the view's centre to the right of the canvas' centre, in view heights."""
    y: float
    """Distance of the view's centre below the canvas' centre, in the same unit."""
    zoom: float
    """Magnification, at least 1."""


@dataclass(frozen=True)
class Scene:
    """An object in a place, shown for some seconds."""

    object: str
    """A name from spark_keyframes.demo.drawing.objects.KINDS."""
    colour: str
    """A name from spark_keyframes.demo.drawing.objects.COLOURS."""
    place: str
    """A name from spark_keyframes.demo.drawing.backgrounds.PLACES."""
    span: float
    """Size of the object, as a share of the view's height."""
    angle: float
    """Degrees the object is turned clockwise."""
    mirrored: bool
    first: View
    """Where the camera looks at the start."""
    last: View
    """Where the camera looks at the end."""
    noise: float
    """Standard deviation of the picture's noise, in grey levels of 255."""
    seed: int
    """Determines the details of the object and the place."""
    start: float = 0.0
    """Seconds from the beginning of the video."""
    end: float = 4.0
    """Seconds from the beginning of the video; the scene ends before this moment."""

    @property
    def caption(self) -> str:
        """The scene as a text."""
        article = "an" if self.colour[0] in "aeiou" else "a"
        return f"{article} {self.colour} {self.object} {PLACES[self.place].phrase}"


def random_scene(
    rng: np.random.Generator,
    name: str | None = None,
    *,
    colour: str | None = None,
    place: str | None = None,
    start: float = 0.0,
    end: float = 4.0,
) -> Scene:
    """Return a scene; `rng` chooses whatever is not given.

    The object stays inside the view's middle square, because CLIP sees no more of a wide frame.
    Sometimes its rim exceeds it.
    """
    name = name or str(rng.choice(list(KINDS)))
    kind = KINDS[name]
    if place is None:
        # A flat object, such as a fork, would hang in the air before a wall.
        places = [p for p, q in PLACES.items() if not (q.upright and kind.lean > 30)]
        place = str(rng.choice(places))
    span = float(rng.uniform(0.55, 0.82))
    zooms = rng.uniform(1.0, 1.18, 2)
    views = []
    for zoom in zooms:
        room = max(0.04, 0.5 / zoom - span * 0.46)
        x, y = rng.uniform(-1, 1, 2) * (min(0.14, room), min(0.1, room))
        views.append(View(float(x), float(y), float(zoom)))
    return Scene(
        object=name,
        colour=colour or str(rng.choice(kind.colours)),
        place=place,
        span=span,
        angle=float(rng.uniform(-kind.lean, kind.lean)) * (0.3 if PLACES[place].upright else 1.0),
        mirrored=bool(rng.random() < 0.5),
        first=views[0],
        last=views[1],
        noise=float(rng.uniform(1.5, 6.0)),
        seed=int(rng.integers(2**31)),
        start=start,
        end=end,
    )


def paint(scene: Scene, height: int, aspect: float = 16 / 9) -> Image.Image:
    """Paint the scene's canvas for a view of `height` pixels.

    Returns:
        RGB picture, MARGIN times as large as the view in both directions.
    """
    rng = np.random.default_rng(scene.seed)
    size = math.ceil(height * aspect * MARGIN), math.ceil(height * MARGIN)
    # Small pictures need more oversampling for smooth edges.
    sprite = draw_object(
        scene.object,
        round(scene.span * height * math.sqrt(2)),
        colour=_vary(COLOURS[scene.colour], rng),
        angle=scene.angle,
        mirrored=scene.mirrored,
        seed=scene.seed,
        oversample=3 if height < 200 else 2,
    )
    left, top = (size[0] - sprite.width) // 2, (size[1] - sprite.height) // 2
    drawn = sprite.getbbox() or (0, 0, 1, 1)
    floor = float(top + drawn[3])
    canvas = Canvas(
        picture=Image.new("RGB", size),
        unit=height,
        avoid=COLOURS[scene.colour],
        horizon=floor - height * float(rng.uniform(0.08, 0.2)),
        water=scene.object in ("boat", "fish"),
        rng=rng,
    )
    PLACES[scene.place].paint(canvas)
    picture = soften(canvas.picture, height)
    if PLACES[scene.place].upright:
        _stand(picture, (left + drawn[0], left + drawn[2]), floor, height)
    else:
        shift = round(height * 0.022)
        shadow = sprite.getchannel("A").point(lambda alpha: alpha * 0.36)
        shadow = shadow.filter(ImageFilter.BoxBlur(height * 0.012))
        picture.paste((36, 22, 48), (left + shift, top + shift), shadow)
    picture.paste(sprite, (left, top), sprite)
    return picture


def view_box(
    scene: Scene, progress: float, height: int, aspect: float = 16 / 9
) -> tuple[float, float, float, float]:
    """Return the camera's part of the canvas: left, top, right and bottom in pixels.

    Args:
        scene: The scene.
        progress: From 0 at the scene's start to 1 at its end.
        height: The height for which the canvas was painted.
        aspect: The aspect ratio for which it was painted.
    """
    eased = progress * progress * (3 - 2 * progress)
    first, last = scene.first, scene.last
    zoom = first.zoom + (last.zoom - first.zoom) * eased
    # Imitate a hand-held camera.
    shake = 0.004 * math.sin(23 * progress), 0.004 * math.sin(17 * progress + 1)
    x = first.x + (last.x - first.x) * eased + shake[0]
    y = first.y + (last.y - first.y) * eased + shake[1]
    canvas = math.ceil(height * aspect * MARGIN), math.ceil(height * MARGIN)
    half = height * aspect / zoom / 2, height / zoom / 2
    centre = (
        min(max(canvas[0] / 2 + x * height, half[0]), canvas[0] - half[0]),
        min(max(canvas[1] / 2 + y * height, half[1]), canvas[1] - half[1]),
    )
    return centre[0] - half[0], centre[1] - half[1], centre[0] + half[0], centre[1] + half[1]


def snapshots(
    scene: Scene,
    progresses: Sequence[float],
    height: int,
    rng: np.random.Generator,
    aspect: float = 16 / 9,
) -> list[Image.Image]:
    """Return frames of the scene as RGB pictures, with noise from `rng`.

    Args:
        scene: The scene.
        progresses: Moments, from 0 at the scene's start to 1 at its end.
        height: Of each frame, in pixels.
        rng: Generates the noise.
        aspect: Width / height of each frame.
    """
    canvas = paint(scene, height, aspect)
    frames = []
    for progress in progresses:
        picture = canvas.resize(
            (round(height * aspect), height),
            Image.Resampling.BILINEAR,
            box=view_box(scene, progress, height, aspect),
        )
        pixels = np.asarray(picture, dtype=np.float32)
        noise = rng.normal(0, scene.noise, pixels.shape[:2]).astype(np.float32)
        noisy = np.clip(pixels + noise[..., None], 0, 255).astype(np.uint8)
        frames.append(Image.fromarray(noisy))
    return frames


def snapshot(
    scene: Scene, progress: float, height: int, rng: np.random.Generator, aspect: float = 16 / 9
) -> Image.Image:
    """Return one frame of the scene, see `snapshots`."""
    return snapshots(scene, [progress], height, rng, aspect)[0]


def scene_at(scenes: Sequence[Scene], seconds: float) -> Scene:
    """Return the scene at a moment; after the end of the video, its last scene."""
    return next((scene for scene in scenes if seconds < scene.end), scenes[-1])


def _vary(colour: Colour, rng: np.random.Generator) -> Colour:
    r, g, b = (min(255, max(0, v + int(rng.integers(-16, 17)))) for v in colour)
    return r, g, b


def _stand(picture: Image.Image, across: tuple[int, int], floor: float, height: int) -> None:
    """Draw the shadow of an object that stands on a floor."""
    mask = Image.new("L", picture.size)
    thick = height * 0.035
    ImageDraw.Draw(mask).ellipse((across[0], floor - thick, across[1], floor + thick), fill=95)
    picture.paste(
        (36, 22, 48), (0, 0, *picture.size), mask.filter(ImageFilter.BoxBlur(height * 0.012))
    )
