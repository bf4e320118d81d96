# mypy: ignore-errors
# Runs beside packages that are installed for the benchmarks only.
"""Shared by all competitors: read jobs from stdin, write results to stdout, select by AKS.

A job is a line of JSON, {"video": path, "fps": 1.0, ...}; so is its result. "repeat" is how many
times to do it. What the libraries print goes to stderr.
"""

import argparse
import json
import os
import sys

import numpy as np


def arguments():
    """Parse the options that all scripts take."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", help="folder of the CLIP model")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--text", default="a red car on a road")
    parser.add_argument("--texts", nargs="+", help="several, instead of --text; see ours.py")
    parser.add_argument("--frames", type=int, default=32)
    parser.add_argument("--way", help="see ours_index.py, search_index.py and naive_spark.py")
    parser.add_argument("--scan", help="see ours.py and ours_spark.py; without it, exhaustive")
    parser.add_argument("--packed", action="store_true", help="see floor.py")
    parser.add_argument("--decoder", default="process", help="see ours.py")
    return parser.parse_args()


def serve(run):
    """Answer jobs until stdin ends; `run(video=..., fps=...)` must return a dict."""
    channel = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        job = json.loads(line)
        for _ in range(job.pop("repeat", 1)):
            result = run(**job)
        print(json.dumps(result), file=channel, flush=True)


def aks(scores, frames, t1=0.8, t2=-100, depth=5):
    """Return the indices of the keyframes, as in the code published with arXiv 2502.21271."""
    scores = np.asarray(scores, dtype=np.float64)
    if len(scores) <= frames:
        return list(range(len(scores)))
    normal = (scores - scores.min()) / max(scores.max() - scores.min(), 1e-12)
    segments, final = [(0, len(scores))], []
    for level in range(depth + 1):
        halves = []
        for begin, end in segments:
            part = normal[begin:end]
            best = np.sort(part)[::-1][:frames]
            peak = best.mean() - part.mean() > t1 and part.std() > t2
            if peak or level == depth or frames >> level <= 1:
                final.append((begin, end, max(frames >> level, 1)))
            else:
                middle = begin + len(part) // 2
                halves += [(begin, middle), (middle, end)]
        segments = halves
    chosen = []
    for begin, end, budget in final:
        chosen += (begin + np.argsort(-normal[begin:end], kind="stable")[:budget]).tolist()
    return sorted(chosen)


def answer(frame_ids, scores, frames):
    """Return the result of a job: keyframes, and the number of scored frames."""
    chosen = aks(scores, frames)
    return {
        "frame_ids": [int(frame_ids[index]) for index in chosen],
        "scores": [float(scores[index]) for index in chosen],
        "scored": len(scores),
    }
