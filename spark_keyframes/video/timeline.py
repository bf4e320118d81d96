"""When each frame is on screen, and which frames are candidates: pure functions of integers.

Candidate k is the frame on screen at start + k/fps seconds, k = 0, 1, …, while inside the video.
A frame is on screen from its own timestamp until the next frame's; the last one until the end of
the video, which is its timestamp plus its duration. Where the duration is unknown, the last frame
is taken to stay as long as the one before it. A frame is a candidate once, however long it stays.

So a frame is a candidate exactly if some k/fps falls into its half-open interval on screen. That
needs no look at any other frame: the rule is the same for a known timeline and for frames which
arrive one by one.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from spark_keyframes.errors import ParameterError

DEFAULT_RATE = Fraction(25)
"""Frames per second where nothing tells: what FFmpeg assumes of raw streams, too."""

_LARGEST_DENOMINATOR = 1_000_000


def exact_fps(fps: float) -> Fraction:
    """The rate that a person means by a float: 29.97 is 2997/100, 0.1 is 1/10, 1/3 is 1/3.

    Raises `ParameterError` unless fps is a finite number greater than 0.
    """
    if isinstance(fps, bool) or not isinstance(fps, int | float | Fraction):
        raise ParameterError(f"fps must be a number, got {fps!r}; use e.g. 1.0")
    if not math.isfinite(fps) or fps <= 0:
        raise ParameterError(
            f"fps must be greater than 0, got {fps}; use e.g. 0.5 for one frame every two seconds"
        )
    # The float 0.1 is a little more than 1/10: taken literally, k/fps would fall just before
    # each tenth second, on the frame before the one that is meant.
    return Fraction(fps).limit_denominator(_LARGEST_DENOMINATOR) or Fraction(fps)


def candidate_step(fps: float, time_base: Fraction) -> Fraction:
    """Time from one candidate to the next, in units of `time_base`."""
    return 1 / (exact_fps(fps) * time_base)


def is_candidate(start: int | Fraction, stop: int | Fraction, step: Fraction) -> bool:
    """Whether a multiple of `step` falls into [start, stop); all since the start of the video."""
    return math.ceil(start / step) * step < stop


@dataclass(frozen=True)
class Timeline:
    """The presented frames of a video, in presentation order."""

    pts: Sequence[int]
    """Presentation timestamps, strictly increasing, in units of `time_base`; at least one."""

    time_base: Fraction
    """Seconds per unit of `pts`."""

    end: int
    """When the last frame leaves the screen, in units of `time_base`."""

    def __len__(self) -> int:
        return len(self.pts)

    def seconds(self, frame_id: int) -> float:
        """When the frame appears, in seconds from the start of the video."""
        return float((self.pts[frame_id] - self.pts[0]) * self.time_base)

    def id_at(self, pts: int) -> int | None:
        """The frame that appears at exactly `pts`, in units of `time_base`; None: there is none."""
        frame_id = bisect_left(self.pts, pts)
        return frame_id if frame_id < len(self) and self.pts[frame_id] == pts else None

    def candidate_ids(self, fps: float) -> list[int]:
        """The candidates' frame ids, increasing; `ParameterError` unless fps > 0."""
        step = candidate_step(fps, self.time_base)
        first, numerator, denominator = self.pts[0], step.numerator, step.denominator
        ids = []
        for frame_id, pts in enumerate(self.pts):
            start = pts - first
            stop = (self.pts[frame_id + 1] if frame_id + 1 < len(self.pts) else self.end) - first
            # is_candidate() in integers: ten times as fast, and a day of video has 2.6 M frames.
            k = -(-start * denominator // numerator)
            if k * numerator < stop * denominator:
                ids.append(frame_id)
        return ids


def end_of(pts: Sequence[int], last_duration: int | None, *, frame_duration: int = 1) -> int:
    """When the last of `pts` leaves the screen.

    After its own duration if that is known, else after the time that the frame before it stayed,
    else (a single frame) after `frame_duration`.
    """
    if last_duration is not None and last_duration > 0:
        return pts[-1] + last_duration
    if len(pts) > 1:
        return pts[-1] + max(pts[-1] - pts[-2], 1)
    return pts[-1] + max(frame_duration, 1)
