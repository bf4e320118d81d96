"""Measures how well the tiny CLIP finds an object: `python -m spark_keyframes.demo.evaluate`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from spark_keyframes.demo.captions import ABSENT
from spark_keyframes.demo.dataset import EVALUATION, draw_trials
from spark_keyframes.demo.drawing.objects import KINDS
from spark_keyframes.demo.model import MODEL, MODELS


@dataclass(frozen=True)
class Retrieval:
    """The outcome of searching for one object in each of many videos."""

    found: int
    """Trials in which the highest-scored candidate shows the wanted object."""
    trials: int
    wanted: float
    """Mean score of frames that show the wanted object."""
    others: float
    """Mean score of the other frames of these videos."""
    missing: float
    """Mean score of all frames for drawable objects that are not in the video."""
    unknown: float
    """Mean score of all frames for things that are never drawn."""
    misses: list[str]
    """The wanted object and the one found instead, for each miss."""

    def lines(self) -> list[str]:
        """Return the result as text."""
        return [
            f"evaluation: the best candidate shows the wanted object in {self.found} of "
            f"{self.trials} unseen videos of 5 scenes",
            f"mean score: wanted {self.wanted:.2f}, other frames {self.others:.2f}, objects "
            f"not in the video {self.missing:.2f}, things never drawn {self.unknown:.2f}",
            f"misses (wanted > found): {', '.join(self.misses[:10]) or 'none'}",
        ]


class Scorer:
    """Computes cosine similarities with the code that jobs run, in float32 on the CPU."""

    def __init__(self, folder: Path) -> None:
        from spark_keyframes.clip import load_clip

        self._clip = load_clip(
            str(folder.parent), folder.name, device=torch.device("cpu"), dtype="float32"
        )

    def scores(self, pictures: Sequence[Image.Image], texts: Sequence[str]) -> NDArray[np.float32]:
        """Return scores of shape (pictures, texts)."""
        preprocess = self._clip.preprocessor.pixels
        pixels = torch.stack([preprocess(np.array(picture)) for picture in pictures])
        meant = torch.stack([self._clip.embed_text(text) for text in texts])
        return np.asarray(self._clip.embed_images(pixels) @ meant.T)


def retrieval(folder: Path, trials: int, purpose: int, *, height: int = 360) -> Retrieval:
    """Search for one object among the candidate frames of each of many new videos."""
    scorer = Scorer(folder)
    texts = [*KINDS, *ABSENT[::4]]
    means: list[tuple[float, float, float, float]] = []
    misses = []
    for trial in draw_trials(trials, purpose, height=height):
        scores = scorer.scores(trial.frames, texts)
        column = scores[:, texts.index(trial.wanted)]
        best = trial.shown[int(column.argmax())]
        if best != trial.wanted:
            misses.append(f"{trial.wanted} > {best}")
        right = np.array([name == trial.wanted for name in trial.shown])
        elsewhere = [i for i, name in enumerate(KINDS) if name not in trial.shown]
        means.append(
            (
                float(column[right].mean()),
                float(column[~right].mean()),
                float(scores[:, elsewhere].mean()),
                float(scores[:, len(KINDS) :].mean()),
            )
        )
    wanted, others, missing, unknown = np.mean(means, axis=0).tolist()
    return Retrieval(trials - len(misses), trials, wanted, others, missing, unknown, misses)


def main(arguments: list[str] | None = None) -> None:
    """Print the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=MODELS / MODEL)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument(
        "--purpose", type=int, default=EVALUATION, help="first part of the seeds; see dataset.py"
    )
    options = parser.parse_args(arguments)
    for line in retrieval(options.folder, options.trials, options.purpose).lines():
        print(line)


if __name__ == "__main__":
    main()
