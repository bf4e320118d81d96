"""Decoded and skipped frames are counted exactly, in every way of decoding."""

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


# In the other two clips, FFmpeg's H.264 decoder reports damage where a frame refers to a skipped
# leading frame of an open GOP. The rest is then decoded a second time, in sequence.
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
def test_non_reference_frames_are_skipped_within_a_gop(threads: int) -> None:
    with open_named("h264 mp4", threads) as video:
        list(video.frames([29]))
        assert video.counters.decoded > video.frames_decoded, "the decoder skipped some packets"
        assert sum(counts(video)) == 90


@both_ways
def test_only_the_first_frame_of_each_gop_is_decoded_if_no_other_is_wanted(threads: int) -> None:
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
def test_stopping_early_counts_the_frames_decoded_so_far(threads: int) -> None:
    """The counts are complete once the video is closed; threads may have decoded ahead."""
    with open_named("h264 mp4", threads) as video:
        frames = video.candidates(1000.0)
        next(frames)
    decoded, skipped = counts(video)
    assert decoded + skipped == 90
    assert decoded > 0
    assert video.counters.decoded >= decoded
    if threads == 1:
        assert skipped > 60, "nothing after the first GOP was decoded"


@pytest.mark.parametrize("name", ["h264 avi", "msmpeg4v3 avi", "mpeg4 interlaced with B-frames"])
def test_decoding_in_sequence_skips_nothing(name: str) -> None:
    with open_named(name) as video:
        list(video.candidates(0.5))
        assert counts(video) == (90, 0)
        assert video.counters.decoded == 90, "the flush at the end does not count as a packet"


@both_ways
def test_both_attempts_count_if_damage_is_found_while_decoding(threads: int) -> None:
    data = damaged(clip_named("h264 mp4"), 1)
    with AvVideo(io.BytesIO(data), threads=threads) as video:
        assert video.timeline is not None
        list(video.candidates(25.0))
        assert video.counters.decoded > len(video.timeline), "the second attempt did not count"
        assert video.frames_skipped < 5, "all undamaged frames were returned"
        assert sum(counts(video)) > len(video.timeline), "a frame returned twice counts twice"
