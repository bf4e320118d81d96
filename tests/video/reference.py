"""Candidates the plain way: decode everything, number it, pick by time. Independent of the code."""

from __future__ import annotations

import io
from dataclasses import dataclass
from fractions import Fraction

import av


@dataclass
class Reference:
    """Every frame that a plain decode gives, in order."""

    frames: list[av.VideoFrame]
    times: list[Fraction]
    """Seconds since the first frame."""
    end: Fraction

    def candidates(self, fps: Fraction) -> list[int]:
        """Indexes of the frames on screen at k/fps, each once."""
        chosen: list[int] = []
        k = 0
        while (at := k / fps) < self.end:
            index = max(i for i, time in enumerate(self.times) if time <= at)
            if index not in chosen[-1:]:
                chosen.append(index)
            k += 1
        return chosen


def decode_plainly(data: bytes, *, threads: int = 0) -> Reference:
    """Decode with PyAV's defaults; damaged packets are passed over.

    How FFmpeg conceals damage depends on the number of threads: damaged clips need threads=1.
    """
    frames: list[av.VideoFrame] = []
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        stream.codec_context.thread_count = threads
        time_base = stream.time_base
        reordered_avi = container.format.name == "avi" and stream.codec_context.has_b_frames
        for packet in container.demux(stream):
            try:
                frames += packet.decode()
            except av.error.FFmpegError:
                continue
    assert time_base is not None
    if reordered_avi or any(frame.pts is None for frame in frames):
        times = [index / rate for index in range(len(frames))]
        return Reference(frames, times, len(frames) / rate)
    start = frames[0].pts or 0
    times = [((frame.pts or 0) - start) * time_base for frame in frames]
    stay = frames[-1].duration * time_base
    if not stay:
        stay = times[-1] - times[-2] if len(times) > 1 else 1 / rate
    return Reference(frames, times, times[-1] + stay)
