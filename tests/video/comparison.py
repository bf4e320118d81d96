"""Compares the frames of `AvVideo` with a decode of everything."""

from __future__ import annotations

import functools
import io
from collections.abc import Collection
from fractions import Fraction

import pytest

from spark_keyframes.video.av_video import AvVideo

from .clips import clip_named
from .reference import Reference, decode_plainly, digest


@functools.cache
def reference_of(name: str) -> Reference:
    """Return all frames of a clip."""
    return decode_plainly(clip_named(name))


def assert_any_frames(name: str, ids: Collection[int]) -> None:
    """Compare single frames of a clip."""
    reference = reference_of(name)
    with AvVideo(io.BytesIO(clip_named(name)), threads=1 + len(ids) % 2) as video:
        found = [(frame.frame_id, digest(frame._picture)) for frame in video.frames(list(ids))]
    assert found == [(number, reference.digests[number]) for number in sorted(ids)]


def assert_exact(data: bytes, *, reason: str = "", threads: int = 1) -> Reference:
    """Compare candidates and every fifth frame of a video; return all its frames.

    Args:
        data: the video.
        reason: a part of why it is decoded in sequence; empty: it is not.
        threads: of the decoder.
    """
    right = decode_plainly(data, threads=1)
    with AvVideo(io.BytesIO(data), threads=threads) as video:
        assert reason in video.sequential_reason
        assert bool(reason) == bool(video.sequential_reason)
        for fps in (1.0, 3.0, 5.0, 100.0):
            frames = list(video.candidates(fps))
            assert [frame.frame_id for frame in frames] == right.candidates(Fraction(fps))
            for frame in frames:
                assert frame.timestamp == pytest.approx(float(right.times[frame.frame_id]))
                assert digest(frame._picture) == right.digests[frame.frame_id], frame
        for number in range(0, len(right.digests), 5):
            (frame,) = video.frames([number])
            assert digest(frame._picture) == right.digests[number], frame
    return right
