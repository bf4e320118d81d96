"""Encodes planned videos as files, and compares the choices in them with those in drawn frames."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from benchmarks.choice.embedding import HEIGHT, embed_texts, kept_embeddings, load_model
from benchmarks.choice.marks import mark
from benchmarks.choice.settings import SELECTORS, make_choice
from benchmarks.choice.videos import KINDS, plan
from spark_keyframes import VideoAdaptiveKeyframesSampling
from spark_keyframes.demo import MODELS
from spark_keyframes.demo.video import draw_video

KIND = "5 minutes of cuts"
K = 8
_FRAME_RATE = 4


@dataclass(frozen=True)
class Agreement:
    """How the choices in a file compare with those in drawn frames."""

    videos: int
    choices: int
    score_error: float
    """Mean absolute difference of the scores of equal candidates."""
    keyframes: float
    """The share of the keyframes that are the same frames."""
    shots: float
    """The share of the keyframes' shots that are the same."""
    events: tuple[float, float]
    """The share of events hit: in the files, and in the drawn frames."""
    precision: tuple[float, float]


def compare(draws: Sequence[int], seed: int, cache: Path) -> Agreement:
    """Encode these draws of the short kind, and let every selector choose for each question."""
    module = load_model()
    errors, frames, shots, marks = [], [], [], []
    for draw in draws:
        video = plan(KINDS[KIND], seed, draw)
        embeddings = kept_embeddings(module, video, cache)
        questions = video.questions
        texts = embed_texts(module, [question.text for question in questions])
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "video.mp4"
            # The sum of all lengths may be a hair more than the whole, and a frame too many.
            last = replace(video.scenes[-1], end=len(video.times) / video.fps)
            draw_video(
                path,
                [*video.scenes[:-1], last],
                size=(16 * HEIGHT // 9, HEIGHT),
                fps=_FRAME_RATE,
                seed=draw,
            )
            for setting in SELECTORS.values():
                sampler = VideoAdaptiveKeyframesSampling(
                    **setting,
                    fps=video.fps,
                    max_num_frames=K,
                    model_path=str(MODELS),
                    clip_model_name="tiny_clip",
                    dtype="float32",
                )
                found = sampler.sample(path, text=[question.text for question in questions])
                for question, keyframes in zip(questions, found, strict=True):
                    if keyframes is None:
                        raise RuntimeError(f"no keyframes for {question.text!r}")
                    if keyframes.candidates.timestamps != video.times:
                        raise RuntimeError("the file's candidates are at other times")
                    scores = embeddings @ texts[question.text]
                    drawn = make_choice(setting, K).indices(
                        scores.astype(float), embeddings=list(embeddings), timestamps=video.times
                    )
                    encoded = [video.times.index(time) for time in keyframes.timestamps]
                    errors.append(np.abs(scores - keyframes.candidates.scores).mean())
                    frames.append(len({*drawn} & {*encoded}) / K)
                    places = [
                        {video.shot_at(video.times[i]) for i in chosen}
                        for chosen in (drawn, encoded)
                    ]
                    shots.append(len(places[0] & places[1]) / len(places[0] | places[1]))
                    marks.append(
                        [mark(video, question.events, chosen) for chosen in (encoded, drawn)]
                    )
    mean = np.mean(np.array(marks), axis=0)
    return Agreement(
        videos=len(draws),
        choices=len(frames),
        score_error=float(np.mean(errors)),
        keyframes=float(np.mean(frames)),
        shots=float(np.mean(shots)),
        events=(float(mean[0][0]), float(mean[1][0])),
        precision=(float(mean[0][1]), float(mean[1][1])),
    )
