"""Whether NVDEC returns the pixels of the CPU's decoder, and how many videos it decodes."""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorRange

from benchmarks.inputs import KINDS, prepare, prepare_warm_up
from benchmarks.on_gpu.figures import Figure, Setting
from spark_keyframes.video import CentreCrop, Decoder, DecoderName, make_decoder

_LOOKS_AT = CentreCrop(224, 224, 2)
_VIDEOS = 48
_MINUTES = 1


@dataclass(frozen=True)
class _Kind:
    """An encoding whose pixels are compared."""

    name: str
    codec: str = "libx264"
    format: str = "yuv420p"
    size: tuple[int, int] = (640, 360)
    options: dict[str, str] = field(default_factory=dict)
    full_range: bool = False
    on_card: bool = True
    """whether the card is to decode it, and not a CPU in its place"""


_KINDS = (
    _Kind("H.264"),
    _Kind("H.264, open GOPs", options={"x264-params": "open-gop=1:keyint=24"}),
    _Kind("H.264, full range", format="yuvj420p", full_range=True),
    _Kind("H.264, 722×406", size=(722, 406)),
    _Kind("H.264, interlaced", options={"x264-params": "interlaced=1"}),
    _Kind("H.264, 10 bits", format="yuv420p10le", on_card=False),
    _Kind("H.264, 4:2:2", format="yuv422p", on_card=False),
    _Kind("HEVC", "libx265", options={"x265-params": "log-level=none"}),
    _Kind("HEVC, 10 bits", "libx265", "yuv420p10le", options={"x265-params": "log-level=none"}),
    _Kind("VP9", "libvpx-vp9", options={"deadline": "realtime", "cpu-used": "8"}),
    _Kind(
        "VP9, 641×361",
        "libvpx-vp9",
        size=(641, 361),
        options={"deadline": "realtime", "cpu-used": "8"},
        on_card=False,
    ),
    _Kind("AV1", "libsvtav1", options={"preset": "12"}, on_card=False),
    _Kind("MPEG-4", "mpeg4", on_card=False),
)


def measure(setting: Setting) -> Iterator[Figure]:
    """Compare the pixels of many encodings, then decode many long videos at once."""
    for kind in setting.while_time(_KINDS, "pixels of"):
        try:
            yield from _pixels(kind, setting)
        except Exception as error:  # noqa: BLE001 - the others are worth the card's time
            yield Figure(f"pixels as the CPU's, {kind.name}", "failed", note=str(error)[:100])
    kind_name, minutes = ("1080p", _MINUTES) if setting.on_gpu else ("tiny", 1)
    path = prepare(KINDS[kind_name], minutes, cache=setting.cache, videos=setting.videos)
    names: list[DecoderName] = ["process", "gpu", "auto"] if setting.on_gpu else ["process"]
    rates: dict[str, float] = {}
    for name in setting.while_time(names, "decoding by"):
        what = f"decoding {kind_name}, decoder={name}"
        try:
            with left_to_cpus() as left, _decoder(name, os.cpu_count() or 1, setting) as decoder:
                rates[name] = _rate(decoder, path, setting)
        except Exception as error:  # noqa: BLE001 - as above
            yield Figure(what, "failed", note=str(error)[:100])
            continue
        note = f"{_VIDEOS if setting.on_gpu else 2} videos, {len(left)} left to CPUs"
        yield Figure(what, rates[name], "frames/s", note=note)
    if {"process", "auto"} <= rates.keys():
        times = rates["auto"] / rates["process"]
        yield Figure("NVDEC and CPUs together, against the CPUs", times, "times", ("≥", 2.0))


@contextmanager
def left_to_cpus() -> Iterator[list[str]]:
    """Collect the log's lines about videos that a card does not decode."""
    found: list[str] = []

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "because of the GPU" in record.msg:
                found.append(record.getMessage())

    logger, handler = logging.getLogger("spark_keyframes"), Lines()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield found
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def _decoder(name: DecoderName, threads: int, setting: Setting) -> Decoder:
    return make_decoder(name, threads, card=setting.device.index if setting.on_gpu else None)


def _rate(decoder: Decoder, path: Path, setting: Setting) -> float:
    """Return the candidates per second of all videos together."""

    def count(video: Path) -> int:
        with video.open("rb") as file, decoder.open(file) as opened:
            return sum(1 for _ in opened.candidates(1.0, hold=False, looks_at=_LOOKS_AT))

    warm_up = prepare_warm_up(cache=setting.cache)
    with ThreadPoolExecutor(decoder.videos_at_once) as pool:
        list(pool.map(count, [warm_up] * 2 * decoder.videos_at_once))  # processes start
        began = time.perf_counter()
        found = sum(pool.map(count, [path] * (_VIDEOS if setting.on_gpu else 2)))
        return found / (time.perf_counter() - began)


def _pixels(kind: _Kind, setting: Setting) -> Iterator[Figure]:
    path = setting.cache / f"{kind.name.replace(' ', '-').replace(',', '')}.mp4"
    if not path.exists():
        try:
            _encode(kind, path)
        except (av.error.FFmpegError, ValueError) as error:
            yield Figure(f"pixels, {kind.name}", "not made", note=str(error)[:60])
            return
    found = []
    names: list[DecoderName] = ["process", "gpu" if setting.on_gpu else "thread"]
    with left_to_cpus() as left:
        for name in names:
            with _decoder(name, 2, setting) as decoder:
                found.append(_digests(decoder, path))
    same = sum(ours == theirs for ours, theirs in zip(*found, strict=False))
    share = 100 * same / max(map(len, found))
    note = "by the CPU" if left else "by the card" if setting.on_gpu else ""
    yield Figure(f"pixels as the CPU's, {kind.name}", share, "%", ("=", 100.0), note)
    if setting.on_gpu and kind.on_card:
        reason = left[0].partition("GPU: ")[2] if left else ""
        yield Figure(f"videos left to CPUs, {kind.name}", len(left), "", ("=", 0.0), reason)


def _digests(decoder: Decoder, path: Path) -> list[tuple[int, str]]:
    with path.open("rb") as file, decoder.open(file) as video:
        return [
            (frame.frame_id, hashlib.sha256(frame.rgb.tobytes()).hexdigest())
            for frame in video.candidates(5.0, hold=False)
        ]


def _encode(kind: _Kind, path: Path) -> None:
    """Draw 4 seconds that move and have detail."""
    width, height = kind.size
    rows, columns = np.mgrid[:height, :width]
    part = path.with_suffix(".part.mp4")
    with av.open(str(part), "w") as output:
        stream: Any = output.add_stream(kind.codec, rate=Fraction(24), options=dict(kind.options))
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
