"""What a user meets who asks for a GPU that is not there, or whose memory is too small."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from benchmarks.inputs import prepare_clip
from benchmarks.on_gpu.figures import Figure, Setting
from spark_keyframes.device import resolve_device
from spark_keyframes.errors import AcceleratorError
from spark_keyframes.module import ClipModule
from spark_keyframes.prediction import Predictor

_BATCH = 4096
_SPARE = 64 * 2**20  # bytes of the card that are left for a batch: far too few for 4096 pictures


def measure(setting: Setting) -> Iterator[Figure]:
    """Ask for a GPU that does not exist, and fill the memory of the one that does."""
    if not setting.on_gpu:
        yield Figure("faults of a card", "no card")
        return
    try:
        resolve_device(rank=99)
    except AcceleratorError as error:
        yield Figure("rank 99", "refused", note=str(error)[:80])
    else:
        yield Figure("rank 99", "NOT refused", goal=("=", 1.0))
    yield from _out_of_memory(setting)


def _out_of_memory(setting: Setting) -> Iterator[Figure]:
    folder = prepare_clip(setting.cache)
    module = ClipModule(model_path=str(folder.parent), clip_model_name=folder.name, dtype="float16")
    module.setup(setting.device)
    side = module.clip.preprocessor.crop
    pictures = [torch.randint(0, 256, (3, side, side), dtype=torch.uint8)] * _BATCH
    texts = [["a red spoon"]] * _BATCH
    few = Predictor(module, 16).begin(pictures[:16], texts[:16]).collect()
    torch.cuda.empty_cache()
    _, total = torch.cuda.mem_get_info(setting.device)
    most = (torch.cuda.memory_reserved(setting.device) + _SPARE) / total
    torch.cuda.set_per_process_memory_fraction(most, setting.device)
    try:
        predictor = Predictor(module, _BATCH)
        scores = predictor.begin(pictures, texts).collect()
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0, setting.device)
    off = max(abs(of[0] - few[0][0][0]) for of, _ in scores)
    note = f"batches of at most {predictor.most} after it"
    yield Figure("4,096 frames in too little memory: scores off by", off, "", ("≤", 2e-3), note)
