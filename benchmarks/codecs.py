"""Compares the CPU time of decoding candidates with that of decoding everything, codec by codec.

    python -m benchmarks.codecs [--fps 1.0] [--rounds 5] [--seconds 20] [--only mpeg4]

Twenty seconds of all real clips, one after another, are encoded at 640×360, with a keyframe every
five seconds, by each of the encoders that PyAV has. One thread decodes them in three ways by turns:

    ours        the candidates, as they are decoded for scoring
    everything  each packet in sequence, by PyAV
    alone       by PyAV, each GOP from its keyframe up to its last candidate, and nothing skipped

The last is what a codec that is decoded in sequence would take if its GOPs could be decoded alone;
what comes out of it is not checked. Ratios are those of medians. All include opening and demuxing.
"""

from __future__ import annotations

import argparse
import io
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from itertools import islice
from pathlib import Path

import av
import numpy as np
from av.video.frame import PictureType

from benchmarks.inputs import real_clips
from benchmarks.scope import Scope
from benchmarks.section import Section, table
from spark_keyframes.video import open_video

RATE = 25
SIZE = (640, 360)
GOP = 5 * RATE
_X264 = {"preset": "medium", "threads": "1"}
_X265 = "log-level=none:pools=1:frame-threads=1"
_LAYERS = (
    "ts_number_layers=3:ts_target_bitrate=200,400,800:ts_rate_decimator=4,2,1:"
    "ts_periodicity=4:ts_layer_id=0,2,1,2:ts_layering_mode=3"
)
_CALL = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0", "b": "800k"}


@dataclass(frozen=True)
class Kind:
    """How to encode a clip."""

    title: str
    codec: str
    container: str
    options: dict[str, str] = field(default_factory=dict)
    pix_fmt: str = "yuv420p"


KINDS = (
    Kind("H.264", "libx264", "mp4", _X264),
    Kind("H.264, interlaced", "libx264", "mpegts", {**_X264, "x264-params": "interlaced=1"}),
    Kind(
        "H.264, marked as interlaced",
        "libx264",
        "mp4",
        {**_X264, "x264-params": "fake-interlaced=1"},
    ),
    Kind(
        "H.264, open GOPs, 7 B-frames",
        "libx264",
        "mp4",
        {**_X264, "x264-params": "open-gop=1:bframes=7:b-adapt=0:ref=4"},
    ),
    Kind("HEVC", "libx265", "mp4", {"preset": "fast", "x265-params": _X265}),
    Kind("AV1", "libsvtav1", "mp4", {"preset": "8", "svtav1-params": "lp=1"}),
    Kind("VP9", "libvpx-vp9", "webm", {"deadline": "good", "cpu-used": "4", "b": "800k"}),
    Kind("VP9 of a call", "libvpx-vp9", "webm", _CALL | {"ts-parameters": _LAYERS}),
    Kind(
        "VP9 of a call, error-resilient",
        "libvpx-vp9",
        "webm",
        _CALL | {"ts-parameters": _LAYERS, "error-resilient": "default"},
    ),
    Kind("VP8", "libvpx", "webm", {"deadline": "good", "cpu-used": "4", "b": "800k"}),
    Kind("MPEG-2", "mpeg2video", "mpegts", {"bf": "2", "b": "2M"}),
    Kind("MPEG-4 part 2", "mpeg4", "avi", {"bf": "2", "b": "1M"}),
    Kind("MPEG-4 part 2, no B-frames", "mpeg4", "mp4", {"b": "1M"}),
    Kind(
        "MPEG-4 part 2, interlaced B-frames",
        "mpeg4",
        "mp4",
        {"bf": "2", "b": "1M", "flags": "+ilme+ildct"},
    ),
    Kind("FLV1", "flv", "flv", {"b": "1M"}),
    Kind("WMV 7", "wmv1", "asf", {"b": "1M"}),
    Kind("WMV 8", "wmv2", "asf", {"b": "1M"}),
    Kind("MS MPEG-4 version 2", "msmpeg4v2", "avi", {"b": "1M"}),
    Kind("MS MPEG-4 version 3", "msmpeg4", "avi", {"b": "1M"}),
    Kind("MJPEG", "mjpeg", "avi", {"b": "8M"}, "yuvj420p"),
    Kind("ProRes", "prores_ks", "mov", pix_fmt="yuv422p10le"),
)


@dataclass(frozen=True)
class Found:
    """What was measured of a clip."""

    title: str
    ours: float
    """CPU seconds, as all times"""
    everything: float
    alone: float
    decoded: float
    """share of the packets that were decoded for the candidates"""
    reason: str
    """why the clip is decoded in sequence; empty if it is not"""


