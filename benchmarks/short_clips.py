"""Measures very short videos on one core: child processes against threads, and both against PyAV.

    python -m benchmarks.short_clips [--clips 1000] [--blocks 10] [--what path] [--cache FOLDER]

The clips are drawn once: 8 different ones of 2 seconds at 360p, 30 frames per second, H.264 in
MP4. Such pictures decode fast. The engine samples them without Spark, at 1 fps with the demo's tiny
CLIP, so that little but the work around each clip is left. `--what bytes` gives it bytes, not
paths. The sides take turns, a block of clips each, all on one core:

    process    decoder="process", the default
    thread     decoder="thread"
    bare       PyAV alone: open, demux, decode up to the last candidate, convert those to RGB

Prints milliseconds per clip: wall clock and CPU time (the median of the blocks), and of the CPU
time the part of the child processes; then the stages of each side. Stages of the engine are those
of the videos' accounts: wall clock of two clips that are at work at the same time.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import cycle, islice
from pathlib import Path

import av
import torch

from benchmarks import inputs
from spark_keyframes import VideoAdaptiveKeyframesSampling
from spark_keyframes.demo import MODEL, MODELS
from spark_keyframes.demo.cooking import cooking_scenes
from spark_keyframes.demo.scene import Scene
from spark_keyframes.demo.video import draw_video
from spark_keyframes.engine import Pipeline, Request, resolve_device
from spark_keyframes.result import Keyframes
from spark_keyframes.video import DecoderName

RATE = 30
SECONDS = 2
_DIFFERENT = 8

Stages = dict[str, float]
"""Seconds by stage."""


@dataclass(frozen=True)
class Block:
    """What the clips of one block took, in milliseconds per clip."""

    wall: float
    cpu: float
    """of this process and its children"""
    children: float
    """the part of the children"""
    stages: Stages


def make_clips(cache: Path = inputs.CACHE) -> list[Path]:
    """Return the clips, making those that the cache lacks."""
    cache.mkdir(parents=True, exist_ok=True)
    scenes = cooking_scenes(5)
    return [_made(cache / f"short-{number}.mp4", scenes[number]) for number in range(_DIFFERENT)]


def _made(path: Path, scene: Scene) -> Path:
    if not path.exists():
        part = path.with_suffix(".part.mp4")
        shown = replace(scene, start=0.0, end=float(SECONDS))
        draw_video(part, [shown], size=(640, 360), fps=RATE)
        part.rename(path)
    return path


def sample(decoder: DecoderName, what: str, clips: Sequence[Path]) -> Stages:
    """Sample the clips as a Spark task does, without Spark; return the sums of the accounts."""
    sampler = VideoAdaptiveKeyframesSampling(
        text="spoon",
        model_path=str(MODELS),
        clip_model_name=MODEL,
        return_keyframes=False,
        decoder=decoder,
        video_src_type="video_url" if what == "path" else "video_binary",
    )
    pipeline = Pipeline(sampler.make_module(), sampler)
    requests = (
        Request(video=str(clip) if what == "path" else clip.read_bytes(), text="spoon")
        for clip in clips
    )
    stages: Stages = {}
    for found in pipeline.run(requests, device=resolve_device(rank=0)):
        if not isinstance(found, Keyframes) or len(found.frame_ids) != SECONDS:
            raise RuntimeError(f"not {SECONDS} keyframes: {found}")
        for stage, seconds in (found.account.seconds | {"waited": found.account.waited}).items():
            stages[stage] = stages.get(stage, 0.0) + seconds
    return stages


def bare(clips: Sequence[Path]) -> Stages:
    """Do what cannot be left out, with PyAV alone."""
    stages = dict.fromkeys(("open", "demux", "decode", "convert"), 0.0)
    for clip in clips:
        began = time.perf_counter()
        with av.open(str(clip)) as container:
            opened = time.perf_counter()
            stream = container.streams.video[0]
            codec = stream.codec_context
            codec.thread_count = 1
            packets = [packet for packet in container.demux(stream) if packet.size]
            demuxed = time.perf_counter()
            shown = sorted(packet.pts or 0 for packet in packets)
            wanted = set(shown[::RATE])
            last = max(n for n, packet in enumerate(packets) if packet.pts in wanted)
            frames = []
            for packet in [*packets[: last + 1], None]:
                is_wanted = packet is None or packet.pts in wanted
                codec.skip_frame = "DEFAULT" if is_wanted else "NONREF"
                frames += [frame for frame in codec.decode(packet) if frame.pts in wanted]
            decoded = time.perf_counter()
            for frame in frames:
                frame.to_ndarray(format="rgb24")
            converted = time.perf_counter()
        if len(frames) != SECONDS:
            raise RuntimeError(f"{len(frames)} frames were decoded of {clip}")
        stages["open"] += opened - began + time.perf_counter() - converted
        stages["demux"] += demuxed - opened
        stages["decode"] += decoded - demuxed
        stages["convert"] += converted - decoded
    return stages


def measure(clips: int, blocks: int, *, what: str, cache: Path) -> dict[str, list[Block]]:
    """Let the sides take turns; return their blocks by name."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # child processes inherit it
    torch.set_num_threads(1)  # more of them on one core wait for each other busily
    each = list(islice(cycle(make_clips(cache)), max(1, clips // blocks)))
    sides: dict[str, Callable[[Sequence[Path]], Stages]] = {
        "process": partial(sample, "process", what),
        "thread": partial(sample, "thread", what),
        "bare": bare,
    }
    found: dict[str, list[Block]] = {name: [] for name in sides}
    for side in sides.values():
        side(each[:_DIFFERENT])  # loads the model, starts the processes
    for turn in range(blocks):
        order = list(sides) if turn % 2 else list(reversed(sides))
        for name in order:
            found[name].append(_block(sides[name], each))
    return found


def _block(side: Callable[[Sequence[Path]], Stages], clips: Sequence[Path]) -> Block:
    own, children, began = time.process_time(), _children_cpu(), time.perf_counter()
    stages = side(clips)
    wall = time.perf_counter() - began
    children = _children_cpu() - children
    cpu = time.process_time() - own + children
    per_clip = 1000 / len(clips)
    return Block(
        wall * per_clip,
        cpu * per_clip,
        children * per_clip,
        {stage: seconds * per_clip for stage, seconds in stages.items()},
    )


def _children_cpu() -> float:
    """Return the CPU seconds of all child processes that have not ended."""
    pids: list[int] = []
    for task in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError):  # a thread that has just ended
            pids += map(int, (task / "children").read_text().split())
    # Linux's clock of another process; see clock_getcpuclockid(3).
    return sum(time.clock_gettime(~pid << 3 | 2) for pid in pids)


def _table(found: dict[str, list[Block]]) -> str:
    def median(name: str, of: Callable[[Block], float]) -> float:
        return statistics.median(of(block) for block in found[name])

    lines = [f"{'ms per clip':12}{'wall':>8}{'CPU':>8}{'children':>10}  stages"]
    for name, blocks in found.items():
        numbers = [
            median(name, lambda block: block.wall),
            median(name, lambda block: block.cpu),
            median(name, lambda block: block.children),
        ]
        stages = {
            stage: statistics.median(block.stages[stage] for block in blocks)
            for stage in blocks[0].stages
        }
        shown = ", ".join(f"{stage} {ms:.2f}" for stage, ms in stages.items() if ms >= 0.01)
        wall, cpu, children = numbers
        lines.append(f"{name:12}{wall:8.2f}{cpu:8.2f}{children:10.2f}  {shown}")
    for name in ("thread", "bare"):
        pairs = list(zip(found["process"], found[name], strict=True))
        wall = statistics.median(ours.wall / other.wall for ours, other in pairs)
        cpu = statistics.median(ours.cpu / other.cpu for ours, other in pairs)
        lines.append(f"process to {name}: wall clock {wall:.2f}, CPU {cpu:.2f}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--clips", type=int, default=1000, help="of each side, in all its blocks")
    parser.add_argument("--blocks", type=int, default=10)
    parser.add_argument("--what", choices=["path", "bytes"], default="path")
    parser.add_argument("--cache", type=Path, default=inputs.CACHE)
    options = parser.parse_args()
    print(_table(measure(options.clips, options.blocks, what=options.what, cache=options.cache)))


if __name__ == "__main__":
    main()
