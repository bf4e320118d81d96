"""Compares what a dry run says with what the job then takes.

    python -m benchmarks.dry_run [--copies 20] [--cache FOLDER] [--videos FOLDER]

The folder has `--copies` links to each real clip, or to drawn ones of two lengths. The dry run of
jobs/sample.py reads the headers of some, and samples parts of six, by CLIP ViT-B/32 of random
weights, on local[1]. Before that, each clip is sampled as a whole in this process, with one thread,
and its CPU seconds are multiplied by the copies. Prints both, and the quotient. CPU seconds do not
count the time that other programs have the CPU, but caches and clock rates depend on them.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import torch
from pyspark.sql import SparkSession

from benchmarks import inputs
from spark_keyframes import Keyframes, VideoAdaptiveKeyframesSampling
from spark_keyframes.engine import Request, resolve_device
from spark_keyframes.jobs import sample
from spark_keyframes.spark.probe_stage import cpu_seconds

_UNITS = {"seconds": 1.0, "minutes": 60.0, "hours": 3600.0, "KB": 1e3, "MB": 1e6, "GB": 1e9}


def said(folder: Path, sampler: VideoAdaptiveKeyframesSampling) -> dict[str, float]:
    """Return what the dry run estimates: seconds, numbers and bytes by the name of the line."""
    options = sample.SampleOptions(input=str(folder), sampler=sampler, dry_run=True)
    printed = io.StringIO()
    spark = (
        SparkSession.builder.master("local[1]")
        .config("spark.ui.enabled", False)
        .config("spark.log.level", "ERROR")
        .getOrCreate()
    )
    with contextlib.redirect_stdout(printed):
        sample.run(spark, options)
    spark.stop()
    print(printed.getvalue())
    found: dict[str, float] = {}
    for line in printed.getvalue().splitlines():
        name, words = line[:11].strip(), line[11:].replace(",", "").split()
        unit = next((_UNITS[word] for word in words if word in _UNITS), 1.0)
        if name in ("length", "CPU", "decode", "score", "candidates"):
            found[name] = float(words[0]) * unit
        elif name == "images":
            found |= {"images": float(words[0])}
    return found


def taken(clips: list[Path], sampler: VideoAdaptiveKeyframesSampling) -> dict[str, float]:
    """Return what sampling each clip takes, in all."""
    pipeline = replace(sampler._pipeline(None), threads=1, workers=1, images_as="encoded")
    total = dict.fromkeys(("length", "candidates", "images", "CPU"), 0.0)
    for number, clip in enumerate([clips[0], *clips]):
        own, others = cpu_seconds()
        request = Request(str(clip), sampler.text)
        with closing(pipeline.run([request], device=resolve_device(rank=0))) as outcomes:
            (outcome,) = outcomes
        assert isinstance(outcome, Keyframes), outcome
        now = cpu_seconds()
        if number:  # the first run loads the model
            total["CPU"] += sum(now) - own - others
            total["length"] += outcome.candidates.duration or 0.0
            total["candidates"] += len(outcome.candidates.scores)
            total["images"] += len(outcome.image_files)
    return total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--copies", type=int, default=20)
    parser.add_argument("--cache", type=Path, default=inputs.CACHE)
    parser.add_argument("--videos", type=Path, default=inputs.VIDEOS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"
    clips = inputs.real_clips(options.videos) or [
        inputs.prepare_warm_up(cache=options.cache),
        inputs.prepare(inputs.KINDS["720p"], 1, cache=options.cache),
    ]
    model = inputs.prepare_clip(options.cache)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for clip in clips:
            for number in range(options.copies):
                (folder / f"{clip.stem}-{number}{clip.suffix}").symlink_to(clip)
        sampler = VideoAdaptiveKeyframesSampling(
            text="spoon",
            model_path=str(model.parent),
            clip_model_name=model.name,
            max_num_frames=8,
            output_tos_dir=str(folder / "never"),
        )
        # Before Spark: its JVM is a child of this process, whose CPU seconds would count.
        real = taken(clips, sampler)
        estimated = said(folder, sampler)
    print(f"{'':12}{'estimated':>12}{'real':>12}{'quotient':>10}")
    for name, of_one in real.items():
        value = of_one * options.copies
        print(f"{name:12}{estimated[name]:12.1f}{value:12.1f}{estimated[name] / value:10.2f}")


if __name__ == "__main__":
    main()
