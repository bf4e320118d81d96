"""A video with an odd place: frames, ids and times are those of a decode in sequence."""

from __future__ import annotations

import functools
import io
import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from spark_keyframes.errors import KeyframesError
from spark_keyframes.video import packets as packets_module
from spark_keyframes.video.av_video import AvVideo

from .clips import H264, H265, clip
from .odd_files import Coded, flv, matroska, read, without_stamp, without_ts_packets
from .reference import digest

_RUNS = int(os.environ.get("ODDITIES", "25"))
_COUNT = 60

Seen = list[tuple[int, float, bytes, bool]]


@functools.lru_cache(maxsize=400)
def encoded(codec: str, container: str, gop: int, b_frames: int, is_open: int, style: int) -> bytes:
    """Encode 60 frames; `style` is another encoder setting or, from 2 on, another size."""
    options = {"bf": str(min(b_frames, 2))} if codec in {"mpeg2video", "mpeg4"} else {}
    parameters = f"bframes={b_frames}:keyint={gop}:min-keyint=1:open-gop={is_open}"
    parameters += ":scenecut=0"
    if codec == "libx264":
        parameters += ":b-pyramid=none" if style % 2 else ""
        options = {**H264, "x264-params": parameters}
    elif codec == "libx265":
        options = {**H265, "x265-params": f"{H265['x265-params']}:{parameters}"}
    elif codec in {"libvpx", "libvpx-vp9"}:
        options = {"auto-alt-ref": "1", "lag-in-frames": "8", "deadline": "realtime"}
        options["cpu-used"] = "8"
    pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    size = (96, 64) if style < 2 else (128, 64)
    return clip(
        codec, container, frames=_COUNT, gop=gop, options=options, pix_fmt=pix_fmt, size=size
    )


def seen(data: bytes, fps: float, ids: list[int]) -> tuple[Seen, Seen, float | None, str]:
    """Return the candidates unless fps is 0, some frames by id, the duration, and an error."""

    def facts(frames: Any) -> Seen:
        return [(f.frame_id, f.timestamp, digest(f._picture), f.is_keyframe_packet) for f in frames]

    found: Seen = []
    by_id: Seen = []
    error = ""
    with AvVideo(io.BytesIO(data), threads=2) as video:
        try:
            if fps:
                found = facts(video.candidates(fps))
            by_id = facts(video.frames(ids))
        except KeyframesError as problem:
            error = str(problem)
        return found, by_id, video.duration, error


def check(data: bytes, fps: float, ids: list[int]) -> None:
    """Compare with a decode of everything in sequence."""
    original = packets_module.find_stretches
    try:
        packets_module.find_stretches = lambda *_: []
        right = [seen(data, rate, ids) for rate in (fps, 1000.0)]
    finally:
        packets_module.find_stretches = original
    joined = packets_module.join_short
    try:
        # Short parts between odd places are sound too.
        packets_module.join_short = lambda stretches: stretches
        compare(data, fps, ids, right)
    finally:
        packets_module.join_short = joined
    compare(data, fps, ids, right)


def compare(data: bytes, fps: float, ids: list[int], right: list[Any]) -> None:
    undefined = damaged_in(data)
    for rate, expected in zip((fps, 1000.0), right, strict=True):
        found, by_id, duration, error = seen(data, rate, ids)
        assert (duration, error) == expected[2:]
        assert defined(found, undefined) == defined(expected[0], undefined)
        assert defined(by_id, undefined) == defined(expected[1], undefined)
    _, by_id, _, error = seen(data, 0, ids)
    assert error == right[0][3]
    assert defined(by_id, undefined) == defined(right[0][1], undefined)


def damaged_in(data: bytes) -> set[int]:
    """Return the frames around damage. FFmpeg conceals it with what is left in its memory."""
    found: set[int] = set()
    frame_id = 0
    with AvVideo(io.BytesIO(data)) as video, suppress(KeyframesError):
        list(video.candidates(1000.0))
        for part in video._stretches._parts if video._stretches else ():
            count = len(part.frames if part.stamps is None else part.stamps)
            if "corrupt" in part.reason:
                found.update(range(frame_id, frame_id + count))
            frame_id += count
    return found


def defined(frames: Seen, undefined: set[int]) -> list[tuple[Any, ...]]:
    return [
        (number, time, None if number in undefined else pixels, is_keyframe)
        for number, time, pixels, is_keyframe in frames
    ]


def repeated(packets: list[Coded], at: int, count: int) -> list[Coded]:
    return packets[: at + count] + packets[at:]


def restarted(packets: list[Coded], at: int, count: int) -> list[Coded]:
    """The times begin again at a packet."""
    start = min((p.pts for p in packets[at:]), default=0)
    return packets[:at] + [p.later(-start) for p in packets[at:]]


def jumped(packets: list[Coded], at: int, count: int) -> list[Coded]:
    return packets[:at] + [p.later(count * 5000) for p in packets[at:]]


