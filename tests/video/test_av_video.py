"""AvVideo returns exactly the frames of a full decode, in every way of decoding."""

from __future__ import annotations

import functools
import gc
import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_keyframes.errors import DecodeError, LimitError, ParameterError
from spark_keyframes.limits import Limits
from spark_keyframes.video.av_video import AvVideo
from spark_keyframes.video.frame import Frame

from .clips import FAST, H264, SEQUENTIAL, clip, clip_named, damaged, number_in
from .reference import Reference, decode_plainly, digest

RATES = (0.5, 1.0, 2.0, 30.0)
SHARED = Path(__file__).parents[3] / "shared" / "videos"
REAL = sorted(p.name for p in SHARED.glob("*") if p.suffix in {".mp4", ".webm"})


both_ways = pytest.mark.parametrize("threads", [1, 3])
"""One GOP after another, and three at the same time."""


def open_bytes(data: bytes, threads: int = 1, limits: Limits = Limits()) -> AvVideo:
    return AvVideo(io.BytesIO(data), threads=threads, limits=limits)


@functools.cache
def reference_of(name: str) -> Reference:
    return decode_plainly(clip_named(name))


def assert_same(frames: list[Frame], reference: Reference, indexes: list[int]) -> None:
    assert [frame.frame_id for frame in frames] == indexes
    for frame in frames:
        assert frame.timestamp == pytest.approx(float(reference.times[frame.frame_id]))
        assert digest(frame._picture) == reference.digests[frame.frame_id], frame


@both_ways
@pytest.mark.parametrize("name", FAST | SEQUENTIAL)
def test_candidates_equal_a_full_decode(name: str, threads: int) -> None:
    data = clip_named(name)
    reference = reference_of(name)
    with open_bytes(data, threads) as video:
        assert (video.sequential_reason == "") == (name in FAST), video.sequential_reason
        for fps in RATES:
            expected = reference.candidates(Fraction(fps))
            assert_same(list(video.candidates(fps)), reference, expected)
            assert video.candidate_count(fps) == (len(expected) if name in FAST else None)


@both_ways
@pytest.mark.parametrize("name", ["h264 mp4", "hevc mp4", "vp9 webm", "h264 avi"])
def test_frames_by_id_equal_a_full_decode(name: str, threads: int) -> None:
    data = clip_named(name)
    reference = reference_of(name)
    with open_bytes(data, threads) as video:
        for ids in ([0], [89], [31, 29, 30, 29], list(range(0, 90, 7)), []):
            assert_same(list(video.frames(ids)), reference, sorted(set(ids)))


def test_every_frame_can_be_decoded_alone() -> None:
    for name in ("h264 open GOP mp4", "hevc mp4", "mpeg2 ts", "hevc temporal layers"):
        data = clip_named(name)
        reference = reference_of(name)
        with open_bytes(data) as video:
            for frame_id in range(len(reference.digests)):
                assert_same(list(video.frames([frame_id])), reference, [frame_id])


@both_ways
@pytest.mark.parametrize(
    "name", ["h264 open GOP ts", "hevc ts", "hevc temporal layers", "mpeg2 ts"]
)
@settings(max_examples=25, deadline=None)
@given(ids=st.sets(st.integers(0, 89), max_size=12))
def test_any_set_of_frames_can_be_decoded(name: str, threads: int, ids: set[int]) -> None:
    reference = reference_of(name)
    with open_bytes(clip_named(name), threads) as video:
        assert_same(list(video.frames(list(ids))), reference, sorted(ids))


@pytest.mark.parametrize("name", ["h264 mp4", "h264 29.97", "vp8 webm", "hevc mp4", "mjpeg avi"])
def test_frame_ids_are_the_numbers_that_the_frames_show(name: str) -> None:
    with open_bytes(clip_named(name)) as video:
        frames = list(video.candidates(3.0))
    assert [number_in(frame.to_rgb()) for frame in frames] == [f.frame_id for f in frames]


def test_frames_outside_the_edit_list_do_not_count() -> None:
    with open_bytes(clip_named("h264 edit list")) as video:
        frames = list(video.candidates(1.0))
    assert [frame.frame_id for frame in frames] == [0, 25, 50, 75]
    assert [number_in(frame.to_rgb()) for frame in frames] == [12, 37, 62, 87]


