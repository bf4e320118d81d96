"""Draws the candidates of a planned video, and embeds them with the tiny CLIP."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from itertools import groupby, islice
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from benchmarks.choice.videos import Video
from spark_keyframes.demo import MODELS
from spark_keyframes.demo.scene import snapshots
from spark_keyframes.module import ClipModule

Floats = npt.NDArray[np.float32]

HEIGHT = 90
"""Of the drawn frames, in pixels; they are 160 wide."""
_BATCH = 64


def load_model() -> ClipModule:
    """Return the tiny CLIP, ready, in float32 on the CPU."""
    module = ClipModule(model_path=str(MODELS), clip_model_name="tiny_clip", dtype="float32")
    module.setup(torch.device("cpu"))
    return module


def kept_embeddings(
    module: ClipModule, video: Video, folder: Path, times: Sequence[float] | None = None
) -> Floats:
    """Return the embeddings of a video's frames, from a file in `folder` if it has them.

    Args:
        module: ready.
        video: the plan.
        folder: which keeps them.
        times: of the frames, increasing; None: of the candidates.
    """
    key = repr(video) if times is None else f"{video!r} {list(times)!r}"
    path = folder / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.npy"
    if not path.exists():
        part = path.with_suffix(f".{os.getpid()}.npy")
        np.save(part, embed_frames(module, video, video.times if times is None else times))
        part.rename(path)
    rows: Floats = np.load(path)
    return rows


def embed_frames(module: ClipModule, video: Video, times: Sequence[float]) -> Floats:
    """Return the embeddings of a video's frames, shape (N, D), by the code that jobs run.

    The frames are drawn at these times, and not encoded.
    """
    frames = draw_frames(video, times)
    parts = []
    while batch := list(islice(frames, _BATCH)):
        inputs = [module.preprocess(np.array(frame)) for frame in batch]
        parts.append(module.unit_embeddings(inputs).cpu().numpy())
    return np.concatenate(parts)


def embed_texts(module: ClipModule, texts: Sequence[str]) -> dict[str, Floats]:
    """Return the embedding of each text, shape (D,)."""
    return {text: row.cpu().numpy() for text, row in module.unit_texts(texts).items()}


def draw_frames(video: Video, times: Sequence[float]) -> Iterator[Image.Image]:
    """Yield the frames at these times, which increase."""
    rng = np.random.default_rng(video.scenes[0].seed)  # generates the noise
    for number, of_shot in groupby(times, video.shot_at):
        scene = video.scenes[number]
        progress = [(time - scene.start) / (scene.end - scene.start) for time in of_shot]
        yield from snapshots(scene, progress, HEIGHT, rng)
