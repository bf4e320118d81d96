"""Trains the tiny CLIP on drawings, in about 15 minutes on 2 cores.

`python -m spark_keyframes.demo.train_clip`

It writes spark_keyframes/demo/tiny_clip: weights, tokenizer, image processor and the training log.
"""

from __future__ import annotations

import argparse
import logging
import platform
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import transformers
from torch.nn import functional as nnf
from transformers import CLIPModel, CLIPTokenizer

from spark_keyframes.demo.captions import Caption, describe, describe_absent, vocabulary_texts
from spark_keyframes.demo.dataset import EVALUATION, TRAIN, VALIDATION, Drawings, draw_dataset
from spark_keyframes.demo.drawing.objects import KINDS
from spark_keyframes.demo.evaluate import retrieval
from spark_keyframes.demo.model import MODEL, MODELS
from spark_keyframes.demo.tiny_clip_model import (
    SIDE,
    WIDTH,
    build_model,
    build_processor,
    initialise_vision,
)
from spark_keyframes.demo.tokenizer import train_tokenizer

FOLDER = MODELS / MODEL
_log = logging.getLogger("spark_keyframes.demo.train_clip")


@dataclass(frozen=True)
class Recipe:
    """Settings of the training."""

    drawings: int = 32_000
    steps: int = 2_500
    batch: int = 64
    absent: int = 16
    """Captions per batch that fit no drawing; the model learns to score them low."""
    matrix_rate: float = 2e-3
    """Learning rate of Muon, for the encoders' matrices."""
    rate: float = 1e-3
    """Learning rate of AdamW, for everything else."""
    warm_up: int = 150
    decay: float = 0.45
    """Share of the steps, at the end, in which the learning rates decay to 0."""
    head_weight: float = 0.5
    seed: int = 0
    threads: int = 2


class Optimizers:
    """Muon for the matrices of the encoders' layers, AdamW for the rest, one schedule."""

    def __init__(self, model: CLIPModel, head: torch.nn.Module, recipe: Recipe) -> None:
        named = dict(model.named_parameters())
        matrices = [p for n, p in named.items() if "encoder.layers" in n and p.ndim == 2]
        chosen = {id(p) for p in matrices}
        others = [p for p in named.values() if id(p) not in chosen] + list(head.parameters())
        self._optimizers = [
            torch.optim.Muon(
                matrices,
                lr=recipe.matrix_rate,
                weight_decay=0.01,
                adjust_lr_fn="match_rms_adamw",
            ),
            torch.optim.AdamW(others, lr=recipe.rate, weight_decay=0.01, betas=(0.9, 0.98)),
        ]
        self._rates = [recipe.matrix_rate, recipe.rate]
        self._recipe = recipe

    def step(self, step: int) -> None:
        """Apply and clear the gradients of one step."""
        recipe = self._recipe
        rise = (step + 1) / recipe.warm_up
        fall = (recipe.steps - step) / (recipe.decay * recipe.steps)
        share = min(1.0, rise, fall)
        for optimizer, rate in zip(self._optimizers, self._rates, strict=True):
            for group in optimizer.param_groups:
                group["lr"] = rate * share
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)


