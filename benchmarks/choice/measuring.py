"""Lets every selector choose in every video, and keeps the marks."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.choice.embedding import embed_texts, kept_embeddings, load_model
from benchmarks.choice.marks import Floats, Marks, mark
from benchmarks.choice.settings import KS, SELECTORS, VARIANTS, make_choice
from benchmarks.choice.videos import EVENTS, Kind, Question, Video, plan
from spark_keyframes.module import ClipModule

NO_TEXT = Question("no text", "", ())
"""Asked of every selector with its defaults; only the pictures shown count."""

Key = tuple[str, str, int]
"""Name of the question, name of the setting, and k."""


@dataclass
class Measured:
    """The marks of all choices; row n of each list is of video n."""

    kinds: list[str] = field(default_factory=list)
    sizes: list[str] = field(default_factory=list)
    marks: dict[Key, list[Marks]] = field(default_factory=dict)
    separation: list[dict[str, float]] = field(default_factory=list)
    """Of each video, by question: the probability that a frame of an event scores higher than
    another frame of the same video, the area under the ROC curve."""
    cpu_seconds: dict[str, float] = field(default_factory=dict)
    """What drawing with embedding, and choosing took."""

    def values(
        self, key: Key, mark: str, *, kind: str | None = None, size: str | None = None
    ) -> Floats:
        """Return one mark of each video of this kind and size; None: of any."""
        rows = zip(self.marks[key], self.kinds, self.sizes, strict=True)
        return np.array(
            [getattr(m, mark) for m, k, s in rows if kind in (None, k) and size in (None, s)]
        )


def measure(kinds: Sequence[Kind], draws: int, seed: int, cache: Path) -> Measured:
    """Plan, draw and embed `draws` videos of each kind, and choose in them."""
    module = load_model()
    measured = Measured(cpu_seconds={"drawing": 0.0, "choosing": 0.0})
    for kind in kinds:
        for draw in range(draws):
            begin = time.process_time()
            video = plan(kind, seed, draw)
            embeddings = kept_embeddings(module, video, cache)
            drawn = time.process_time()
            _choose_all(measured, module, video, embeddings)
            measured.kinds.append(kind.name)
            measured.sizes.append(video.size)
            measured.cpu_seconds["drawing"] += drawn - begin
            measured.cpu_seconds["choosing"] += time.process_time() - drawn
            if draw % 10 == 9:
                print(f"{kind.name}: {draw + 1} of {draws}", file=sys.stderr, flush=True)
    return measured


def _choose_all(
    measured: Measured, module: ClipModule, video: Video, embeddings: npt.NDArray[np.float32]
) -> None:
    questions = [*video.questions, NO_TEXT]
    texts = embed_texts(module, [question.text for question in questions])
    measured.separation.append({})
    textless: dict[tuple[str, int], list[int]] = {}
    for question in questions:
        scores = embeddings @ texts[question.text]
        settings = SELECTORS if question is NO_TEXT else SELECTORS | VARIANTS
        if question is not NO_TEXT:
            measured.separation[-1][question.name] = _separation(video, question, scores)
        for name, k in product(settings, KS):
            choice = make_choice(settings[name], k)
            indices = textless.get((name, k))
            if indices is None:
                indices = choice.indices(
                    scores.astype(float), embeddings=list(embeddings), timestamps=video.times
                )
            if not choice.selector.reads_scores:
                textless[name, k] = indices
            row = measured.marks.setdefault((question.name, name, k), [])
            row.append(mark(video, question.events, indices))


def _separation(video: Video, question: Question, scores: npt.NDArray[np.float32]) -> float:
    times = np.array(video.times)
    of_event = np.any([(start <= times) & (times < end) for start, end in question.events], axis=0)
    higher = scores[of_event][:, None] > scores[~of_event]
    return float(higher.mean())


QUESTIONS = tuple(EVENTS)
