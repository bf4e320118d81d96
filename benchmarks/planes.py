"""Other ways from a decoded frame to CLIP's pixels: python -m benchmarks.planes

Each way resizes before it converts to RGB, which is less work. The script prints the CPU time
beside that of the engine (swscale to RGB, then torch's resize, of the centre only), how far pixels
differ, in grey levels, and how far float32 scores differ: of ViT-B/32 with random weights and of
the tiny CLIP that comes with the package. The frames are of the drawn cooking video and of noise,
in BT.709.

    torch, uint8     planes by torch's antialiased bicubic in uint8, then the matrix in float32
    torch, float32   the same in float32, rounded once, at the end
    Pillow           planes by Pillow's bicubic, only what the centre needs, then the matrix
    swscale          swscale resizes and converts in one step, with accurate rounding

Run it on one core: taskset -c 0 python -m benchmarks.planes
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
import numpy as np
import torch
from av.video.reformatter import Interpolation, VideoReformatter
from numpy.typing import NDArray
from PIL import Image

from benchmarks import inputs
from benchmarks.pixels import CENTRE, centre, picture, shared
from spark_keyframes.clip import Clip, load_clip
from spark_keyframes.demo import MODEL, MODELS
from spark_keyframes.demo.cooking import cooking_scenes
from spark_keyframes.demo.video import draw_video
from spark_keyframes.video import CentreCrop, Frame

TEXTS = ("spoon", "a photo of a dog")
KR, KB = 0.2126, 0.0722  # BT.709

Pixels = NDArray[np.uint8]


def planes(frame: av.VideoFrame) -> list[Pixels]:
    """Return views of Y, U and V."""
    found = []
    for plane in frame.planes:
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
        found.append(rows[:, : plane.width])
    return found


def in_rgb(y: torch.Tensor, u: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """Return 3×H×W uint8 of planes of limited range, in BT.709."""
    y, u, v = (y.float() - 16) / 219, (u.float() - 128) / 224, (v.float() - 128) / 224
    red, blue = y + (2 - 2 * KR) * v, y + (2 - 2 * KB) * u
    green = (y - KR * red - KB * blue) / (1 - KR - KB)
    return (torch.stack([red, green, blue]) * 255).round().clamp(0, 255).to(torch.uint8)


def by_torch(frame: av.VideoFrame, crop: CentreCrop, dtype: torch.dtype) -> torch.Tensor:
    size = crop.resized(frame.height, frame.width)
    top, left = crop.corner(frame.height, frame.width)
    resized = []
    for plane in planes(frame):
        image = torch.from_numpy(plane)[None, None].to(dtype)
        found = torch.nn.functional.interpolate(image, size=size, mode="bicubic", antialias=True)
        resized.append(found[0, 0, top : top + crop.side, left : left + crop.side])
    return in_rgb(*resized)


def by_pillow(frame: av.VideoFrame, crop: CentreCrop) -> torch.Tensor:
    size = np.array(crop.resized(frame.height, frame.width))
    corner = np.array(crop.corner(frame.height, frame.width))
    resized = []
    for plane in planes(frame):
        scale = plane.shape / size
        top, left = corner * scale
        bottom, right = (corner + crop.side) * scale
        image = Image.fromarray(plane).resize(
            (crop.side, crop.side), Image.Resampling.BICUBIC, box=(left, top, right, bottom)
        )
        resized.append(torch.from_numpy(np.array(image)))
    return in_rgb(*resized)


_scaler = VideoReformatter()


def by_swscale(frame: av.VideoFrame, crop: CentreCrop) -> torch.Tensor:
    height, width = crop.resized(frame.height, frame.width)
    top, left = crop.corner(frame.height, frame.width)
    rgb = _scaler.reformat(
        frame,
        width,
        height,
        format="rgb24",
        interpolation=Interpolation.BICUBIC | Interpolation.ACCURATE_RND,
        threads=1,
    ).to_ndarray()
    square = rgb[top : top + crop.side, left : left + crop.side]
    return torch.from_numpy(np.ascontiguousarray(square.transpose(2, 0, 1)))


WAYS: dict[str, Callable[[av.VideoFrame, CentreCrop], torch.Tensor]] = {
    "torch, uint8": partial(by_torch, dtype=torch.uint8),
    "torch, float32": partial(by_torch, dtype=torch.float32),
    "Pillow": by_pillow,
    "swscale": by_swscale,
}


def drawn(width: int, height: int) -> list[av.VideoFrame]:
    """Return eight frames of the drawn video, and one of noise."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "drawn.mp4"
        draw_video(path, cooking_scenes(5)[:2], size=(width, height), fps=5)
        with av.open(str(path)) as container:
            frames = list(islice(container.decode(video=0), 0, None, 4))[:8]
    frames.append(picture(height, width, "yuv420p"))
    for frame in frames:
        frame.colorspace, frame.color_range = 1, 1
    return frames


