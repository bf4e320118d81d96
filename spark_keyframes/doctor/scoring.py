"""Scores drawn frames with a model, as the doctor's checks of models do."""

import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spark_keyframes.clip.loading import load_clip
from spark_keyframes.demo.cooking import cooking_scenes
from spark_keyframes.demo.scene import paint
from spark_keyframes.device import resolve_device
from spark_keyframes.doctor.options import Options

TEXTS = ("spoon", "clock")


@dataclass(frozen=True)
class Scored:
    """What a model made of a drawn spoon."""

    kind: str
    """The family of the model."""
    device: str
    precision: str
    seconds: float
    """To load it."""
    scores: tuple[float, ...]
    """Cosine similarities to each of TEXTS."""


def score(model_path: str, clip_model_name: str, options: Options) -> Scored:
    """Load a model, and compare the drawing of a spoon with both texts.

    Raises: as `load_clip`.
    """
    import torch

    device = resolve_device(rank=0, assigned=options.assigned_gpus)
    begin = time.monotonic()
    clip = load_clip(model_path, clip_model_name, device=device, dtype="float16")
    seconds = time.monotonic() - begin
    pixels = clip.preprocessor.pixels(drawn_spoon())
    image = clip.embed_images(torch.stack([pixels]))[0]
    scores = tuple(float(image @ clip.embed_text(text)) for text in TEXTS)
    return Scored(clip.family.name, str(device), clip.precision, seconds, scores)


def drawn_spoon() -> npt.NDArray[np.uint8]:
    """Return the drawing, H×W×3, uint8."""
    spoon = next(scene for scene in cooking_scenes(5) if scene.object == "spoon")
    return np.array(paint(spoon, 180), np.uint8)  # a copy, which torch may write to
