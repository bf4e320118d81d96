"""How fast ViT-B/32 scores pictures that lie in host memory, and how busy the card is.

A CUDA graph starts all kernels of a batch at once. So its time is that of the card alone, and the
share of it in the time of scoring is how busy the card was.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch

from benchmarks.inputs import prepare_clip
from benchmarks.on_gpu.figures import Figure, Setting
from spark_keyframes.clip import Clip
from spark_keyframes.module import ClipModule
from spark_keyframes.prediction import Prediction, Predictor

_BATCHES = (64, 128, 256, 512, 1024)
_SECONDS = 3.0
_TEXT = "a red spoon on a wooden table"


def measure(setting: Setting) -> Iterator[Figure]:
    """Score as the engine does, for each size of a batch; then variants that might be faster."""
    folder = prepare_clip(setting.cache)
    module = ClipModule(model_path=str(folder.parent), clip_model_name=folder.name, dtype="float16")
    module.setup(setting.device)
    best, rates = 0, dict[int, float]()
    for batch in setting.while_time(_BATCHES if setting.on_gpu else (4,), "scoring in batches of"):
        rates[batch] = _rate(module, batch, setting)
        yield Figure(f"scoring in batches of {batch}", rates[batch], "images/s")
        best = max(rates, key=rates.__getitem__)
    if not rates:
        return
    yield Figure(
        f"scoring, the fastest (batches of {best})",
        rates[best],
        "images/s",
        ("≥", 25_000) if setting.on_gpu else None,
        "goal of an H200",
    )
    if setting.on_gpu:
        yield from _on_card(module, best, rates[best])


def _rate(module: ClipModule, batch: int, setting: Setting) -> float:
    """Return images per second, from uint8 in host memory to scores, two batches in flight."""
    predictor = Predictor(module, batch)
    side = module.clip.preprocessor.crop
    pictures = [torch.randint(0, 256, (3, side, side), dtype=torch.uint8) for _ in range(2 * batch)]
    halves = pictures[:batch], pictures[batch:]
    texts = [[_TEXT]] * batch
    for half in halves:
        predictor.begin(half, texts).collect()
    count, before = 0, None
    seconds = _SECONDS if setting.on_gpu else 0.0
    began = time.perf_counter()
    while time.perf_counter() - began < seconds or count < 2:
        begun: Prediction = predictor.begin(halves[count % 2], texts)
        if before is not None:
            before.collect()
        before, count = begun, count + 1
    if before is not None:
        before.collect()
    return count * batch / (time.perf_counter() - began)


def _on_card(module: ClipModule, batch: int, rate: float) -> Iterator[Figure]:
    """Measure the parts of scoring in batches of the fastest size, which has this rate."""
    clip, side = module.clip, module.clip.preprocessor.crop
    pixels = torch.randint(0, 256, (batch, 3, side, side), dtype=torch.uint8)
    on_card = pixels.to(module.clip.device)
    eager = batch / seconds_on_card(lambda: clip.embed_images(on_card))
    yield Figure(f"the tower alone, batches of {batch}, pixels on the card", eager, "images/s")
    try:
        alone = batch / seconds_on_card(_graph(clip, on_card))
    except RuntimeError as error:
        yield Figure("the tower alone, CUDA graph", "failed", note=str(error)[:80])
    else:
        yield Figure("the tower alone, CUDA graph", alone, "images/s")
        yield Figure("card busy while scoring", 100 * rate / alone, "%", ("≥", 90))
    exact = batch / seconds_on_card(lambda: clip.embed_images(on_card, exact=True))
    yield Figure("the tower alone, in float32", exact, "images/s", note="the second look")
    for name, memory in (("page-locked", pixels.pin_memory()), ("pageable", pixels)):
        seconds = seconds_on_card(partial(memory.to, clip.device, non_blocking=True))
        yield Figure(f"copying pictures, {name}", pixels.nbytes / seconds / 1e9, "GB/s")
    pictures = list(pixels)
    began = time.perf_counter()
    for _ in range(10):
        clip.uploader.stacked(pictures)
    seconds = (time.perf_counter() - began) / 10
    yield Figure("putting a batch together and copying it", pixels.nbytes / seconds / 1e9, "GB/s")


def seconds_on_card(step: Callable[[], object], least: float = 1.0) -> float:
    """Return the card's seconds for a step, by its own clock."""
    for _ in range(3):
        step()
    torch.cuda.synchronize()
    count, began = 0, time.perf_counter()
    make: Any = torch.cuda.Event  # untyped
    first, last = make(enable_timing=True), make(enable_timing=True)
    first.record()
    while time.perf_counter() - began < least or count < 5:
        step()
        count += 1
        if count % 8 == 0:
            torch.cuda.synchronize()
    last.record()
    torch.cuda.synchronize()
    return float(first.elapsed_time(last)) / 1000 / count


def _graph(clip: Clip, pixels: torch.Tensor) -> Callable[[], object]:
    with torch.inference_mode():
        make: Any = torch.cuda.Stream  # untyped
        stream = make()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                clip.embed_images(pixels)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            clip.embed_images(pixels)
    return graph.replay
