"""Compares scoring frames in production with the bare forward pass of CLIP.

    python -m benchmarks.score [--batches 4] [--rounds 5]

ViT-B/32 with random weights (speed does not depend on their values), frames of 224×224 uint8 in
batches of 16. "bare" is transformers' vision tower alone, on normalised tensors, in the same
precision; for bfloat16, under autocast. "scored" is the whole work for a batch in production:
stacking, normalisation, the forward pass and the similarity to its texts. The sides alternate in
one process; medians are reported.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable

import torch
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

from spark_keyframes.clip import Clip, Preprocessor, resolve_precision
from spark_keyframes.clip.families import family_of
from spark_keyframes.clip.precision import Precision
from spark_keyframes.demo import MODEL, MODELS

BATCH = 16
CPU = torch.device("cpu")
TOKENIZER = MODELS / MODEL


def vit_b_32(precision: Precision) -> tuple[Clip, CLIPModel]:
    """Return the model as production uses it, and as transformers loads it."""
    tokenizer = CLIPTokenizer.from_pretrained(TOKENIZER)
    text = {"eos_token_id": tokenizer.eos_token_id, "bos_token_id": tokenizer.bos_token_id}
    model = CLIPModel(CLIPConfig(text_config=text)).eval().requires_grad_(False)
    mean, std = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
    preprocessor = Preprocessor(224, 224, mean, std)
    family = family_of({}, "random")
    return Clip(copy.deepcopy(model), tokenizer, preprocessor, precision, family), model


def seconds(action: Callable[[], object]) -> float:
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def compare(precision: Precision, batches: int, rounds: int) -> None:
    clip, model = vit_b_32(precision)
    frames = [torch.randint(0, 256, (3, 224, 224), dtype=torch.uint8) for _ in range(BATCH)]
    normal = clip.preprocessor.normalise(torch.stack(frames))
    half = precision == "bfloat16"
    text = clip.embed_text("a spoon")

    def scored() -> None:
        for _ in range(batches):
            (clip.embed_images(torch.stack(frames)) * text).sum(dim=1).numpy()

    def bare() -> None:
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=half):
            for _ in range(batches):
                model.vision_model(pixel_values=normal)

    scored()
    bare()
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        times[0].append(seconds(scored))
        times[1].append(seconds(bare))
    ours, floor = (statistics.median(side) for side in times)
    images = batches * BATCH
    print(
        f"{precision:18} {images / floor:10.1f} {images / ours:10.1f} {floor / ours:7.2f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--batches", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    print(f"{torch.get_num_threads()} threads, torch {torch.__version__}; images per second")
    print(f"{'ViT-B/32':18} {'bare':>10} {'scored':>10} {'ratio':>7}")
    precisions: list[Precision] = ["float32", resolve_precision("float16", CPU)]
    for precision in dict.fromkeys(precisions):
        compare(precision, options.batches, options.rounds)


if __name__ == "__main__":
    main()
