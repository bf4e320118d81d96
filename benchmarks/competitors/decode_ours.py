# mypy: ignore-errors
# A benchmark script like its competitors, run on its own.
"""Decodes with spark_keyframes: one thread, candidates as full-size RGB."""

from inspect import signature
from pathlib import Path

from worker import serve

from spark_keyframes.video import open_video

one_thread = {"threads": 1} if "threads" in signature(open_video).parameters else {}


def run(video, fps):
    count = 0
    with Path(video).open("rb") as file, open_video(file, **one_thread) as opened:
        for frame in opened.candidates(fps):
            count += frame.to_rgb() is not None
    return {"decoded": count}


serve(run)