@pytest.mark.parametrize(
    "name",
    ["h264 mp4", "h264 open GOP mp4", "h264 open GOP ts", "hevc mp4", "mpeg2 ts", "h264 29.97"],
)
def test_only_the_needed_packets_are_decoded(name: str) -> None:
    with open_bytes(clip_named(name)) as video:
        count = len(list(video.candidates(0.5)))
        assert count == 2
        # 90 frames in GOPs of 30; candidates 0 and 50: the second GOP up to frame 50 at most.
        assert video.counters.frames <= video.counters.decoded < 40
        assert 2 <= video.counters.frames < 30


def test_codecs_that_cannot_skip_frames_skip_whole_gops() -> None:
    for name in ("vp8 webm", "vp9 webm", "av1 mp4", "mjpeg avi"):
        with open_bytes(clip_named(name)) as video:
            assert len(list(video.candidates(0.5))) == 2
            assert video.counters.decoded < 40


@pytest.mark.parametrize(
    ("name", "gops"),
    [
        ("h264 mp4", 3),
        ("h264 open GOP mp4", 5),
        ("h264 open GOP ts", 5),
        ("hevc mp4", 3),
        ("hevc ts", 3),
        # Its packets flagged as keyframes begin a refresh, which is complete some frames later.
        ("h264 intra refresh", 1),
    ],
)
def test_decoding_starts_only_where_it_is_exact(name: str, gops: int) -> None:
    with open_bytes(clip_named(name)) as video:
        assert len(video._table.gop_starts) == gops


@both_ways
def test_b_frames_are_skipped_where_open_gops_cannot_be_decoded_alone(threads: int) -> None:
    """P-frames tell FFmpeg to forget reference B-frames that led the GOP."""
    name = "h264 open GOP, forgotten frames"
    reference = reference_of(name)
    with open_bytes(clip_named(name), threads) as video:
        assert len(video._table.gop_starts) == 5
        frames = list(video.candidates(1.0))
        assert len(video._table.gop_starts) == 1
        assert_same(frames, reference, reference.candidates(Fraction(1)))
        assert video.counters.frames < 60


@both_ways
def test_a_high_fps_gives_every_frame(threads: int) -> None:
    with open_bytes(clip_named("h264 mp4"), threads) as video:
        assert [f.frame_id for f in video.candidates(1000.0)] == list(range(90))


