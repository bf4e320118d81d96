"""spark_keyframes beside what people use today, on the same files, frames, model and cores.

    python -m benchmarks [--full] [--rounds 3] [--minutes 2] [--kinds 720p 1080p]
                         [--only NAME ...] [--cache FOLDER] [--videos FOLDER] [--output FILE]

Each side is a process of its own (see benchmarks/competitors). It works through a short clip before
each measured video: imports, model loading and start-up are not counted, for anyone. The sides take
turns, medians are reported. CPU time is user and system time of the process and its children.
Results go to benchmarks/RESULTS.md. --full adds 20-minute videos, and takes hours.
"""

from __future__ import annotations

import argparse
import shlex
import statistics
import sys
from contextlib import ExitStack
from pathlib import Path

from transformers import CLIPConfig, CLIPModel, CLIPTokenizer
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from benchmarks import inputs
from benchmarks.process import OURS, Cost, Process, Side, SideError
from benchmarks.report import Group, Row, write_report

HALF = "bfloat16"

SCORING = [
    Side("spark_keyframes", "ours", OURS, HALF),
    Side("floor: bare libavcodec + bare CLIP", "floor", precision=HALF, threads=1),
    Side("spark_keyframes on Spark", "ours_spark", OURS, HALF),
    Side("naive Spark pandas UDF, float32", "naive_spark"),
    Side("naive Spark pandas UDF, bfloat16", "naive_spark", precision=HALF),
    Side("published AKS recipe, decord, batch 1", "aks_recipe"),
    Side("Daft video reader + class UDF, bfloat16", "daft_udf", precision=HALF),
    Side("Ray Data read_videos + map_batches, bfloat16", "ray_data", precision=HALF),
]
DECODING = [
    Side("spark_keyframes", "decode_ours", OURS),
    Side("torchcodec get_frames_played_at", "decode_torchcodec"),
    Side("decord get_batch", "decode_decord"),
    Side("OpenCV grab, retrieve", "decode_opencv"),
    Side("PyAV every frame", "decode_pyav"),
]
FLOOR_ONLY = SCORING[:2]


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
    sides: list[Side], videos: dict[str, Path], rounds: int, options: argparse.Namespace
) -> list[Row]:
    """Let the sides take turns on each video. A side that fails is left out, with its reason."""
    model = random_clip(options.cache)
    warm_up = str(inputs.prepare_warm_up(cache=options.cache))
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
                            log = options.cache / f"{side.script}-{side.precision}.log"
                            running[side.name] = stack.enter_context(
                                Process(side, model=model, log=log)
                            )
                        process = running[side.name]
                        process.work(video=warm_up, fps=5.0, limit=300)
                        cost = process.work(video=str(video), fps=1.0)
                    except SideError as error:
                        row.problem = str(error)
                        if side.name in running:
                            running.pop(side.name).close()
                    else:
                        row.costs.append(cost)
                        show(turn, row, cost)
    return list(rows.values())


def show(turn: int, row: Row, cost: Cost) -> None:
    print(
        f"{turn + 1}  {row.video:18} {row.side:46} {cost.cpu:8.2f} CPU s {cost.wall:8.2f} s "
        f"{cost.peak_mb:6.0f} MB",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--minutes", type=int, default=2)
    parser.add_argument("--kinds", nargs="+", default=["720p", "1080p"], choices=inputs.KINDS)
    parser.add_argument("--only", nargs="+", choices=["decoding", "scoring", "long"])
    parser.add_argument("--cache", type=Path, default=inputs.CACHE)
    parser.add_argument("--videos", type=Path, default=inputs.VIDEOS)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_name("RESULTS.md"))
    options = parser.parse_args()
    options.cache.mkdir(parents=True, exist_ok=True)

    def made(kinds: list[str], minutes: int) -> dict[str, Path]:
        return {
            f"{kind} {minutes} min": inputs.prepare(
                inputs.KINDS[kind], minutes, cache=options.cache, videos=options.videos
            )
            for kind in kinds
        }

    parts = options.only or ["decoding", "scoring", *(["long"] if options.full else [])]
    groups: list[Group] = []
    if "decoding" in parts:
        videos = made(list(inputs.KINDS), options.minutes)
        videos |= {path.name: path for path in inputs.h264_clips(options.videos)}
        rows = measure(DECODING, videos, options.rounds, options)
        groups.append(Group("decoding", rows))
    if "scoring" in parts:
        rows = measure(SCORING, made(options.kinds, options.minutes), options.rounds, options)
        groups.append(Group("scoring", rows))
    if "long" in parts:
        rows = measure(SCORING if options.full else FLOOR_ONLY, made(options.kinds, 20), 1, options)
        groups.append(Group("long", rows))
    command = shlex.join(["python", "-m", "benchmarks", *sys.argv[1:]])
    write_report(options.output, groups, command)
    print(options.output)


if __name__ == "__main__":
    main()