class Batches:
    """Augmented pictures with captions."""

    def __init__(self, drawings: Drawings, tokenizer: CLIPTokenizer, recipe: Recipe) -> None:
        self._pixels = torch.from_numpy(drawings.pixels)
        self._scenes = drawings.scenes
        self._tokenizer = tokenizer
        self._recipe = recipe
        self._rng = np.random.default_rng(recipe.seed)
        self._order = np.empty(0, dtype=np.int64)
        processor = build_processor()
        self._mean = torch.tensor(processor.image_mean).view(1, 3, 1, 1)
        self._std = torch.tensor(processor.image_std).view(1, 3, 1, 1)

    def plain(self, indices: slice) -> torch.Tensor:
        """Return pictures as the processor would, shape (n, 3, SIDE, SIDE)."""
        pictures = self._pixels[indices].permute(0, 3, 1, 2).float() / 255
        pictures = nnf.interpolate(pictures, (SIDE, SIDE), mode="bicubic", antialias=True)
        return (pictures.clamp(0, 1) - self._mean) / self._std

    def draw(self) -> tuple[torch.Tensor, dict[str, torch.Tensor], torch.Tensor, torch.Tensor]:
        """Return pictures, tokens, fits of shape (pictures, captions), and object numbers."""
        size = self._recipe.batch
        if len(self._order) < size:
            self._order = self._rng.permutation(len(self._scenes))
        chosen, self._order = self._order[:size], self._order[size:]
        scenes = [self._scenes[i] for i in chosen]
        captions: list[Caption] = [describe(scene, self._rng) for scene in scenes]
        captions += [describe_absent(self._rng) for _ in range(self._recipe.absent)]
        tokens = self._tokenizer([c.text for c in captions], padding=True, return_tensors="pt")
        fits = torch.tensor([[c.fits(s) for c in captions] for s in scenes], dtype=torch.float32)
        names = list(KINDS)
        labels = torch.tensor([names.index(scene.object) for scene in scenes])
        return self._augment(self._pixels[chosen]), dict(tokens), fits, labels

    def _augment(self, pixels: torch.Tensor) -> torch.Tensor:
        count, side = len(pixels), pixels.shape[1]
        crop = int(self._rng.integers(side * 4 // 5, side + 1))
        corners = self._rng.integers(0, side - crop + 1, (count, 2))
        pictures = torch.stack(
            [p[y : y + crop, x : x + crop] for p, (y, x) in zip(pixels, corners, strict=True)]
        )
        pictures = pictures.permute(0, 3, 1, 2).float() / 255
        pictures = nnf.interpolate(pictures, (SIDE, SIDE), mode="bilinear", antialias=True)
        flipped = torch.from_numpy(self._rng.random(count) < 0.5).view(-1, 1, 1, 1)
        pictures = torch.where(flipped, pictures.flip(3), pictures)
        gain, shift = (
            torch.from_numpy(self._rng.uniform(low, high, (count, 1, 1, 1))).float()
            for low, high in ((0.75, 1.25), (-0.12, 0.12))
        )
        return ((pictures * gain + shift).clamp(0, 1) - self._mean) / self._std


def contrastive_loss(logits: torch.Tensor, fits: torch.Tensor) -> torch.Tensor:
    """Return CLIP's loss for captions that may fit several pictures, and the reverse.

    Args:
        logits: Scaled similarities, shape (pictures, captions).
        fits: 1 where the caption fits the picture, else 0; the same shape.
    """
    true = fits[:, fits.any(0)]
    by_picture = -(logits.log_softmax(1) * fits).sum(1) / fits.sum(1)
    by_caption = -(logits[:, fits.any(0)].log_softmax(0) * true).sum(0) / true.sum(0)
    return (by_picture.mean() + by_caption.mean()) / 2


def train(recipe: Recipe) -> tuple[CLIPModel, CLIPTokenizer]:
    """Draw, tokenize and train."""
    torch.manual_seed(recipe.seed)
    torch.set_num_threads(recipe.threads)
    started = time.monotonic()
    drawings = draw_dataset(recipe.drawings, TRAIN, processes=recipe.threads)
    validation = draw_dataset(1_000, VALIDATION, processes=recipe.threads)
    _log.info("drew %d pictures in %.0f s", recipe.drawings, time.monotonic() - started)
    tokenizer = train_tokenizer(vocabulary_texts(), merges=448)
    model = build_model(tokenizer).train()
    head = torch.nn.Linear(WIDTH, len(KINDS))
    count = sum(p.numel() for p in model.parameters())
    _log.info("%d weights, vocabulary of %d", count, len(tokenizer))
    batches = Batches(drawings, tokenizer, recipe)
    initialise_vision(model, batches.plain(slice(4_000)))
    optimizers = Optimizers(model, head, recipe)
    held_out = Batches(validation, tokenizer, recipe).plain(slice(None))
    truth = torch.tensor([list(KINDS).index(scene.object) for scene in validation.scenes])
    started, total = time.monotonic(), 0.0
    for step in range(recipe.steps):
        pictures, tokens, fits, labels = batches.draw()
        output = model(pixel_values=pictures, **tokens)
        loss = contrastive_loss(output.logits_per_image, fits)
        guess = head(output.vision_model_output.pooler_output)
        (loss + recipe.head_weight * nnf.cross_entropy(guess, labels)).backward()  # type: ignore[no-untyped-call]
        optimizers.step(step)
        with torch.no_grad():
            # Larger logit scales fit the training data better, but squeeze all cosines together.
            model.logit_scale.clamp_(max=float(np.log(30.0)))
        total += loss.item()
        if (step + 1) % 250 == 0 or step + 1 == recipe.steps:
            _log.info(
                "step %d loss %.4f validation accuracy %.3f logit scale %.1f, %.0f s",
                step + 1,
                total / (step % 250 + 1),
                accuracy(model, tokenizer, held_out, truth),
                model.logit_scale.exp().item(),
                time.monotonic() - started,
            )
            total = 0.0
    return model.eval(), tokenizer


@torch.no_grad()
def accuracy(
    model: CLIPModel, tokenizer: CLIPTokenizer, pictures: torch.Tensor, truth: torch.Tensor
) -> float:
    """Return the share of pictures whose object's word scores highest among all 20 words."""
    model.eval()
    tokens = tokenizer(list(KINDS), padding=True, return_tensors="pt")
    output = model(pixel_values=pictures, **tokens)
    model.train()
    return float((output.logits_per_image.argmax(1) == truth).float().mean())


def save(model: CLIPModel, tokenizer: CLIPTokenizer, folder: Path) -> None:
    """Write a folder for `from_pretrained`: half-precision weights that load as float32."""
    model.half().save_pretrained(folder)
    model.config.dtype = "float32"
    model.config.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    build_processor().save_pretrained(folder)


def main(arguments: list[str] | None = None) -> None:
    """Train, save and evaluate; write the log beside the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER, help="folder of the model")
    parser.add_argument("--drawings", type=int, default=Recipe.drawings)
    parser.add_argument("--steps", type=int, default=Recipe.steps)
    parser.add_argument("--matrix-rate", type=float, default=Recipe.matrix_rate)
    parser.add_argument("--rate", type=float, default=Recipe.rate)
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    _log.setLevel(logging.INFO)
    for handler in (
        logging.StreamHandler(),
        logging.FileHandler(options.folder / "training.log", mode="w", encoding="utf-8"),
    ):
        handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
        _log.addHandler(handler)
    recipe = Recipe(
        drawings=options.drawings,
        steps=options.steps,
        matrix_rate=options.matrix_rate,
        rate=options.rate,
    )
    _log.info("python -m spark_keyframes.demo.train_clip %s", " ".join(sys.argv[1:]))
    _log.info("%s", recipe)
    _log.info(
        "python %s, torch %s, transformers %s, numpy %s, %s threads on %s",
        platform.python_version(),
        torch.__version__,
        transformers.__version__,
        np.__version__,
        recipe.threads,
        torch.backends.cpu.get_cpu_capability(),
    )
    started = time.monotonic()
    model, tokenizer = train(recipe)
    save(model, tokenizer, options.folder)
    _log.info("trained and saved in %.0f s", time.monotonic() - started)
    for line in retrieval(options.folder, 100, EVALUATION).lines():
        _log.info("%s", line)


if __name__ == "__main__":
    main()