@both_ways
def test_packets_of_large_videos_are_read_again_instead_of_kept(
    monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    monkeypatch.setattr("spark_keyframes.video.packets._KEEP_BYTES", 100)
    for name in ("h264 mp4", "hevc ts", "h264 avi"):
        data = clip_named(name)
        reference = reference_of(name)
        with open_bytes(data, threads) as video:
            for _ in range(2):
                expected = reference.candidates(Fraction(2))
                assert_same(list(video.candidates(2.0)), reference, expected)
                assert_same(list(video.frames([40, 80])), reference, [40, 80])


@both_ways
@pytest.mark.parametrize(
    "seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 6))]
)
@pytest.mark.parametrize(
    "name", ["h264 mp4", "h264 open GOP ts", "hevc mp4", "mpeg2 ts", "vp9 webm"]
)
def test_damage_is_found_and_decoded_in_sequence(name: str, seed: int, threads: int) -> None:
    """Frames keep their ids; a frame that cannot be decoded is replaced by the one before.

    The seeds are fixed, and VP8 is left out: a codec that does not notice damage returns undefined
    pixels, the previous content of its buffer.
    """
    data = damaged(clip_named(name), seed)
    reference = decode_plainly(data, threads=1)
    by_pts = dict(zip(reference.pts, reference.digests, strict=True))
    with open_bytes(data, threads) as video:
        for fps in (1.0, 5.0, 25.0):
            frames = list(video.candidates(fps))
            ids = [frame.frame_id for frame in frames]
            assert ids == sorted(set(ids))
            if video.timeline is None:
                assert [digest(f._picture) for f in frames] == [reference.digests[i] for i in ids]
                continue
            shown = [i for i, pts in enumerate(video.timeline.pts) if pts in by_pts]
            wanted = video.timeline.candidate_ids(fps)
            before = [max((i for i in shown if i <= w), default=None) for w in wanted]
            assert ids == sorted({i for i in before if i is not None})
            for frame in frames:
                assert digest(frame._picture) == by_pts[video.timeline.pts[frame.frame_id]], frame


@pytest.mark.parametrize("name", ["h264 mp4", "h264 avi"])
def test_unknown_frame_ids_are_refused(name: str) -> None:
    with open_bytes(clip_named(name)) as video:
        for bad in (-1, 90):
            with pytest.raises(ParameterError, match=f"no frame {bad}"):
                list(video.frames([5, bad]))


@both_ways
def test_a_second_iterator_ends_the_first(threads: int) -> None:
    with open_bytes(clip_named("h264 mp4"), threads) as video:
        first = video.candidates(5.0)
        next(first)
        list(video.candidates(1.0))
        with pytest.raises(RuntimeError, match="another iterator"):
            next(first)


@both_ways
def test_frames_stay_usable_after_closing(threads: int) -> None:
    with open_bytes(clip_named("h264 mp4"), threads) as video:
        frames = list(video.candidates(1.0))
    assert [number_in(frame.to_rgb()) for frame in frames] == [0, 25, 50, 75]


@both_ways
@pytest.mark.parametrize("name", ["h264 mp4", "h264 turned", "h264 avi"])
def test_frames_are_freed_without_the_garbage_collector(name: str, threads: int) -> None:
    def frames_in_memory() -> int:
        return len([o for o in gc.get_objects() if type(o) is av.VideoFrame])

    gc.collect()
    gc.disable()
    try:
        before = frames_in_memory()
        with open_bytes(clip_named(name), threads) as video:
            for frame in video.candidates(1000.0):
                assert frame.nbytes > 0
                assert frame.to_rgb().size > 0
        del frame, video
        assert frames_in_memory() == before
    finally:
        gc.enable()


@both_ways
def test_too_large_frames_are_refused(threads: int) -> None:
    limits = Limits(max_pixels=50 * 50)
    for name in ("h264 mp4", "h264 raw", "vp9 webm"):
        with pytest.raises((LimitError, DecodeError), match=r"2500|decoded"):
            list(open_bytes(clip_named(name), threads, limits).candidates(1.0))


@both_ways
def test_the_frame_size_may_change_within_a_video(threads: int) -> None:
    small = clip("libx264", "mpegts", options=H264, frames=50)
    large = clip(
        "libx264", "mpegts", options=H264, frames=50, size=(160, 96), pts=list(range(50, 100))
    )
    data = small + large
    reference = decode_plainly(data)
    with open_bytes(data, threads) as video:
        frames = list(video.candidates(1.0))
        assert_same(frames, reference, reference.candidates(Fraction(1)))
    assert {(frame.width, frame.height) for frame in frames} == {(96, 64), (160, 96)}


@both_ways
def test_a_palette_in_the_first_packet_applies_to_all_frames(threads: int) -> None:
    palette = np.random.default_rng(0).integers(0, 256, (256, 4), dtype=np.uint8)

    def paint(frame: av.VideoFrame) -> av.VideoFrame:
        return av.VideoFrame.from_ndarray((frame.to_ndarray(format="gray"), palette), "pal8")

    data = clip("rawvideo", "avi", pix_fmt="pal8", prepare=paint)
    with av.open(io.BytesIO(data)) as container:
        expected = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
    for ids in ([50], [0, 25, 50, 75]):
        with open_bytes(data, threads) as video:
            frames = [(frame.frame_id, frame.to_rgb()) for frame in video.frames(ids)]
        assert [frame_id for frame_id, _ in frames] == ids
        for frame_id, rgb in frames:
            np.testing.assert_array_equal(rgb, expected[frame_id])


@pytest.mark.slow
@both_ways
@pytest.mark.shared
@pytest.mark.skipif(not REAL, reason="no real clips in ../shared/videos")
@pytest.mark.parametrize("name", REAL)
def test_real_clips_equal_a_full_decode(name: str, threads: int) -> None:
    data = (SHARED / name).read_bytes()
    reference = decode_plainly(data)
    with open_bytes(data, threads) as video:
        assert video.sequential_reason == ""
        for fps in RATES:
            expected = reference.candidates(Fraction(fps))
            assert_same(list(video.candidates(fps)), reference, expected)
            assert video.candidate_count(fps) == len(expected)
        some = list(range(3, len(reference.digests), 41))
        assert_same(list(video.frames(some)), reference, some)
