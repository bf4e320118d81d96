"""Compares the results of two checkouts of the project, row by row, and their CPU time.

    python -m benchmarks.compare OTHER_CHECKOUT --videos FOLDER
    python -m benchmarks.compare OTHER_CHECKOUT --videos FOLDER --rounds 5   # CPU time, alternating

Both run in this Python environment, with the demo's CLIP. Exits with 1 where a row differs.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from spark_keyframes.demo import MODELS

ROOT = Path(__file__).parent.parent
SETTINGS: list[dict[str, Any]] = [
    {"fps": 2.0, "max_num_frames": 8, "dtype": dtype, "selector": selector}
    for dtype in ("float32", "float16")
    for selector in ("aks", "top", "bin", "uniform")
]
TEXTS = ("a dog", "a red car", "a spoon")
ROWS = """
import hashlib, json, sys
from spark_keyframes import VideoAdaptiveKeyframesSampling
settings, texts, models, videos = json.loads(sys.argv[1])
for setting in settings:
    sampler = VideoAdaptiveKeyframesSampling(
        model_path=models, clip_model_name="tiny_clip", **setting
    )
    for video in videos:
        for text in texts:
            found = sampler.sample(video, text=text)
            images = [hashlib.sha256(image.tobytes()).hexdigest() for image in found.images]
            row = [found.frame_ids, found.scores, found.timestamps, images]
            print(json.dumps([setting, video.rsplit("/")[-1], text, row]))
"""
CPU_SECONDS = """
import glob, json, sys
from spark_keyframes import VideoAdaptiveKeyframesSampling
from spark_keyframes.engine import Pipeline, Request, resolve_device
models, videos = json.loads(sys.argv[1])
sampler = VideoAdaptiveKeyframesSampling(
    model_path=models, clip_model_name="tiny_clip", dtype="float32", return_keyframes=False
)

def run(videos):
    requests = [Request(video, "a dog") for video in videos]
    if hasattr(sampler, "make_module"):
        device = resolve_device(rank=0)
        outcomes = Pipeline(sampler.make_module(), sampler).run(requests, device=device)
    else:
        from spark_keyframes.module import KeyframesModule
        outcomes = Pipeline(KeyframesModule(sampler), device=resolve_device(rank=0)).run(requests)
    assert len([outcome.frame_ids for outcome in outcomes]) == len(videos)

def used():
    # The times of decode processes are added when they end, which is after the last video.
    return sum(sum(map(float, open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[11:13]))
               for pid in {"self", *children()}) / 100

def children():
    tasks = glob.glob("/proc/self/task/*/children")
    return {pid for task in tasks for pid in open(task).read().split()}

run(videos[:1])  # imports and the model are the same in both
before = used()
run(videos)
print(used() - before)
"""


def main() -> int:
    """Compare, print what differs or the ratios, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("other", type=Path, help="the checkout to compare with")
    parser.add_argument("--videos", type=Path, required=True, help="a folder of videos")
    parser.add_argument("--repeat", type=int, default=1, help="give each video so often")
    parser.add_argument("--rounds", type=int, default=0, help="measure CPU time this often instead")
    options = parser.parse_args()
    videos = sorted(str(path) for path in options.videos.iterdir() if path.suffix in VIDEOS)
    if not videos:
        parser.error(f"no videos in {options.videos}")
    if options.rounds:
        return compare_cpu(options.other, videos * options.repeat, options.rounds)
    return compare_rows(options.other, videos)


VIDEOS = (".mp4", ".webm", ".mkv", ".mov", ".avi")


def compare_rows(other: Path, videos: list[str]) -> int:
    """Print each row that differs; return 1 if there is one."""
    arguments = [SETTINGS, TEXTS, str(MODELS), videos]
    theirs, ours = (run(where, ROWS, arguments) for where in (other, ROOT))
    different = [pair for pair in zip(theirs, ours, strict=True) if pair[0] != pair[1]]
    for left, right in different:
        print(f"differs:\n  {left}\n  {right}")
    print(f"{len(ours)} rows compared, {len(different)} differ")
    return int(bool(different))


def compare_cpu(other: Path, videos: list[str], rounds: int) -> int:
    """Print the CPU seconds of both, in turn, and their ratio."""
    arguments = [str(MODELS), videos]
    ratios = []
    for _ in range(rounds):
        theirs, ours = (float(run(where, CPU_SECONDS, arguments)[-1]) for where in (other, ROOT))
        ratios.append(ours / theirs)
        print(f"other {theirs:.2f} s, this {ours:.2f} s, ratio {ratios[-1]:.3f}", flush=True)
    print(f"{len(videos)} videos, median ratio {statistics.median(ratios):.3f}")
    return 0


def run(where: Path, program: str, arguments: Any) -> list[str]:
    """The lines that a program prints with the package of a checkout."""
    done = subprocess.run(
        [sys.executable, "-c", program, json.dumps(arguments)],
        cwd=where,
        # As the engine sets it: threads that wait busily would count as work.
        env={**os.environ, "PYTHONPATH": str(where.absolute()), "OMP_WAIT_POLICY": "PASSIVE"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


if __name__ == "__main__":
    sys.exit(main())
