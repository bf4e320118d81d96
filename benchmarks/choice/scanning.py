"""Scans drawn videos coarsely, and compares the choices with those of an exhaustive scan.

Where the keyframes of the codec are is planned, not encoded. Their frames are drawn, embedded and
scored as candidates are.
"""

from __future__ import annotations

import sys
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise, product
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.choice.embedding import embed_texts, kept_embeddings, load_model
from benchmarks.choice.settings import make_choice
from benchmarks.choice.videos import KINDS, Question, Video, plan
from spark_keyframes.module import ClipModule
from spark_keyframes.scan import CoarseScan
from spark_keyframes.video.interface import FrameTime

RATE = 25
"""Frames per second of the videos."""
_TENTH = 0.1


@dataclass(frozen=True)
class Gops:
    """Where the keyframes of the codec are."""

    name: str
    longest: float
    """The most seconds between two of them."""
    at_cuts: bool
    """Whether each cut has one, from which the distances are counted again."""

    def starts(self, video: Video) -> list[int]:
        """Return the numbers of the frames that are keyframes."""
        frames = len(video.times) * round(RATE / video.fps)
        shots = [-int(-scene.start * RATE // 1) for scene in video.scenes] if self.at_cuts else [0]
        step = round(self.longest * RATE)
        return [
            frame
            for start, end in pairwise([*sorted(set(shots)), frames])
            for frame in range(start, end, step)
        ]


GOPS = (
    Gops("at cuts and every 10 s (x264's default)", 10, at_cuts=True),
    Gops("every 2 s (streams)", 2, at_cuts=False),
    Gops("every 10 s, none at cuts", 10, at_cuts=False),
)


@dataclass
class Kept:
    """What coarse scans kept, with a value for each question of each video."""

    gains: list[float] = field(default_factory=list)
    """(coarse - uniform) / (exhaustive - uniform), of the mean scores of the keyframes."""
    hit: int = 0
    """Events that keyframes of an exhaustive scan show."""
    also_hit: int = 0
    """Those of them that keyframes of a coarse scan show too."""
    hit_coarsely: int = 0
    """Events that keyframes of a coarse scan show, whatever the other shows."""
    scored: list[float] = field(default_factory=list)
    """Scored frames, keyframes of the codec included, per candidate."""

    @property
    def mean(self) -> float:
        """The mean gain that was kept."""
        return float(np.mean(self.gains))

    @property
    def tenth(self) -> float:
        """The gain that one in ten falls below."""
        return float(np.quantile(self.gains, _TENTH))

    @property
    def events(self) -> float:
        """The share of the events that an exhaustive scan hits."""
        return self.also_hit / self.hit


def scan_draws(
    draws: int,
    cache: Path,
    *,
    budgets: Sequence[float],
    minutes: int = 60,
    k: int = 32,
    seed: int = 0,
    selector: str = "aks",
) -> dict[tuple[str, float], Kept]:
    """Scan drawn videos; return what was kept by the name of the GOPs and the budget."""
    cache.mkdir(parents=True, exist_ok=True)
    kind = replace(KINDS["2 hours of both"], minutes=minutes, fps=1.0)
    module = load_model()
    kept: dict[tuple[str, float], Kept] = {}
    for draw in range(draws):
        video = plan(kind, seed, draw)
        embeddings = kept_embeddings(module, video, cache)
        for gops in GOPS:
            starts = gops.starts(video)
            scores = _scores(module, video, embeddings, starts, cache)
            times = _times(video, starts)
            for budget, question in product(budgets, video.questions):
                _compare(
                    kept.setdefault((gops.name, budget), Kept()),
                    video,
                    question,
                    scores[question.name],
                    times,
                    budget=budget,
                    selector=selector,
                    k=k,
                )
        if draw % 10 == 9:
            print(f"{draw + 1} of {draws} videos", file=sys.stderr, flush=True)
    return kept


def _scores(
    module: ClipModule,
    video: Video,
    embeddings: npt.NDArray[np.float32],
    starts: Sequence[int],
    cache: Path,
) -> dict[str, dict[int, float]]:
    """Return the scores for each question, by the number of the frame."""
    own = [round(time * RATE) for time in video.times]
    others = sorted({*starts}.difference(own))
    rows = embeddings
    if others:
        times = [frame / RATE for frame in others]
        rows = np.concatenate([rows, kept_embeddings(module, video, cache, times)])
    texts = embed_texts(module, [question.text for question in video.questions])
    return {
        question.name: dict(
            zip([*own, *others], (rows @ texts[question.text]).astype(float), strict=True)
        )
        for question in video.questions
    }


def _compare(
    kept: Kept,
    video: Video,
    question: Question,
    score_of: dict[int, float],
    times: tuple[list[FrameTime], list[FrameTime]],
    *,
    budget: float,
    selector: str,
    k: int,
) -> None:
    """Scan a video for a question; `times` are those of its candidates and of its GOPs."""
    ids = [frame.frame_id for frame in times[0]]
    scores = np.array([score_of[i] for i in ids])
    choice = make_choice({"selector": selector}, k)
    looked: set[int] = set()

    def look(frame_ids: Sequence[int]) -> dict[int, Sequence[float]]:
        looked.update(frame_ids)
        return {i: [score_of[i]] for i in frame_ids}

    (final,) = CoarseScan(*times, choice, share=budget, texts=1).run(look)
    seen = [index for index, i in enumerate(ids) if i in looked]
    coarse = [seen[place] for place in final.indices(scores[seen])]
    exhaustive = choice.indices(scores)
    even = make_choice({"selector": "uniform"}, k).indices(scores)
    least = scores[even].mean()
    gains = [float(scores[indices].mean() - least) for indices in (coarse, exhaustive)]
    kept.gains.append(gains[0] / gains[1])
    kept.scored.append(len(looked) / len(ids))
    hit, hit_coarsely = (_events(video, question, of) for of in (exhaustive, coarse))
    kept.hit += len(hit)
    kept.also_hit += len(hit & hit_coarsely)
    kept.hit_coarsely += len(hit_coarsely)


def _times(video: Video, starts: Sequence[int]) -> tuple[list[FrameTime], list[FrameTime]]:
    """Return the candidates, and the keyframes of the GOPs that hold some."""
    keyframes = set(starts)
    ids = [round(time * RATE) for time in video.times]
    holding = sorted({starts[bisect_right(starts, i) - 1] for i in ids})
    candidates, gops = (
        [FrameTime(i, i / RATE, i in keyframes) for i in frames] for frames in (ids, holding)
    )
    return candidates, gops


def _events(video: Video, question: Question, indices: Sequence[int]) -> set[int]:
    times = [video.times[index] for index in indices]
    return {
        number
        for number, (start, end) in enumerate(question.events)
        if any(start <= time < end for time in times)
    }
