"""H.264 that may have fields: the frames, and their ids and times, are those of a full decode."""

from __future__ import annotations

import io
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_keyframes.video.av_video import AvVideo

from .clips import clip_named
from .comparison import assert_exact
from .field_pictures import field_stream, muxed

both_ways = pytest.mark.parametrize("threads", [1, 3])
CONTAINERS = ["mpegts", "mp4", "matroska"]


@both_ways
@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize(
    "gops", [["ffffff"] * 4, ["pppppp", "fppfpf", "ffffff", "pppppp"], ["fPfPFFp"] * 3]
)
def test_fields(gops: Sequence[str], container: str, together: bool, threads: int) -> None:
    frames = field_stream(gops, together=together)
    assert_exact(muxed(frames, container), threads=threads)


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
    assert_exact(data, reason="fields may be coded separately", threads=threads)


@pytest.mark.parametrize(
    "name", ["h264 interlaced", "h264 interlaced mkv", "h264 progressive, marked as interlaced"]
)
def test_frames_in_a_stream_that_allows_fields_are_decoded_by_gops(name: str) -> None:
    assert_exact(clip_named(name))
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
    assert_exact(muxed(field_stream(gops, together=together), container), threads=2)
