"""Checks the answers of a decode process to requests for pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence

from spark_keyframes.limits import Limits
from spark_keyframes.video.process.answers import (
    LARGEST,
    Answer,
    End,
    Failed,
    Fields,
    InvalidAnswerError,
    Picture,
    duration_of,
)
from spark_keyframes.video.window import Window


class ExpectedPictures:
    """The pictures that the engine asked for, with those that it has received.

    It lives on when another process continues, so the pictures of both must fit together.
    """

    def __init__(
        self,
        limits: Limits,
        *,
        frame_ids: Sequence[int] | None = None,
        count: int | None = None,
        window: Window = Window(),
    ) -> None:
        """Expect these frames.

        Args:
            limits: of the video.
            frame_ids: of the frames; None: candidates.
            count: number of candidates in a video with reliable timestamps; None: unknown.
            window: the part of the video with the candidates.
        """
        self.received = 0
        self._limits = limits
        self._frame_ids = frame_ids
        if frame_ids is None:
            self._least = int(window.is_whole)
            self._most = limits.max_frames if count is None else count
        else:
            self._least = self._most = len(frame_ids)
        self._frame_id = -1
        self._timestamp = window.start
        self._latest = math.nextafter(window.end, 0.0)

    def parse(self, fields: Fields) -> Picture | End:
        """Parse the answer to a request for the next one, which `accept` must then count."""
        if "end" in fields:
            if not fields.flag("end") or self.received < self._least:
                raise InvalidAnswerError(f"an end after {self.received} pictures")
            return End(duration_of(fields, self._timestamp if self.received else 0.0))
        if self.received >= self._most:
            raise InvalidAnswerError(f"more than {self._most} pictures")
        least, most = self._frame_id + 1, min(self._limits.max_frames - 1, LARGEST)
        if self._frame_ids is not None:
            least = most = self._frame_ids[self.received]
        most_pixels = self._limits.max_pixels
        height = fields.integer("height", 1, most_pixels)
        return Picture(
            frame_id=fields.integer("frame_id", least, most),
            timestamp=fields.number("timestamp", self._timestamp, self._latest),
            height=height,
            width=fields.integer("width", 1, most_pixels // height),
            nbytes=fields.integer("nbytes", 0, LARGEST),
            is_keyframe_packet=fields.flag("is_keyframe_packet"),
        )

    def accept(self, answer: Answer) -> None:
        """Count an answer as received."""
        if isinstance(answer, Picture):
            self.received += 1
            self._frame_id, self._timestamp = answer.frame_id, answer.timestamp
        elif isinstance(answer, Failed):
            self._least = 0  # after an error, requests that were already sent get an end
