"""Checks the answers of a decode process to requests for candidates without their pixels."""

from __future__ import annotations

import math

from spark_keyframes.limits import Limits
from spark_keyframes.video.interface import FrameTime
from spark_keyframes.video.process.answers import Fields, InvalidAnswerError, Times
from spark_keyframes.video.window import Window

TIMES_AT_ONCE = 2000
"""In an answer: so many fit into it, whatever their numbers are."""


class ExpectedTimes:
    """The candidates of a video, with those that the engine has received.

    It lives on when another process continues, so the candidates of both must fit together.
    """

    def __init__(self, limits: Limits, window: Window, *, least: int) -> None:
        """Expect the frames in a window, and at least so many."""
        self.received = 0
        self.complete = False
        self._least = least
        self._most = limits.max_frames
        self._frame_id = -1
        self._timestamp = window.start
        self._latest = math.nextafter(window.end, 0.0)

    def parse(self, fields: Fields) -> Times:
        """Parse the answer to a request for the next ones."""
        columns = [
            fields.values(name, TIMES_AT_ONCE)
            for name in ("frame_ids", "timestamps", "keyframe_packets")
        ]
        found: list[FrameTime] = []
        frame_id, timestamp = self._frame_id, self._timestamp
        try:
            for ids, times, flags in zip(*columns, strict=True):
                frame_id = ids.integer("frame_ids", frame_id + 1, self._most - 1)
                timestamp = times.number("timestamps", timestamp, self._latest)
                found.append(FrameTime(frame_id, timestamp, flags.flag("keyframe_packets")))
        except ValueError:
            raise InvalidAnswerError("lists of different lengths") from None
        if not found and self.received < self._least:
            raise InvalidAnswerError("no candidates")
        self.received += len(found)
        self.complete = not found
        self._frame_id, self._timestamp = frame_id, timestamp
        return Times(found)
