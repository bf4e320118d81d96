"""What decoding took is counted exactly, whichever path it took and wherever it stopped."""

from __future__ import annotations

import io

import pytest

from spark_keyframes.video.av_video import AvVideo

from .clips import FAST, clip_named, damaged

both_ways = pytest.mark.parametrize("threads", [1, 3])


def open_named(name: str, threads: int = 1) -> AvVideo:
    return AvVideo(io.BytesIO(clip_named(name)), threads=threads)


def counts(video: AvVideo) -> tuple[int, int]:
    return video.frames_decoded, video.frames_skipped


# Where a later frame's header names a B-frame that was left out with the leading frames of an open
# GOP, H.264's decoder calls that damage: what follows is decoded in sequence.
ONE_ATTEMPT = FAST.keys() - {"h264 open GOP mp4", "h264 open GOP ts"}


@both_ways
@pytest.mark.parametrize("name", sorted(ONE_ATTEMPT))
def test_each_frame_is_decoded_or_skipped(name: str, threads: int) -> None:
    with open_named(name, threads) as video:
        assert video.timeline is not None
        assert counts(video) == (0, len(video.timeline))
        candidates = len(list(video.candidates(0.5)))
        decoded, skipped = counts(video)
        assert decoded + skipped == len(video.timeline)
        assert decoded >= candidates


@both_ways
def test_frames_that_no_other_refers_to_are_skipped_within_a_gop(threads: int) -> None:
    with open_named("h264 mp4", threads) as video:
        list(video.frames([29]))
        assert video.counters.decoded > video.frames_decoded, "some were given and left out"
        assert sum(counts(video)) == 90


@both_ways
def test_every_keyframe_alone_is_one_frame_of_each_gop(threads: int) -> None:
    with open_named("h264 mp4", threads) as video:
        list(video.frames([0, 30, 60]))
        assert counts(video) == (3, 87)
        assert video.counters.decoded == 3


@both_ways
def test_a_frame_decoded_again_counts_again_and_is_not_skipped(threads: int) -> None:
    with open_named("mjpeg avi", threads) as video:
        list(video.frames([0, 1, 2]))
        list(video.frames([2, 3]))
        assert counts(video) == (5, 86)


@both_ways
def test_stopping_early_counts_what_was_done(threads: int) -> None:
    """No more than what threads had decoded ahead by then, once the video is closed."""
    with open_named("h264 mp4", threads) as video:
        frames = video.candidates(1000.0)
        next(frames)
    decoded, skipped = counts(video)
    assert decoded + skipped == 90
    assert decoded > 0
    assert video.counters.decoded >= decoded
    if threads == 1:
        assert skipped > 60, "the first GOP was not left"


@pytest.mark.parametrize("name", ["h264 avi", "mpeg4 mp4", "wmv"])
def test_in_sequence_all_is_decoded_and_nothing_skipped(name: str) -> None:
    with open_named(name) as video:
        list(video.candidates(0.5))
        assert counts(video) == (90, 0)
        assert video.counters.decoded == 90, "the flush at the end is no packet"


@both_ways
def test_damage_that_is_found_on_the_way_counts_both_attempts(threads: int) -> None:
    data = damaged(clip_named("h264 mp4"), 1)
    with AvVideo(io.BytesIO(data), threads=threads) as video:
        assert video.timeline is not None
        list(video.candidates(25.0))
        assert video.counters.decoded > len(video.timeline), "it was not decoded in sequence"
        assert video.frames_skipped < 5, "all that could be decoded came out"
        assert sum(counts(video)) > len(video.timeline), "what came out twice counts twice"
