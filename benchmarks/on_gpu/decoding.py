"""Whether NVDEC returns the pixels of the CPU's decoder, and how many videos it decodes."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import ColorRange

from benchmarks.inputs import KINDS, prepare
from benchmarks.on_gpu.figures import Figure, Setting
from spark_keyframes.errors import AcceleratorError
from spark_keyframes.video import CentreCrop, Decoder, DecoderName, make_decoder

_LOOKS_AT = CentreCrop(224, 224, 2)
_VIDEOS = 48
_MINUTES = 2


@dataclass(frozen=True)
class _Kind:
    """An encoding whose pixels are compared."""

    name: str
    codec: str = "libx264"
    format: str = "yuv420p"
    size: tuple[int, int] = (640, 360)
    options: dict[str, str] = field(default_factory=dict)
    full_range: bool = False


_KINDS = (
    _Kind("H.264"),
    _Kind("H.264, open GOPs", options={"x264-params": "open-gop=1:keyint=24"}),
    _Kind("H.264, full range", format="yuvj420p", full_range=True),
    _Kind("H.264, 722×406", size=(722, 406)),
    _Kind("H.264, interlaced", options={"x264-params": "interlaced=1"}),
    _Kind("H.264, 10 bits", format="yuv420p10le"),
    _Kind("H.264, 4:2:2", format="yuv422p"),
    _Kind("HEVC", "libx265", options={"x265-params": "log-level=none"}),
    _Kind("HEVC, 10 bits", "libx265", "yuv420p10le", options={"x265-params": "log-level=none"}),
    _Kind("VP9", "libvpx-vp9", options={"deadline": "realtime", "cpu-used": "8"}),
    _Kind("AV1", "libsvtav1", options={"preset": "12"}),
    _Kind("MPEG-4", "mpeg4"),
)


def measure(setting: Setting) -> Iterator[Figure]:
    """Compare the pixels of many encodings, then decode many long videos at once."""
    yield from _pixels(setting)
    kind, minutes = ("1080p", _MINUTES) if setting.on_gpu else ("tiny", 1)
    path = prepare(KINDS[kind], minutes, cache=setting.cache, videos=setting.videos)
    threads = os.cpu_count() or 1
    names: list[DecoderName] = ["process", "gpu", "auto"] if setting.on_gpu else ["process"]
    rates: dict[str, float] = {}
    for name in setting.while_time(names, "decoding by"):
        card = setting.device.index or 0 if setting.on_gpu else None
        try:
            with make_decoder(name, threads, card=card) as decoder:
                rates[name] = _rate(decoder, path, threads, setting)
        except AcceleratorError as error:
            yield Figure(f"decoding {kind}, decoder={name}", "failed", note=str(error)[:100])
            continue
        note = f"candidates at 1 fps of {_VIDEOS if setting.on_gpu else 2} videos, {threads} CPUs"
        yield Figure(f"decoding {kind}, decoder={name}", rates[name], "frames/s", note=note)
    if {"process", "auto"} <= rates.keys():
        times = rates["auto"] / rates["process"]
        yield Figure("NVDEC and CPUs together, against the CPUs", times, "times", ("≥", 2.0))


def _rate(decoder: Decoder, path: Path, threads: int, setting: Setting) -> float:
    """Return the candidates per second of all videos together."""

    def count(_: int) -> int:
        with path.open("rb") as file, decoder.open(file) as video:
            return sum(1 for _ in video.candidates(1.0, hold=False, looks_at=_LOOKS_AT))

    videos = threads + decoder.card_videos
    with ThreadPoolExecutor(videos) as pool:
        list(pool.map(count, range(videos if setting.on_gpu else 1)))  # processes start
        began = time.perf_counter()
        found = sum(pool.map(count, range(_VIDEOS if setting.on_gpu else 2)))
        return found / (time.perf_counter() - began)


def _pixels(setting: Setting) -> Iterator[Figure]:
    names: list[DecoderName] = ["process", "gpu" if setting.on_gpu else "thread"]
    for kind in setting.while_time(_KINDS, "pixels of"):
        path = setting.cache / f"{kind.name.replace(' ', '-').replace(',', '')}.mp4"
        try:
            if not path.exists():
                _encode(kind, path)
        except (av.error.FFmpegError, ValueError) as error:
            yield Figure(f"pixels, {kind.name}", "not made", note=str(error)[:60])
            continue
        found = []
        for name in names:
            try:
                with make_decoder(name, 2, card=0) as decoder:
                    found.append(_digests(decoder, path))
            except AcceleratorError as error:
                yield Figure("pixels of NVDEC", "failed", note=str(error)[:100])
                return
        same = sum(ours == theirs for ours, theirs in zip(*found, strict=False))
        share = 100 * same / max(map(len, found))
        yield Figure(f"pixels as the CPU's, {kind.name}", share, "%", ("=", 100.0))


def _digests(decoder: Decoder, path: Path) -> list[tuple[int, str]]:
    with path.open("rb") as file, decoder.open(file) as video:
        return [
            (frame.frame_id, hashlib.sha256(np.ascontiguousarray(frame.rgb)).hexdigest())
            for frame in video.candidates(5.0, hold=False)
        ]


def _encode(kind: _Kind, path: Path) -> None:
    """Draw 4 seconds that move and have detail."""
    width, height = kind.size
    rows, columns = np.mgrid[:height, :width]
    part = path.with_suffix(".part.mp4")
    with av.open(str(part), "w") as output:
        stream = output.add_stream(kind.codec, rate=Fraction(24), options=dict(kind.options))
        stream.width, stream.height, stream.pix_fmt = width, height, kind.format
        if kind.full_range:
            stream.codec_context.color_range = ColorRange.JPEG
        for number in range(96):
            picture = np.stack(
                [rows * 3 + 5 * number, columns * 2 - 7 * number, (rows ^ columns) + number], -1
            )
            frame = av.VideoFrame.from_ndarray(picture.astype(np.uint8), format="rgb24")
            frame = frame.reformat(format=kind.format)
            if kind.full_range:
                frame.color_range = ColorRange.JPEG
            frame.pts, frame.time_base = number, Fraction(1, 24)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    part.rename(path)
