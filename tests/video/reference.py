"""A reference without the code under test: decodes everything and picks candidates by time."""

from __future__ import annotations

import hashlib
import io
import math
from bisect import bisect_right
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import av
import numpy as np


def digest(picture: av.VideoFrame) -> bytes:
    """Return a hash of the pixels and their format, without the padding of rows."""
    # PyAV cannot convert subsampled frames of odd sizes to arrays.
    layout = "rgb24" if picture.width % 2 else picture.format.name
    pixels = np.ascontiguousarray(picture.to_ndarray(format=layout))
    shape = f"{picture.width}×{picture.height} {picture.format.name}".encode()
    return hashlib.blake2b(pixels, key=shape, digest_size=16).digest()


@dataclass
class Reference:
    """All frames of a video, in presentation order."""

    digests: list[bytes]
    """Hash of each frame: the frames themselves would fill the memory."""
    pts: list[int | None]
    times: list[Fraction]
    """Start of each frame, in seconds since the first."""
    end: Fraction

    def candidates(self, fps: Fraction) -> list[int]:
        """Return the indexes of the frames on screen at k/fps, none twice."""
        chosen: list[int] = []
        k = 0
        while (at := k / fps) < self.end:
            index = bisect_right(self.times, at) - 1
            if index not in chosen[-1:]:
                chosen.append(index)
            following = self.times[index + 1] if index + 1 < len(self.times) else self.end
            k = max(k + 1, math.ceil(following * fps))
        return chosen


def decode_plainly(data: bytes, *, threads: int = 0) -> Reference:
    """Decode with PyAV's defaults; skip damaged packets.

    How FFmpeg conceals damage depends on the number of threads, so damaged clips need threads=1.
    """
    digests: list[bytes] = []
    pts: list[int | None] = []
    dts: list[int | None] = []
    duration = 0
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        stream.codec_context.thread_count = threads
        time_base = stream.time_base
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.error.FFmpegError:
                continue
            for frame in frames:
                digests.append(digest(frame))
                pts.append(frame.pts)
                dts.append(frame.dts)
                duration = frame.duration
    assert time_base is not None
    known = [p for p in pts if p is not None]
    if len(known) < len(pts):
        times = [index / rate for index in range(len(pts))]
        return Reference(digests, pts, times, len(pts) / rate)
    if any(b < a for a, b in pairwise(known)):
        # The decoder knows better than these timestamps. A frame leaves it with a packet of a later
        # decoding time, always by the same delay; the last frames leave it without a packet.
        known = []
        for each in dts:
            known.append(known[-1] + duration if each is None else each)
    times = [(p - known[0]) * time_base for p in known]
    stay = duration * time_base
    if not stay:
        stay = times[-1] - times[-2] if len(times) > 1 else 1 / rate
    return Reference(digests, pts, times, times[-1] + stay)
