"""Computes what a large run takes, and which resource reaches its limit first.

    python -m benchmarks.cost [--video-hours 1e6] [--gpus 100] [--cpus 8] [--kind 720p]
        [--minutes 10] [--fps 1] [--frames 32] [--gbit 10] [--puts 10000] [--gets 10000]

With `--gpus 0`, `--cpus` is all CPUs of the cluster, which score too; otherwise it is the CPUs of
each GPU. The table shows, for each resource, what the run needs, what the resource gives per
second, and the hours. All resources are in use at the same time, so the run takes the longest of
these. docs/scaling.md gives the source of each constant, and says what is left out.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass

from spark_keyframes.jobs.partitioning import VIDEOS_PER_TASK


@dataclass(frozen=True)
class Kind:
    """The costs of a kind of video, as measured over 20 minutes in benchmarks/RESULTS.md."""

    decode: float
    """CPU seconds to demux and decode an hour for candidates at 1 fps"""
    preprocess: float
    """CPU seconds per candidate"""
    bytes_per_hour: float
    image_bytes: float
    """bytes of a keyframe as JPEG"""


KINDS = {
    "720p": Kind(3 * 27.70, 1.97 / 1200, 3 * 161.8e6, 132e3),
    "1080p": Kind(3 * 62.93, 3.48 / 1200, 3 * 297.3e6, 220e3),
}
CLIP_CPU = 28.82 / 1200
"""CPU seconds per candidate, in bfloat16"""
CLIP_GPU = 1 / 4601
"""GPU seconds per candidate: published for an RTX 3090 at float16, not measured here"""
ENCODE = 0.02
"""CPU seconds per keyframe, at most"""
TASK = 0.26
"""CPU seconds of a task before its first video"""
ROW_BYTES = 815
"""bytes of a result with 32 keyframes, in Parquet"""
TASKS_PER_SECOND = 450
"""tasks that a driver starts and ends per second, at least"""


@dataclass(frozen=True)
class Load:
    """The load of a run on one resource."""

    resource: str
    amount: float
    unit: str
    per_second: float
    """what the resource gives per second"""

    @property
    def hours(self) -> float:
        return self.amount / self.per_second / 3600


def loads(options: argparse.Namespace) -> list[Load]:
    """Return the loads of a run, the one that takes longest first."""
    kind, hours = KINDS[options.kind], options.video_hours
    videos = hours * 60 / options.minutes
    candidates = hours * 3600 * options.fps
    images = videos * min(options.frames, options.minutes * 60 * options.fps)
    tasks = videos / (VIDEOS_PER_TASK * options.cpus) if options.gpus else videos / VIDEOS_PER_TASK
    cpu = hours * kind.decode + candidates * kind.preprocess + images * ENCODE + tasks * TASK
    cpus = options.gpus * options.cpus or options.cpus
    found = []
    if options.gpus:
        found.append(Load("GPUs: CLIP", candidates * CLIP_GPU, "GPU seconds", options.gpus))
    else:
        cpu += candidates * CLIP_CPU
    work = "CPUs: decoding" if options.gpus else "CPUs: decoding, CLIP"
    network = options.gbit * 1e9 / 8
    found += [
        Load(work, cpu, "CPU seconds", cpus),
        Load("storage: bytes in", hours * kind.bytes_per_hour, "bytes", network),
        Load("storage: bytes out", images * kind.image_bytes, "bytes", network),
        Load("storage: GETs", videos * gets(kind, options.minutes), "requests", options.gets),
        Load("storage: PUTs", images, "requests", options.puts),
        Load("driver: tasks", tasks, "tasks", TASKS_PER_SECOND),
    ]
    return sorted(found, key=lambda load: -load.hours)


def gets(kind: Kind, minutes: float) -> int:
    """Return the number of requests that read a video."""
    size = kind.bytes_per_hour * minutes / 60
    part = min(max(4 << 20, size / 16), 16 << 20)  # as in storage/download/parts.py
    return math.ceil(size / part)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--video-hours", type=float, default=1e6)
    parser.add_argument("--gpus", type=int, default=100)
    parser.add_argument(
        "--cpus", type=int, default=8, help="CPUs of each GPU; with --gpus 0: of the cluster"
    )
    parser.add_argument("--kind", choices=KINDS, default="720p")
    parser.add_argument("--minutes", type=float, default=10, help="length of a video")
    parser.add_argument("--fps", type=float, default=1)
    parser.add_argument("--frames", type=int, default=32, help="keyframes per video")
    parser.add_argument("--gbit", type=float, default=10, help="bandwidth of the storage, each way")
    parser.add_argument("--puts", type=float, default=10_000, help="requests per second")
    parser.add_argument("--gets", type=float, default=10_000, help="requests per second")
    options = parser.parse_args()
    found = loads(options)
    print(f"{'':32}{'asked for':>24}{'given a second':>16}{'hours':>9}")
    for load in found:
        amount = f"{load.amount:.3g} {load.unit}"
        print(f"{load.resource:32}{amount:>24}{load.per_second:>16.3g}{load.hours:>9.1f}")
    rows = options.video_hours * 60 / options.minutes
    print(f"\nthe table: {rows:.3g} rows, {rows * ROW_BYTES / 1e9:.1f} GB")


if __name__ == "__main__":
    main()
