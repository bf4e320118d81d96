"""Whether torch.compile makes the tower faster. It comes last, because compiling takes a while."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch

from benchmarks.inputs import prepare_clip
from benchmarks.on_gpu.figures import Figure, Setting
from benchmarks.on_gpu.scoring import seconds_on_card
from spark_keyframes.module import ClipModule

_BATCH = 512


def measure(setting: Setting) -> Iterator[Figure]:
    """Compile the vision model in float16, and run it."""
    if not setting.on_gpu:
        yield Figure("the tower alone, torch.compile", "no card")
        return
    folder = prepare_clip(setting.cache)
    module = ClipModule(model_path=str(folder.parent), clip_model_name=folder.name, dtype="float16")
    module.setup(setting.device)
    clip, side = module.clip, module.clip.preprocessor.crop
    model = copy.deepcopy(clip._model.vision_model).half()
    compile_it: Any = torch.compile  # untyped
    compiled = compile_it(model)
    pixels = torch.randint(0, 256, (_BATCH, 3, side, side), dtype=torch.uint8)
    with torch.inference_mode():
        normal = clip.preprocessor.normalise(pixels.to(setting.device)).half()
        rate = _BATCH / seconds_on_card(lambda: compiled(pixel_values=normal))
        plain = _BATCH / seconds_on_card(lambda: model(pixel_values=normal))
    yield Figure("the tower alone, torch.compile", rate, "images/s", note="without normalising")
    yield Figure("the tower alone, not compiled", plain, "images/s", note="without normalising")
