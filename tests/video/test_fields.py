"""H.264 that may have fields: the frames, and their ids and times, are those of a full decode."""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_keyframes.video.av_video import AvVideo

from .clips import clip_named
from .field_pictures import field_stream, muxed
from .reference import decode_plainly, digest

both_ways = pytest.mark.parametrize("threads", [1, 3])
CONTAINERS = ["mpegts", "mp4", "matroska"]


def assert_exact(data: bytes, *, threads: int = 1) -> AvVideo:
    """Compare candidates and single frames with a decode of everything; return the video."""
    right = decode_plainly(data, threads=1)
    with AvVideo(io.BytesIO(data), threads=threads) as video:
        for fps in (1.0, 3.0, 100.0):
            frames = list(video.candidates(fps))
            assert [frame.frame_id for frame in frames] == right.candidates(Fraction(fps))
            for frame in frames:
                assert frame.timestamp == pytest.approx(float(right.times[frame.frame_id]))
                assert digest(frame._picture) == right.digests[frame.frame_id], frame
        for number in range(0, len(right.digests), 5):
            (frame,) = video.frames([number])
            assert digest(frame._picture) == right.digests[number], frame
    return video


@both_ways
@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize(
    "gops", [["ffffff"] * 4, ["pppppp", "fppfpf", "ffffff", "pppppp"], ["fPfPFFp"] * 3]
)
def test_fields(gops: Sequence[str], container: str, together: bool, threads: int) -> None:
    frames = field_stream(gops, together=together)
    video = assert_exact(muxed(frames, container), threads=threads)
    assert not video.sequential_reason


@pytest.mark.parametrize("together", [False, True])
def test_only_the_needed_fields_are_decoded(together: bool) -> None:
    """Both fields of frame 8, of the keyframe before it, and of no B-frame in between."""
    data = muxed(field_stream(["ffffff", "fFFfff", "ffffff"], together=together), "mp4")
    with AvVideo(io.BytesIO(data)) as video:
        assert [frame.frame_id for frame in video.frames([9])] == [9]
        assert video.counters.decoded == 4 * (1 if together else 2)
        assert video.counters.frames == 2


@both_ways
@pytest.mark.parametrize("container", ["mpegts", "matroska"])
@pytest.mark.parametrize("lost", [1, 2, 5, 12, 13, 16, 35])
def test_a_field_that_is_lost_makes_only_its_surroundings_doubtful(
    lost: int, container: str, threads: int
) -> None:
    data = muxed(field_stream(["ffffff"] * 3), container, lost=lost)
    video = assert_exact(data, threads=threads)
    assert "fields may be coded separately" in video.sequential_reason or lost == 12


@pytest.mark.parametrize(
    "name", ["h264 interlaced", "h264 interlaced mkv", "h264 progressive, marked as interlaced"]
)
def test_frames_in_a_stream_that_allows_fields_are_decoded_by_gops(name: str) -> None:
    video = assert_exact(clip_named(name))
    assert not video.sequential_reason
    with AvVideo(io.BytesIO(clip_named(name))) as video:
        list(video.candidates(0.5))
        assert video.counters.decoded < 30


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    gops=st.lists(st.text("fpFP", max_size=7).map("f".__add__), min_size=1, max_size=4),
    container=st.sampled_from(CONTAINERS),
    together=st.booleans(),
)
def test_any_mix(gops: list[str], container: str, together: bool) -> None:
    video = assert_exact(muxed(field_stream(gops, together=together), container), threads=2)
    assert not video.sequential_reason
