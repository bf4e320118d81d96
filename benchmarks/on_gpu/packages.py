"""Whether the package works with the machine's own versions of other packages."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import torch

import spark_keyframes
from benchmarks.on_gpu.figures import Figure, Setting
from spark_keyframes.clip import load_clip
from spark_keyframes.demo import MODEL, MODELS

_PICTURES = 64


def measure(setting: Setting) -> Iterator[Figure]:
    """Import all modules, and compute with a small model, here and on the CPU."""
    found, missing = 0, set()
    for module in pkgutil.walk_packages(spark_keyframes.__path__, "spark_keyframes."):
        if module.name.endswith("__main__"):
            continue
        try:
            importlib.import_module(module.name)
            found += 1
        except ImportError as error:
            if str(error.name).startswith("spark_keyframes"):
                raise
            missing.add(str(error.name).partition(".")[0])
    yield Figure("modules imported", found, note=f"without {', '.join(sorted(missing)) or 'none'}")

    exact = load_clip(str(MODELS), MODEL, device=torch.device("cpu"), dtype="float32")
    fast = load_clip(str(MODELS), MODEL, device=setting.device, dtype="float16")
    side = exact.preprocessor.crop
    torch.manual_seed(0)
    pixels = torch.randint(0, 256, (_PICTURES, 3, side, side), dtype=torch.uint8)
    text = exact.embed_text("a red spoon")
    wanted = exact.embed_images(pixels) @ text
    text_error = (fast.embed_text("a red spoon").cpu() - text).abs().max()
    yield Figure("tiny CLIP: text, off by", float(text_error), goal=("≤", 1e-4))
    for name, how, bound in (("half", False, 2e-3), ("exact", True, 1e-4)):
        scores = fast.embed_images(pixels.to(setting.device), exact=how).cpu() @ text
        off = float((scores - wanted).abs().max())
        yield Figure(f"tiny CLIP: scores, {name}, off by", off, goal=("≤", bound))
