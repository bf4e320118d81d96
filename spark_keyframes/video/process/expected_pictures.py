"""Checks the answers of a decode process to requests for pictures."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import astuple
from typing import Any

from spark_keyframes.limits import Limits
from spark_keyframes.video.interface import Ahead
from spark_keyframes.video.process.answers import (
    LARGEST,
    Answer,
    Count,
    End,
    Failed,
    Fields,
    InvalidAnswerError,
    OpenedAhead,
    Parse,
    Picture,
    Pictures,
    Totals,
    duration_of,
    opened,
    pictures_in,
)
from spark_keyframes.video.window import Window

AT_ONCE = 64
"""The most pictures of an answer."""


def arguments_of(asked: Ahead) -> dict[str, Any]:
    """Return the arguments of the command for these candidates."""
    crop = asked.looks_at and astuple(asked.looks_at)
    return {"fps": asked.fps, "hold": asked.hold, "looks_at": crop}


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
        totals: Callable[[Fields], Totals] | None = None,
    ) -> None:
        """Expect these frames.

        Args:
            limits: of the video.
            frame_ids: of the frames; None: candidates.
            count: number of candidates in a video with reliable timestamps; None: unknown.
            window: the part of the video with the candidates.
            totals: parses the counts of the video, if it is closed after the last picture.
        """
        self.received = 0
        self._limits = limits
        self._totals = totals
        self._frame_ids = frame_ids
        if frame_ids is None:
            self._least = int(window.is_whole)
            self._most = limits.max_frames if count is None else count
        else:
            self._least = self._most = len(frame_ids)
        self._frame_id = -1
        self._timestamp = window.start
        self._latest = math.nextafter(window.end, 0.0)

    @property
    def rest(self) -> dict[str, Any]:
        """The arguments of the command that asks for those that were not received yet."""
        if self._frame_ids is None:
            return {"skip": self.received, "close": self._totals is not None}
        return {"frame_ids": self._frame_ids[self.received :]}

    def with_opening(self, count_of: Callable[[Fields], Count]) -> Parse:
        """Return the parser for the opening of the video with their number and the first ones."""

        def parse(fields: Fields) -> OpenedAhead:
            video, count = opened(fields), count_of(fields).count
            if count is not None:
                self._most = count
            seconds, first = fields.number("seconds", 0.0, math.inf), None
            if not fields.is_null("first"):
                inner = fields.fields("first")
                first = self.parse(inner)
                inner.end()
            return OpenedAhead(video.stream_choice, video.duration, count, first, seconds)

        return parse

    def parse(self, fields: Fields) -> Pictures:
        """Parse the answer to a request for the next ones, which `accept` must then count."""
        last = self._frame_id, self._timestamp
        found: list[Picture] = []
        for each in fields.values("pictures", AT_ONCE):
            picture = each.fields("pictures")
            found.append(self._picture(picture, self.received + len(found), *last))
            picture.end()
            last = found[-1].frame_id, found[-1].timestamp
        end = None
        if "end" in fields:
            received = self.received + len(found)
            if received < self._least:
                raise InvalidAnswerError(f"an end after {received} pictures")
            inner = fields.fields("end")
            duration = duration_of(inner, last[1] if received else 0.0)
            end = End(duration, self._totals(inner) if self._totals else None)
            inner.end()
        elif not found:
            raise InvalidAnswerError("neither pictures nor an end")
        return Pictures(found, end)

    def _picture(
        self, fields: Fields, received: int, last_id: int, last_timestamp: float
    ) -> Picture:
        if received >= self._most:
            raise InvalidAnswerError(f"more than {self._most} pictures")
        least, most = last_id + 1, min(self._limits.max_frames - 1, LARGEST)
        if self._frame_ids is not None:
            least = most = self._frame_ids[received]
        most_pixels = self._limits.max_pixels
        height = fields.integer("height", 1, most_pixels)
        return Picture(
            frame_id=fields.integer("frame_id", least, most),
            timestamp=fields.number("timestamp", last_timestamp, self._latest),
            height=height,
            width=fields.integer("width", 1, most_pixels // height),
            nbytes=fields.integer("nbytes", 0, LARGEST),
            is_keyframe_packet=fields.flag("is_keyframe_packet"),
        )

    def accept(self, answer: Answer) -> None:
        """Count an answer as received."""
        if (found := pictures_in(answer)) is not None:
            for picture in found.pictures:
                self.received += 1
                self._frame_id, self._timestamp = picture.frame_id, picture.timestamp
        elif isinstance(answer, Failed):
            self._least = 0  # after an error, requests that were already sent get an end