def cut(packets: list[Coded], at: int, count: int) -> list[Coded]:
    return packets[count:]


def dropped(packets: list[Coded], at: int, count: int) -> list[Coded]:
    return packets[:at] + packets[at + count :]


def same_time(packets: list[Coded], at: int, count: int) -> list[Coded]:
    at = min(at, len(packets) - 1)
    again = packets[at].later(packets[max(0, at - count)].pts - packets[at].pts)
    return [*packets[:at], again, *packets[at + 1 :]]


def shuffled(packets: list[Coded], at: int, count: int) -> list[Coded]:
    return (
        packets[:at]
        + packets[at + count : at + 2 * count]
        + packets[at : at + count]
        + packets[at + 2 * count :]
    )


ODDITIES: list[Callable[[list[Coded], int, int], list[Coded]]] = [
    *(repeated, restarted, jumped, cut, dropped, same_time, shuffled)
]
places = st.tuples(st.integers(1, _COUNT - 2), st.integers(1, 20))
structures = st.tuples(
    st.sampled_from(
        ["libx264", "libx264", "libx265", "mpeg2video", "mpeg4", "libvpx", "libvpx-vp9", "mjpeg"]
    ),
    st.sampled_from([1, 4, 9, 20]),
    st.integers(0, 3),
    st.integers(0, 1),
    st.integers(0, 3),
)
rates = st.sampled_from([0.5, 1.0, 3.0, 10.0])
wanted = st.lists(st.integers(0, _COUNT + 10), min_size=1, max_size=5)
oddities = st.lists(st.tuples(st.sampled_from(ODDITIES), places), min_size=1, max_size=2)


def run_packets(structure: Any, made: Any, container: str, fps: float, ids: list[int]) -> None:
    codec, gop, b_frames, is_open, style = structure
    assume(container != "flv" or codec == "libx264")
    stream, coded = read(encoded(codec, "matroska", gop, b_frames, is_open, style))
    for change, (at, count) in made:
        # FFmpeg's decoders of these do not notice it, and return undefined pixels.
        assume(codec not in {"libvpx", "libvpx-vp9"} or change not in {dropped, shuffled})
        coded = change(coded, at, count)
    assume(coded and min(p.pts for p in coded) >= 0)
    if container == "flv":
        other_style = (style + 1) % 4
        other = read(encoded(codec, "matroska", gop, b_frames, is_open, other_style))
        half = len(coded) // 2
        data = flv((stream, coded[:half]), other, (stream, coded[half:]))
    else:
        data = matroska(stream, coded)
    check(data, fps, ids)


def run_ts(structure: Any, kind: int, place: tuple[int, int], fps: float, ids: list[int]) -> None:
    codec, gop, b_frames, is_open, style = structure
    assume(codec in {"libx264", "libx265", "mpeg2video"})
    data = encoded(codec, "mpegts", gop, b_frames, is_open, style)
    count = len(data) // 188
    at = 3 + place[0] * (count - 4) // _COUNT
    if kind == 0:
        data = without_ts_packets(data, at, place[1])
    elif kind == 1:
        data += encoded(codec, "mpegts", 9, 2, 0, (style + 2) % 4)
    elif kind == 2:
        data = data[: at * 188] + data
    else:
        data = without_stamp(data, place[0] % 50)
    check(data, fps, ids)


# A few of each kind in the quick tests, always the same.
_FEW = settings(max_examples=3, derandomize=True, deadline=None, phases=[Phase.generate])


@pytest.mark.parametrize("change", ODDITIES, ids=lambda change: change.__name__)
@_FEW
@given(st.sampled_from(["libx264", "libx265"]), st.integers(0, 1), places)
def test_one_odd_place(change: Any, codec: str, is_open: int, place: tuple[int, int]) -> None:
    structure = (codec, 9, 2, is_open, 0)
    run_packets(structure, [(change, place)], "matroska", 3.0, [0, 30, 33, 59])


@pytest.mark.parametrize("kind", range(4), ids=["lost", "joined", "cut and joined", "no stamp"])
@_FEW
@given(places)
def test_one_odd_transport_stream(kind: int, place: tuple[int, int]) -> None:
    run_ts(("libx264", 9, 2, 0, 0), kind, place, 3.0, [0, 30, 33, 59])


@pytest.mark.slow
@settings(max_examples=_RUNS, deadline=None, suppress_health_check=list(HealthCheck))
@given(structures, oddities, st.sampled_from(["matroska", "matroska", "flv"]), rates, wanted)
def test_odd_packets(structure: Any, made: Any, container: str, fps: float, ids: list[int]) -> None:
    run_packets(structure, made, container, fps, ids)


@pytest.mark.slow
@settings(max_examples=_RUNS, deadline=None, suppress_health_check=list(HealthCheck))
@given(structures, st.integers(0, 3), places, rates, wanted)
def test_odd_transport_streams(
    structure: Any, kind: int, place: tuple[int, int], fps: float, ids: list[int]
) -> None:
    run_ts(structure, kind, place, fps, ids)
