"""Times of frames, and which frames are candidates; pure functions of exact numbers.

Candidate k is the frame on screen at start + k/fps seconds, k = 0, 1, …, up to the end of the
video. A frame is on screen from its own timestamp until the next frame's. The last frame stays for
its duration; if that is unknown, for as long as the frame before it. No frame is a candidate twice.

So a frame is a candidate exactly if some k/fps lies in its half-open interval on screen. This does
not depend on other frames, so it also works for frames that arrive one by one.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from spark_keyframes.errors import ParameterError
from spark_keyframes.video.window import Window

DEFAULT_RATE = Fraction(25)
"""Frames per second of streams without a rate; FFmpeg assumes the same for raw streams."""

LONGEST_STAY = 60
"""Seconds of a frame on screen that count towards `max_video_seconds`; a longer stay is a jump in
the timestamps, as of a recorder that was paused, or of joined files."""

_LARGEST_DENOMINATOR = 1_000_000


def exact_fps(fps: float) -> Fraction:
    """Return the simple fraction that a float stands for: 2997/100 for 29.97, 1/10 for 0.1.

    Raises:
        ParameterError: fps is not a finite number greater than 0.
    """
    if isinstance(fps, bool) or not isinstance(fps, int | float | Fraction):
        raise ParameterError(f"fps must be a number, got {fps!r}; use e.g. 1.0")
    if not math.isfinite(fps) or fps <= 0:
        raise ParameterError(
            f"fps must be greater than 0, got {fps}; use e.g. 0.5 for one frame every two seconds"
        )
    # The float 0.1 is slightly more than 1/10. Its exact value would put k/fps just before each
    # tenth second, on the frame before the intended one.
    return Fraction(fps).limit_denominator(_LARGEST_DENOMINATOR) or Fraction(fps)


def longest_stay(time_base: Fraction) -> int:
    """Return `LONGEST_STAY` in whole units of `time_base`."""
    return min(math.floor(LONGEST_STAY / time_base), 2**63 - 1)


def candidate_step(fps: float, time_base: Fraction) -> Fraction:
    """Return the time between two candidates, 1/fps, in units of `time_base`."""
    return 1 / (exact_fps(fps) * time_base)


def is_candidate(start: int | Fraction, stop: int | Fraction, step: Fraction) -> bool:
    """Return whether a multiple of `step` lies in [start, stop), relative to the video's start."""
    return math.ceil(start / step) * step < stop


@dataclass(frozen=True)
class Timeline:
    """The presented frames of a video, in presentation order."""

    pts: Sequence[int]
    """Presentation timestamps, strictly increasing, in units of `time_base`; at least one."""

    time_base: Fraction
    """Seconds per unit of `pts`."""

    end: int
    """End of the last frame, in units of `time_base`."""

    def __len__(self) -> int:
        return len(self.pts)

    def seconds(self, frame_id: int) -> float:
        """Return the start of the frame, in seconds from the start of the video."""
        return float((self.pts[frame_id] - self.pts[0]) * self.time_base)

    @property
    def duration(self) -> float:
        """Seconds from the start of the first frame to the end of the last."""
        return float((self.end - self.pts[0]) * self.time_base)

    def within(self, frame_ids: Sequence[int], window: Window) -> Sequence[int]:
        """Return those of the frames, whose ids increase, that are in the window."""
        if window.is_whole:
            return frame_ids
        start = bisect_left(frame_ids, window.start, key=self.seconds)
        return frame_ids[start : bisect_left(frame_ids, window.end, key=self.seconds)]

    @property
    def sound_seconds(self) -> float:
        """Seconds that the video plays, of each frame at most `LONGEST_STAY`."""
        return self.sound_seconds_in(Window())

    def sound_seconds_in(self, window: Window) -> float:
        """Return how long the frames of a window play, each for at most `LONGEST_STAY`."""
        frames = self.within(range(len(self)), window)
        if not frames:
            return 0.0
        following = frames[-1] + 1
        end = self.pts[following] if following < len(self) else self.end
        # A difference of two int64 may not fit into int64, but it fits into uint64.
        stays = np.diff(np.asarray(self.pts, np.int64)[frames[0] : following].view(np.uint64))
        last = end - self.pts[frames[-1]]
        longest = longest_stay(self.time_base)
        is_sound = stays <= longest
        jumps = len(stays) - int(is_sound.sum()) + (last > longest)
        ticks = int(stays[is_sound].sum()) + (last if last <= longest else 0)
        return float(ticks * self.time_base + jumps * LONGEST_STAY)

    def id_at(self, pts: int) -> int | None:
        """Return the id of the frame whose timestamp is exactly `pts`; None if there is none."""
        frame_id = bisect_left(self.pts, pts)
        return frame_id if frame_id < len(self) and self.pts[frame_id] == pts else None

    def candidate_ids(self, fps: float) -> list[int]:
        """Return the frame ids of the candidates, increasing; ParameterError unless fps > 0."""
        step = candidate_step(fps, self.time_base)
        first, numerator, denominator = self.pts[0], step.numerator, step.denominator
        ids = []
        for frame_id, pts in enumerate(self.pts):
            start = pts - first
            stop = (self.pts[frame_id + 1] if frame_id + 1 < len(self.pts) else self.end) - first
            # Same as is_candidate(), but in integers, which is ten times faster. A day of video has
            # 2.6 million frames.
            k = -(-start * denominator // numerator)
            if k * numerator < stop * denominator:
                ids.append(frame_id)
        return ids


def end_of(pts: Sequence[int], last_duration: int | None, *, frame_duration: int = 1) -> int:
    """Return the end of the last frame, in the units of `pts`.

    The last frame stays for `last_duration` if that is known, otherwise for as long as the frame
    before it. A single frame stays for `frame_duration`.
    """
    if last_duration is not None and last_duration > 0:
        return pts[-1] + last_duration
    if len(pts) > 1:
        return pts[-1] + max(pts[-1] - pts[-2], 1)
    return pts[-1] + max(frame_duration, 1)
