"""spark_keyframes beside what people use today, on the same files, frames, model and cores.

    python -m benchmarks [--full] [--parts decoding ...] [--kinds 720p 1080p] [--minutes 2]
                         [--rounds 3] [--tries 3]
                         [--cache FOLDER] [--videos FOLDER] [--output FILE]

Each side is a process of its own (see benchmarks/competitors). It works through a short clip before
each measured video: imports, model loading and start-up count for no one. The sides take turns;
medians are reported, in benchmarks/RESULTS.md. The parts:

    decoding  candidates alone, one thread, on all inputs and on the clips as they are
    work      CPU time from file to keyframes, on one core: no thread waits spinning for another
    wall      time from file to keyframes, on all cores
    long      "work" for spark_keyframes and the floor, on 20 minutes of 720p and 1080p, once

Wall clock means little on a machine that does other things too: where these keep more than a fifth
of a core busy, a run of "wall" is repeated, up to --tries times, and the least disturbed one
counts; the report shows how much there was.

By default the first three, for 2 minutes of 720p; --full: all four, for 720p and 1080p.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

from transformers import CLIPConfig, CLIPModel, CLIPTokenizer
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from benchmarks import inputs
from benchmarks.process import OURS, Cost, Process, Side, SideError, machine_cpu
from benchmarks.report import write_report
from benchmarks.rows import Group, Row

HALF = "bfloat16"

_DISTURBED = 0.2
"""cores kept busy by others, from which a measurement is repeated"""

OURSELVES = Side("spark_keyframes", "ours", OURS, HALF)
FLOOR = Side("floor: bare libavcodec and CLIP", "floor", precision=HALF)
NAIVE_HALF = Side("plain Spark pandas UDF, bfloat16", "naive_spark", precision=HALF)
WORK = [
    OURSELVES,
    FLOOR,
    Side("plain Spark pandas UDF, float32", "naive_spark"),
    NAIVE_HALF,
    Side("published AKS recipe, float32", "aks_recipe"),
]
WALL = [
    OURSELVES,
    Side("spark_keyframes on Spark", "ours_spark", OURS, HALF),
    NAIVE_HALF,
    Side("Daft, bfloat16", "daft_udf", precision=HALF),
    Side("Ray Data, bfloat16", "ray_data", precision=HALF),
]
DECODING = [
    Side("spark_keyframes", "decode_ours", OURS),
    Side("torchcodec get_frames_played_at", "decode_torchcodec"),
    Side("decord get_batch", "decode_decord"),
    Side("OpenCV grab, retrieve", "decode_opencv"),
    Side("PyAV every frame", "decode_pyav"),
]


def random_clip(cache: Path) -> Path:
    """A folder with CLIP ViT-B/32 of random weights: speed does not depend on their values."""
    folder = cache / "clip-vit-base-patch32"
    if not (folder / "model.safetensors").exists():
        tokenizer = CLIPTokenizer.from_pretrained(inputs.ROOT / "demo" / "tiny_clip")
        tokenizer.save_pretrained(folder)
        ids = {
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        }
        CLIPImageProcessorPil().save_pretrained(folder)
        CLIPModel(CLIPConfig(text_config=ids)).save_pretrained(folder)
    return folder


def measure(
    sides: list[Side],
    videos: dict[str, Path],
    rounds: int,
    *,
    cores: set[int],
    cache: Path,
    tries: int = 1,
) -> list[Row]:
    """Let the sides take turns on each video. A side that fails is left out, with its reason."""
    model = random_clip(cache)
    warm_up = str(inputs.prepare_warm_up(cache=cache))
    rows = {(side.name, title): Row(side.name, title) for title in videos for side in sides}
    with ExitStack() as stack:
        running: dict[str, Process] = {}
        for turn in range(rounds):
            for title, video in videos.items():
                for side in sides:
                    row = rows[side.name, title]
                    try:
                        if side.name not in running:
                            if any(rows[side.name, t].problem for t in videos):
                                continue
                            log = cache / f"{side.script}-{side.precision}.log"
                            running[side.name] = stack.enter_context(
                                Process(side, model=model, log=log, cores=cores)
                            )
                        process = running[side.name]
                        cost = least_disturbed(process, warm_up, str(video), tries)
                    except SideError as error:
                        row.problem = str(error)
                        if side.name in running:
                            running.pop(side.name).close()
                    else:
                        row.costs.append(cost)
                        show(turn, row, cost)
    return list(rows.values())


def least_disturbed(process: Process, warm_up: str, video: str, tries: int) -> Cost:
    """Measure; where other programs kept the machine busy meanwhile, again, and keep the best."""
    costs: list[Cost] = []
    while len(costs) < tries and all(cost.others > _DISTURBED for cost in costs):
        if tries > 1:
            wait_for_quiet(patience=10)
        process.work(video=warm_up, fps=5.0, limit=300)
        costs.append(process.work(video=video, fps=1.0))
    return min(costs, key=lambda cost: cost.others)


def wait_for_quiet(patience: float) -> None:
    """Wait until a second passes in which the machine is idle, for at most `patience` seconds."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        busy = machine_cpu()
        time.sleep(1)
        if machine_cpu() - busy < _DISTURBED:
            return


def show(turn: int, row: Row, cost: Cost) -> None:
    print(
        f"{turn + 1}  {row.video:18} {row.side:34} {cost.cpu:8.2f} CPU s {cost.wall:8.2f} s "
        f"{cost.peak_mb:6.0f} MB  others {cost.others:.2f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--parts", nargs="+", choices=["decoding", "work", "wall", "long"])
    parser.add_argument("--kinds", nargs="+", choices=inputs.KINDS)
    parser.add_argument("--minutes", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tries", type=int, default=3, help="for a run that others disturb")
    parser.add_argument("--cache", type=Path, default=inputs.CACHE)
    parser.add_argument("--videos", type=Path, default=inputs.VIDEOS)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("RESULTS.md"))
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)
    parts = options.parts or ["decoding", "work", "wall", *(["long"] if options.full else [])]
    kinds = options.kinds or ["720p", *(["1080p"] if options.full else [])]
    command = shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]])
    groups: list[Group] = []
    for part in parts:
        groups.append(Group(part, measure_part(part, kinds, options)))
        write_report(options.output, groups, command)
    print(options.output)


def measure_part(part: str, kinds: list[str], options: argparse.Namespace) -> list[Row]:
    def made(kinds: Iterable[str], minutes: int) -> dict[str, Path]:
        return {
            f"{kind} {minutes} min": inputs.prepare(
                inputs.KINDS[kind], minutes, cache=options.cache, videos=options.videos
            )
            for kind in kinds
        }

    every = os.sched_getaffinity(0)
    one = {max(every)}
    rounds, cache = options.rounds, options.cache
    if part == "decoding":
        videos = made(inputs.KINDS, options.minutes)
        videos |= {path.name: path for path in inputs.h264_clips(options.videos)}
        return measure(DECODING, videos, rounds, cores=one, cache=cache)
    if part == "work":
        return measure(WORK, made(kinds, options.minutes), rounds, cores=one, cache=cache)
    if part == "wall":
        return measure(
            WALL,
            made(kinds, options.minutes),
            rounds,
            cores=every,
            cache=cache,
            tries=options.tries,
        )
    return measure([OURSELVES, FLOOR], made(["720p", "1080p"], 20), 1, cores=one, cache=cache)


if __name__ == "__main__":
    main()