def similarities(clip: Clip, pixels: list[torch.Tensor]) -> torch.Tensor:
    texts = torch.stack([clip.embed_text(text) for text in TEXTS])
    return clip.embed_images(torch.stack(pixels)) @ texts.T


def differences(
    clip: Clip, frames: list[av.VideoFrame], way: Callable[[av.VideoFrame, CentreCrop], Any]
) -> tuple[int, float]:
    """Return the largest difference of pixels and of scores."""
    now = [clip.preprocessor.pixels(Frame(0, 0.0, frame).to_rgb()) for frame in frames]
    crop = clip.preprocessor.looks_at
    assert crop is not None, "a model that crops the centre"
    pixels = [way(frame, crop) for frame in frames]
    levels = (torch.stack(pixels).int() - torch.stack(now).int()).abs().max()
    scores = (similarities(clip, pixels) - similarities(clip, now)).abs().max()
    return int(levels), float(scores)


def in_the_centre(
    way: Callable[[av.VideoFrame, CentreCrop], torch.Tensor],
) -> Callable[[av.VideoFrame], torch.Tensor]:
    return lambda frame: way(frame, CENTRE)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--size", default="1920x1080")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cache", type=Path, default=inputs.CACHE)
    options = parser.parse_args()
    torch.set_num_threads(1)
    width, height = map(int, options.size.split("x"))
    frames, out = drawn(width, height), shared(height, width)
    folder = inputs.prepare_clip(options.cache)
    models = {
        "ViT-B/32": load_clip(str(folder.parent), folder.name, device=CPU, dtype="float32"),
        "tiny CLIP": load_clip(str(MODELS), MODEL, device=CPU, dtype="float32"),
    }
    sides: dict[str, Callable[[av.VideoFrame], object]] = {
        "engine": lambda frame: centre(frame, out),
        **{name: in_the_centre(way) for name, way in WAYS.items()},
    }
    times: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(options.rounds):
        for name, side in sides.items():
            begin = time.process_time()
            for frame in frames:
                side(frame)
            times[name].append(1000 * (time.process_time() - begin) / len(frames))
    medians = {name: statistics.median(found) for name, found in times.items()}
    print(f"{options.size}, {len(frames)} frames: CPU ms, ratio to the engine, largest differences")
    heads = "".join(f"{'levels':>10}{name:>12}" for name in models)
    print(f"{'':16}{'ms':>8}{'ratio':>8}{heads}\n{'engine':16}{medians['engine']:8.2f}")
    for name, way in WAYS.items():
        row = f"{name:16}{medians[name]:8.2f}{medians[name] / medians['engine']:8.2f}"
        for clip in models.values():
            levels, scores = differences(clip, frames, way)
            row += f"{levels:10}{scores:12.1e}"
        print(row, flush=True)


CPU = torch.device("cpu")

if __name__ == "__main__":
    main()
