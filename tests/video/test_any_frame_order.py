"""Any structure of GOPs in any container: the candidates are those of a decode in sequence."""

from __future__ import annotations

import io
import os
from fractions import Fraction
from typing import Any

import av
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from spark_keyframes.video.av_video import AvVideo

from .clips import H264, H265, clip
from .reference import decode_plainly, digest
from .stored_times import decoding_times_only

_RUNS = int(os.environ.get("FRAME_ORDERS", "100"))
_COUNT = 40
B = 3
"""Type of a B-frame in PyAV."""

small = st.integers(0, 1)
STRUCTURES = st.fixed_dictionaries(
    {
        "codec": st.sampled_from(["libx264", "libx265", "mpeg4", "mpeg2video"]),
        "b_frames": st.integers(0, 4),
        "gop": st.sampled_from([1, 2, 5, 12, 100]),
        "is_open": small,
        "pyramid": small,
        "adapt": small,
        "gaps": st.dictionaries(st.integers(1, _COUNT - 4), st.integers(1, 200), max_size=3),
    }
)


def encoded(
    container: str,
    *,
    codec: str,
    b_frames: int,
    gop: int,
    is_open: int,
    pyramid: int,
    adapt: int,
    gaps: dict[int, int],
    decoding_times: bool = False,
) -> bytes:
    """Encode 40 frames; `gaps` maps a frame to the number of frames that are missing before it."""

    options = {"bf": str(min(b_frames, 2))}
    parameters = f"bframes={b_frames}:b-adapt={adapt}:keyint={gop}:min-keyint=1:open-gop={is_open}"
    if codec == "libx264":
        pyramids = ("none", "normal")
        options = {**H264, "x264-params": f"{parameters}:b-pyramid={pyramids[pyramid]}"}
    elif codec == "libx265":
        common = H265["x265-params"]
        # With one B-frame and a pyramid, x265 delays decoding times by a frame more than it says.
        pyramid = pyramid and b_frames > 1
        options = {**H265, "x265-params": f"{common}:{parameters}:b-pyramid={int(pyramid)}"}
    pts = [i + sum(gap for at, gap in gaps.items() if i >= at) for i in range(_COUNT)]
    return clip(
        codec,
        container,
        frames=_COUNT,
        gop=gop,
        options=options,
        pts=pts,
        packet_filter=decoding_times_only if decoding_times else None,
    )


def has_b_frames(data: bytes) -> bool:
    with av.open(io.BytesIO(data)) as container:
        return any(frame.pict_type == B for frame in container.decode(video=0))


def check(structure: dict[str, Any], container: str, *, decoding_times: bool, fps: float) -> None:
    true = decode_plainly(encoded("nut", **structure))
    data = encoded(container, **structure, decoding_times=decoding_times)
    plain = decode_plainly(data)
    # Without a B-frame, nothing tells by how many frames an encoder delays the decoding times. An
    # edit list may cut off frames.
    is_told = container == "avi" or (decoding_times and has_b_frames(data))
    right = true if is_told and plain.digests == true.digests else plain
    with AvVideo(io.BytesIO(data), threads=2) as video:
        for rate in (fps, 1000.0):
            frames = list(video.candidates(rate))
            assert [frame.frame_id for frame in frames] == right.candidates(Fraction(rate))
            for frame in frames:
                time = float(right.times[frame.frame_id])
                assert frame.timestamp == pytest.approx(time, abs=1e-3)
                assert digest(frame._picture) == right.digests[frame.frame_id]


CONTAINERS = st.sampled_from(
    [
        *(("mp4", True), ("mov", True), ("mpegts", True), ("flv", True), ("matroska", True)),
        *(("mp4", False), ("matroska", False), ("mpegts", False), ("avi", False)),
    ]
)
"""Each with decoding times in the place of presentation times, or as FFmpeg writes it."""
rates = st.sampled_from([0.5, 1.0, 3.0, 10.0])


def run(structure: dict[str, Any], container: tuple[str, bool], fps: float) -> None:
    name, decoding_times = container
    assume(name != "flv" or structure["codec"] == "libx264")
    assume(name != "avi" or structure["codec"] != "libx265")
    check(structure, name, decoding_times=decoding_times, fps=fps)


@settings(max_examples=8, deadline=None)
@given(structure=STRUCTURES, container=CONTAINERS, fps=rates)
def test_any_structure(structure: dict[str, Any], container: tuple[str, bool], fps: float) -> None:
    run(structure, container, fps)


@pytest.mark.slow
@settings(max_examples=_RUNS, deadline=None, suppress_health_check=list(HealthCheck))
@given(structure=STRUCTURES, container=CONTAINERS, fps=rates)
def test_many_structures(
    structure: dict[str, Any], container: tuple[str, bool], fps: float
) -> None:
    run(structure, container, fps)
