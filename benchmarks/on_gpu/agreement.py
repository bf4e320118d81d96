"""Whether a GPU chooses the frames that float32 on the CPU chooses."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.inputs import prepare_clip, prepare_warm_up, real_clips
from benchmarks.on_gpu.figures import Figure, Setting
from spark_keyframes import Answers, Candidates, Keyframes, VideoAdaptiveKeyframesSampling
from spark_keyframes.demo.cooking import draw_cooking_video
from spark_keyframes.engine import Request

_TEXTS = [
    *("a red spoon", "a person cooking", "a street with cars", "a dog", "a close-up of hands"),
    *("an empty kitchen", "text on a screen", "the sky at night", "water", "a face"),
    *("a green field", "a building", "food on a plate", "a crowd", "a bird in flight"),
    *("something falls", "a logo", "snow", "a machine at work", "people who laugh"),
]


def measure(setting: Setting) -> Iterator[Figure]:
    """Ask 20 texts of each video, on the CPU in float32, and on the device in float16."""
    folder = prepare_clip(setting.cache)
    given = {
        "model_path": str(folder.parent),
        "clip_model_name": folder.name,
        "max_num_frames": 8,
        "return_keyframes": False,
    }
    worst, same, asked, again = 0.0, 0, 0, 0
    texts = _TEXTS if setting.on_gpu else _TEXTS[:2]
    for video in setting.while_time(_videos(setting), "agreement on"):
        wanted = _answers(video, texts, torch.device("cpu"), **given, dtype="float32")
        found = _answers(video, texts, setting.device, **given, dtype="float16")
        again += found[0].account.scored_again
        for ours, theirs in zip(found, wanted, strict=True):
            worst = max(worst, _largest_difference(ours.candidates, theirs.candidates))
            same += len(set(ours.frame_ids) & set(theirs.frame_ids))
            asked += len(theirs.frame_ids)
    if asked:
        yield Figure("scores against float32 on the CPU, off by", worst, goal=("≤", 2e-3))
        share = 100 * same / asked
        yield Figure("keyframes of float32 on the CPU", share, "%", ("≥", 99), f"of {asked}")
        yield Figure("frames scored again", again, note=f"for {asked} keyframes")


def _answers(video: Path, texts: list[str], device: torch.device, **given: Any) -> list[Keyframes]:
    pipeline = VideoAdaptiveKeyframesSampling(**given)._pipeline(None)
    with closing(pipeline.run([Request(str(video), texts)], device=device)) as outcomes:
        outcome = next(outcomes)
    if not isinstance(outcome, Answers):
        raise RuntimeError(f"{video.name}: {outcome}")
    return [answer for answer in outcome.keyframes if answer is not None]


def _videos(setting: Setting) -> list[Path]:
    if not setting.on_gpu:
        return [prepare_warm_up(cache=setting.cache)]
    return real_clips(setting.videos) or [draw_cooking_video(setting.cache / "drawn")[0]]


def _largest_difference(ours: Candidates, theirs: Candidates) -> float:
    # A mean shift of a text's scores would change no selection, but it counts here.
    return float(np.abs(np.subtract(ours.scores, theirs.scores)).max())
