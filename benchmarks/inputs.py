"""Makes the videos that are measured: real clips joined to a minute, looped to any length.

    python -m benchmarks.inputs --minutes 2 20 [--cache FOLDER] [--videos ../shared/videos]

The first 10 seconds of each clip are scaled, joined at 25 frames per second to a minute and encoded
once, with x264's defaults (GOPs of up to 250 frames, B-frames). Longer videos repeat its packets:
that takes a second, and every tool finds the same frames at every second. Without the clips, a
drawn minute is used. All files are kept in the cache folder.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path

import av
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

from spark_keyframes.demo import MODEL, MODELS
from spark_keyframes.demo.cooking import cooking_scenes
from spark_keyframes.demo.video import draw_video

RATE = 25
SUFFIXES = {".mp4", ".webm", ".mkv", ".mov", ".avi", ".ts"}
ROOT = Path(__file__).parents[1]
VIDEOS = ROOT.parent / "shared" / "videos"
CACHE = Path(tempfile.gettempdir()) / "spark_keyframes_bench"

_MINUTE = 60 * RATE
_PER_CLIP = 10 * RATE


@dataclass(frozen=True)
class Kind:
    """The encoding of a video."""

    name: str
    width: int
    height: int
    gop: int | None = None
    """largest distance between I-frames, in frames; None: x264's default, 250"""


KINDS = {
    kind.name: kind
    for kind in (
        Kind("720p", 1280, 720),
        Kind("1080p", 1920, 1080),
        Kind("720p-gop2s", 1280, 720, gop=2 * RATE),
        Kind("tiny", 160, 90, gop=2 * RATE),
    )
}


def prepare(kind: Kind, minutes: int, *, cache: Path = CACHE, videos: Path = VIDEOS) -> Path:
    """Return the video of this kind and length, making it if the cache lacks it."""
    clips = real_clips(videos)
    origin = "real" if clips else "drawn"
    path = cache / f"{origin}-{kind.name}-{minutes}min.mp4"
    if not path.exists():
        minute = cache / f"{origin}-{kind.name}.mp4"
        if not minute.exists():
            _encode_minute(clips, kind, minute)
        _loop(minute, path, minutes)
    return path


def prepare_warm_up(*, cache: Path = CACHE) -> Path:
    """Return a drawn scene of 3.5 seconds, which each side processes before it is timed."""
    path = cache / "warm-up.mp4"
    if not path.exists():
        part = _part(path)
        draw_video(part, cooking_scenes(5)[:1], size=(320, 180), fps=RATE)
        part.rename(path)
    return path


def prepare_clip(cache: Path = CACHE) -> Path:
    """Return a folder with CLIP ViT-B/32 of random weights: their values do not affect speed."""
    folder = cache / "clip-vit-base-patch32"
    if not (folder / "model.safetensors").exists():
        tokenizer = CLIPTokenizer.from_pretrained(MODELS / MODEL)
        tokenizer.save_pretrained(folder)
        ids = {
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
            "vocab_size": len(tokenizer),
        }
        CLIPImageProcessorPil().save_pretrained(folder)
        CLIPModel(CLIPConfig(text_config=ids)).save_pretrained(folder)
    return folder


def real_clips(videos: Path) -> list[Path]:
    """Return the clips of a folder in the order of their names; none if the folder is missing."""
    return sorted(path for path in videos.glob("*") if path.suffix in SUFFIXES)


def h264_clips(videos: Path) -> list[Path]:
    """Return the H.264 clips of a folder."""
    found = []
    for path in real_clips(videos):
        with av.open(str(path)) as container:
            if container.streams.video[0].codec_context.name == "h264":
                found.append(path)
    return found


def _encode_minute(clips: list[Path], kind: Kind, target: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        if not clips:
            clips = [Path(folder) / "drawn.mp4"]
            draw_video(clips[0], cooking_scenes(5), size=(kind.width, kind.height), fps=RATE)
        limit = _PER_CLIP if len(clips) > 1 else _MINUTE
        part = _part(target)
        with av.open(str(part), "w") as output:
            options = {"g": str(kind.gop)} if kind.gop else {}
            stream = output.add_stream("libx264", rate=RATE, options=options)
            stream.width, stream.height, stream.pix_fmt = kind.width, kind.height, "yuv420p"
            rounds = chain.from_iterable(_pictures(clips, limit) for _ in range(_MINUTE))
            for number, picture in enumerate(islice(rounds, _MINUTE)):
                frame = picture.reformat(kind.width, kind.height, format="yuv420p")
                frame.pts, frame.time_base = number, Fraction(1, RATE)
                frame.pict_type = 0  # let the encoder decide, not the clip
                output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
    part.rename(target)


def _pictures(clips: list[Path], limit: int) -> Iterator[av.VideoFrame]:
    for clip in clips:
        with av.open(str(clip)) as container:
            container.streams.video[0].thread_type = "AUTO"
            yield from islice(container.decode(video=0), limit)


def _loop(minute: Path, target: Path, minutes: int) -> None:
    part = _part(target)
    with av.open(str(part), "w") as output:
        copy = None
        for number in range(minutes):
            with av.open(str(minute)) as source:
                stream = source.streams.video[0]
                copy = copy or output.add_stream_from_template(stream)
                if stream.time_base is None:
                    raise ValueError(f"{minute.name} has no time base")
                shift = int(60 * number / stream.time_base)
                for packet in source.demux(stream):
                    if packet.pts is not None and packet.dts is not None:
                        packet.pts += shift
                        packet.dts += shift
                        packet.stream = copy
                        output.mux(packet)
    part.rename(target)


def _part(target: Path) -> Path:
    """Return the path at which a file is written until it is complete."""
    target.parent.mkdir(parents=True, exist_ok=True)
    return target.with_name(f"{target.stem}.{os.getpid()}.part{target.suffix}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--minutes", type=int, nargs="+", default=[2])
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--videos", type=Path, default=VIDEOS)
    options = parser.parse_args()
    for kind in KINDS.values():
        for minutes in options.minutes:
            print(prepare(kind, minutes, cache=options.cache, videos=options.videos))


if __name__ == "__main__":
    main()
