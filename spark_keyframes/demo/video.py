"""Draws scenes into an H.264 video, fast enough for tests.

Each scene is painted once. A frame is a resized crop of that canvas, in the encoder's YUV planes,
plus a crop of a tile of noise.
"""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from fractions import Fraction
from functools import partial
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from numpy.typing import NDArray
from PIL import Image

from spark_keyframes.demo.scene import Scene, paint, view_box

_Planes = tuple[Image.Image, Image.Image, Image.Image]
_Frame = NDArray[np.uint8]
"""A frame's Y, Cb and Cr, one after the other, shape (height · 3 / 2, width)."""


def draw_video(
    path: Path,
    scenes: Sequence[Scene],
    *,
    size: tuple[int, int] = (1280, 720),
    fps: int | Fraction = 25,
    seed: int = 0,
) -> None:
    """Draw `scenes`, one after the other, and encode them as H.264.

    Frame n shows the scene with start ≤ n / fps < end.

    Args:
        path: The file to write; its suffix chooses the container.
        scenes: In order. The first starts at 0, each other one where the one before ends.
        size: Width and height in pixels, both even.
        fps: Frames per second.
        seed: Determines the noise. The same arguments give the same pictures.
    """
    width, height = size
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(fps))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = 1 / Fraction(fps)
        stream.options = {"preset": "ultrafast", "crf": "30", "threads": "1"}
        context = stream.codec_context
        context.color_range = ColorRange.MPEG
        context.colorspace = Colorspace.ITU709
        context.color_primaries = ColorPrimaries.BT709
        context.color_trc = ColorTrc.BT709
        with ThreadPoolExecutor(2) as artists:
            drawn = _in_order(artists, _frames(scenes, size, Fraction(fps), seed))
            for number, planes in enumerate(drawn):
                frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
                frame.pts, frame.time_base = number, 1 / Fraction(fps)
                container.mux(stream.encode(frame))
        container.mux(stream.encode())


def write_scene_list(path: Path, scenes: Sequence[Scene]) -> None:
    """Write the scenes as a JSON list of start, end, object and caption."""
    rows = [
        {"start": s.start, "end": s.end, "object": s.object, "caption": s.caption} for s in scenes
    ]
    path.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def _frames(
    scenes: Sequence[Scene], size: tuple[int, int], fps: Fraction, seed: int
) -> Iterator[Callable[[], _Frame]]:
    """Return the functions that draw the frames, in order."""
    width, height = size
    aspect = width / height
    rng = np.random.default_rng(seed)
    tile = np.clip(rng.standard_normal((height + 97, width + 89), np.float32), -3, 3)
    number = 0
    for scene in scenes:
        planes = _to_planes(paint(scene, height, aspect))
        noise = np.rint(tile * scene.noise).astype(np.int8).view(np.uint8)
        while number / fps < scene.end:
            progress = (float(number / fps) - scene.start) / (scene.end - scene.start)
            box = view_box(scene, min(max(progress, 0.0), 1.0), height, aspect)
            y, x = int(rng.integers(97)), int(rng.integers(89))
            yield partial(_draw_frame, planes, box, noise[y : y + height, x : x + width])
            number += 1


def _draw_frame(
    planes: _Planes, box: tuple[float, float, float, float], noise: NDArray[np.uint8]
) -> _Frame:
    height, width = noise.shape
    luma, *chroma = (
        np.asarray(
            plane.resize(
                (width // part, height // part),
                Image.Resampling.BILINEAR,
                box=(box[0] / part, box[1] / part, box[2] / part, box[3] / part),
            )
        )
        for plane, part in zip(planes, (1, 2, 2), strict=True)
    )
    # Luma is clipped to 24–230, so adding the noise never overflows a byte.
    luma = luma + noise
    return np.concatenate([luma.ravel(), *(c.ravel() for c in chroma)]).reshape(-1, width)


def _in_order(
    executor: ThreadPoolExecutor, jobs: Iterator[Callable[[], _Frame]]
) -> Iterator[_Frame]:
    """Yield the jobs' results in order, with only a few ahead: a video would not fit in memory."""
    running: deque[Future[_Frame]] = deque()
    for job in jobs:
        running.append(executor.submit(job))
        if len(running) > 4:
            yield running.popleft().result()
    while running:
        yield running.popleft().result()


def _to_planes(picture: Image.Image) -> _Planes:
    """Convert RGB to BT.709 Y, Cb and Cr in limited range, the latter two at half the size."""
    width, height = (math.ceil(side / 2) * 2 for side in picture.size)
    rgb = np.asarray(
        picture.resize((width, height)) if picture.size != (width, height) else picture
    )
    red, green, blue = (rgb[..., i].astype(np.float32) / 255 for i in range(3))
    luma = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    half = (height // 2, 2, width // 2, 2)
    chroma = (
        ((colour - luma) / scale).reshape(half).mean((1, 3))
        for colour, scale in ((blue, 1.8556), (red, 1.5748))
    )
    cb, cr = (Image.fromarray(np.rint(128 + 224 * c).astype(np.uint8)) for c in chroma)
    return Image.fromarray(np.clip(16 + 219 * luma, 24, 230).astype(np.uint8)), cb, cr