def pictures(sources: list[Path], count: int) -> list[av.VideoFrame]:
    """Return as many frames of each clip, scaled, or drawn ones if there are no clips."""
    if not sources:
        y, x = np.mgrid[0 : SIZE[1], 0 : SIZE[0]]
        drawn = (
            np.stack([x + number * 3, y + number * 2, x * y // 99 + number], axis=-1) % 256
            for number in range(count)
        )
        return [
            av.VideoFrame.from_ndarray(image.astype(np.uint8), format="rgb24") for image in drawn
        ]
    frames: list[av.VideoFrame] = []
    share = -(-count // len(sources))
    for source in sources:
        with av.open(str(source), "r") as container:
            for frame in islice(container.decode(video=0), share):
                frames.append(frame.reformat(*SIZE, format="yuv420p"))
    return frames[:count]


def encode(kind: Kind, frames: list[av.VideoFrame]) -> bytes:
    """Return the frames as a file."""
    os.environ["SVT_LOG"] = "0"  # that encoder would write to stderr
    file = io.BytesIO()
    with av.open(file, mode="w", format=kind.container) as output:
        stream = output.add_stream(kind.codec, rate=RATE, options=kind.options)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = *SIZE, kind.pix_fmt
        stream.codec_context.gop_size = GOP
        for number, frame in enumerate(frames):
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            frame.pict_type = PictureType.NONE  # the encoder decides
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return file.getvalue()


def decode_ours(data: bytes, fps: float) -> tuple[int, int, str]:
    """Decode the candidates; return the packets decoded, those of the file, and the reason."""
    with open_video(io.BytesIO(data)) as video:
        for _ in video.candidates(fps):
            pass
        return video.counters.decoded, len(video._table), video.sequential_reason


def decode_everything(data: bytes) -> None:
    """Decode each packet in sequence."""
    with av.open(io.BytesIO(data), "r") as container:
        container.streams.video[0].codec_context.thread_count = 1
        for _ in container.decode(video=0):
            pass


def decode_alone(data: bytes, fps: float) -> None:
    """Decode each GOP from its keyframe up to the packet of its last candidate."""
    with av.open(io.BytesIO(data), "r") as container:
        stream = container.streams.video[0]
        codec = stream.codec_context
        codec.thread_count = 1
        packets = [packet for packet in container.demux(stream) if packet.size]
        shown = sorted(packet.pts or 0 for packet in packets)
        wanted = set(shown[:: round(RATE / fps)])
        starts = [index for index, packet in enumerate(packets) if packet.is_keyframe]
        for start, stop in zip(starts, [*starts[1:], len(packets)], strict=True):
            gop = packets[start:stop]
            last = max((i for i, packet in enumerate(gop) if packet.pts in wanted), default=-1)
            codec.flush_buffers()
            for packet in [*gop[: last + 1], None]:
                try:
                    codec.decode(packet)
                except av.error.FFmpegError:
                    continue


def cpu_seconds(action: Callable[[], object]) -> float:
    """Return the CPU seconds of this process that an action takes."""
    began = time.process_time()
    action()
    return time.process_time() - began


def measure_kind(kind: Kind, frames: list[av.VideoFrame], fps: float, rounds: int) -> Found:
    """Let the three ways take turns."""
    data = encode(kind, frames)
    decoded, count, reason = decode_ours(data, fps)
    sides: list[Callable[[], object]] = [
        partial(decode_ours, data, fps),
        partial(decode_everything, data),
        partial(decode_alone, data, fps),
    ]
    turns = [[cpu_seconds(side) for side in sides] for _ in range(rounds)]
    ours, everything, alone = map(statistics.median, zip(*turns, strict=True))
    return Found(kind.title, ours, everything, alone, decoded / count, reason)


def run(sources: list[Path], *, fps: float, rounds: int, seconds: int, only: str) -> list[Found]:
    """Measure all kinds, or those whose encoder has a name that contains `only`."""
    frames = pictures(sources, seconds * RATE)
    found = []
    for kind in KINDS:
        if only in kind.codec:
            found.append(measure_kind(kind, frames, fps, rounds))
            print(*_row(found[-1]), sep=" | ", flush=True)
    return found


def _row(found: Found) -> list[str]:
    return [
        found.title,
        f"{found.everything:.2f} s",
        f"{found.ours / found.everything:.2f}",
        f"{found.alone / found.everything:.2f}",
        f"{found.decoded:.2f}",
        found.reason or "–",
    ]


_HEAD = ["", "everything", "ours", "GOPs alone", "packets decoded", "in sequence, because"]


def measure(scope: Scope) -> Section:
    """Measure all kinds of `KINDS`, as a part of the report."""
    sources = real_clips(scope.videos)
    rounds, seconds = (1, 5) if scope.quick else (scope.rounds, 20)
    found = run(sources, fps=1.0, rounds=rounds, seconds=seconds, only="")
    text = (
        "CPU time of the candidates of 20 s at 640×360, 1 fps, one thread, a keyframe every 5 s. "
        "“Ours” and “GOPs alone” are shares of the time that decoding everything by PyAV takes.\n\n"
    )
    return Section("Codec by codec", text + table(_HEAD, [_row(each) for each in found]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--fps", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--only", default="")
    root = Path(__file__).parents[1]
    parser.add_argument("--videos", type=Path, default=root.parent / "shared" / "videos")
    options = parser.parse_args()
    sources = real_clips(options.videos)
    print(*_HEAD, sep=" | ")
    run(
        sources,
        fps=options.fps,
        rounds=options.rounds,
        seconds=options.seconds,
        only=options.only,
    )


if __name__ == "__main__":
    main()
