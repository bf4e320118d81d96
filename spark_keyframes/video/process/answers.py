"""Checks the answers of a decode process before the engine uses them.

A video may have taken control of the process. So an answer must have exactly the fields that were
asked for, of the right types, within the limits of the video; anything else is InvalidAnswerError.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from spark_keyframes import errors
from spark_keyframes.errors import STAGES
from spark_keyframes.limits import Limits
from spark_keyframes.redaction import redact_text
from spark_keyframes.video.interface import FrameTime
from spark_keyframes.video.timeline import LONGEST_STAY, exact_fps
from spark_keyframes.video.window import Window

_MAX_TEXT = 10_000  # characters of a message or traceback; the process sends no more
LARGEST = 2**63 - 1  # of Spark's bigint

# Errors that a decode process raises about a video.
_REPORTED = (
    errors.AcceleratorError,
    errors.DecodeError,
    errors.EncryptedVideoError,
    errors.LimitError,
    errors.NoFramesError,
    errors.NoVideoStreamError,
    errors.NotAVideoError,
    errors.ParameterError,
    errors.SourceReadError,
    errors.WindowError,
)


class InvalidAnswerError(Exception):
    """A decode process sent something else than what it was asked for."""


@dataclass(frozen=True, slots=True)
class Done:
    """The command was executed."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The video is open."""

    stream_choice: str
    """Of `Video`."""
    duration: float | None
    """Of `Video`."""


@dataclass(frozen=True, slots=True)
class Count:
    """The number of candidates; None if only decoding can tell."""

    count: int | None


@dataclass(frozen=True, slots=True)
class Times:
    """Candidates without their pixels; none at the end."""

    frames: list[FrameTime]


@dataclass(frozen=True, slots=True)
class Picture:
    """A frame in a buffer; see `RgbFrame`."""

    frame_id: int
    timestamp: float
    height: int
    width: int
    nbytes: int
    is_keyframe_packet: bool

    @property
    def size(self) -> int:
        """Bytes in the buffer, where each picture begins at the end of the one before."""
        return self.height * self.width * 3


@dataclass(frozen=True, slots=True)
class Totals:
    """The counts of a video at its end; see `Video`."""

    decoded: int
    skipped: int
    doubtful: int
    again: int
    must_be_replaced: bool
    """Whether the process must decode no other video."""


@dataclass(frozen=True, slots=True)
class End:
    """There is no other frame."""

    duration: float | None
    """Of `Video`."""
    totals: Totals | None
    """Of the video, where it was closed at its end."""


@dataclass(frozen=True, slots=True)
class Pictures:
    """The next frames, one after the other in a buffer; at least one, unless they end."""

    pictures: list[Picture]
    end: End | None
    """What is known once there is no other frame."""


@dataclass(frozen=True, slots=True)
class OpenedAhead(Opened):
    """The video is open, and its candidates are being decoded."""

    count: int | None
    """Number of candidates; None if only decoding can tell."""
    first: Pictures | None
    """The first of them; None: why there are none is said when the next are asked for."""
    seconds: float
    """Wall-clock seconds that it took to decode them, as the process says."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The command failed."""

    error: Exception | None
    """None: the engine could not read the file, and knows why."""
    must_be_replaced: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """The card does not decode this video."""

    why: str


Answer = Done | Opened | Count | Times | Pictures | Totals | Failed | Refused


def pictures_in(answer: Answer) -> Pictures | None:
    """Return the pictures that come with an answer."""
    if isinstance(answer, OpenedAhead):
        return answer.first
    return answer if isinstance(answer, Pictures) else None


class Fields:
    """The fields of an answer. Each method takes one out and checks it."""

    def __init__(self, fields: object) -> None:
        if not isinstance(fields, dict):
            raise InvalidAnswerError(f"{_shown(fields)} in place of fields")
        self._left = dict(fields)

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def take(self, name: str) -> Any:
        """Return a field of any type."""
        if name not in self._left:
            raise InvalidAnswerError(f"no {name}")
        return self._left.pop(name)

    def integer(self, name: str, least: int, most: int) -> int:
        """Return an integer of these bounds."""
        value = self.take(name)
        if type(value) is not int or not least <= value <= most:
            raise InvalidAnswerError(f"{name} {_shown(value)}, which is not {least} to {most}")
        return value

    def number(self, name: str, least: float, most: float) -> float:
        """Return a finite float of these bounds."""
        value = self.take(name)
        if not isinstance(value, float) or not least <= value <= most or math.isinf(value):
            raise InvalidAnswerError(f"{name} {_shown(value)}, which is not {least:g} to {most:g}")
        return value

    def flag(self, name: str) -> bool:
        """Return a boolean."""
        value = self.take(name)
        if not isinstance(value, bool):
            raise InvalidAnswerError(f"{name} {_shown(value)}, which is not true or false")
        return value

    def values(self, name: str, most: int) -> Iterator[Fields]:
        """Return each value of a list of at most this length, as fields with this name."""
        value = self.take(name)
        if not isinstance(value, list) or len(value) > most:
            raise InvalidAnswerError(f"{name} {_shown(value)}, which is no list of up to {most}")
        return (Fields({name: each}) for each in value)

    def fields(self, name: str) -> Fields:
        """Return the fields of a field."""
        return Fields(self.take(name))

    def is_null(self, name: str) -> bool:
        """Return whether the field is null; if so, take it out."""
        is_null = name in self._left and self._left[name] is None
        if is_null:
            del self._left[name]
        return is_null

    def text(self, name: str, *, lines: bool = False) -> str:
        """Return a text as it may be shown; `lines` keeps its lines, indented."""
        value = self.take(name)
        if not isinstance(value, str):
            raise InvalidAnswerError(f"{name} {_shown(value)}, which is not text")
        return redact_text(value[:_MAX_TEXT], lines=lines).replace("\n", "\n  ")

    def end(self) -> None:
        """Check that no field is left."""
        if self._left:
            raise InvalidAnswerError(f"{_shown(next(iter(self._left)))}, which was not asked for")


Parse = Callable[[Fields], Answer]
"""Takes the fields of an answer to one command."""


def parse_answer(message: dict[str, Any], number: int, parse: Parse) -> Answer:
    """Return the answer in a message.

    Args:
        message: the number of a command, and either its result or its error.
        number: of the command that must have been answered.
        parse: takes the fields of a result.

    Raises:
        InvalidAnswerError: it answers another command, or not as it must.
    """
    fields = Fields(message)
    fields.integer("number", number, number)
    body, read = ("error", _failed) if "error" in fields else ("result", parse)
    inner = fields.fields(body)
    fields.end()
    answer = read(inner)
    inner.end()
    return answer


def done(_: Fields) -> Done:
    """Parse an answer without a result."""
    return Done()


def opened(fields: Fields) -> Opened:
    """Parse the answer to the opening of a video."""
    return Opened(fields.text("stream_choice"), duration_of(fields, 0.0))


def duration_of(fields: Fields, least: float) -> float | None:
    """Return `Video.duration` of an answer, at least so much if it is known."""
    return None if fields.is_null("duration") else fields.number("duration", least, math.inf)


def count_of(limits: Limits, fps: float, window: Window = Window()) -> Callable[[Fields], Count]:
    """Return the parser for a number of candidates."""
    least, most = int(window.is_whole), limits.max_frames
    if math.isfinite(limits.max_video_seconds):
        # A frame that stays for longer than LONGEST_STAY is a candidate, and so may be the one
        # before it. One more, because the length was compared as a rounded number.
        rate = max(exact_fps(fps), Fraction(2, LONGEST_STAY))
        candidates = math.ceil(Fraction(limits.max_video_seconds) * rate) + 1
        most = min(most, candidates)

    def parse(fields: Fields) -> Count:
        return Count(None if fields.is_null("count") else fields.integer("count", least, most))

    return parse


def totals_of(fields: Fields, limits: Limits, *, passes: int, asked: int) -> Totals:
    """Parse the counts of a video.

    Args:
        fields: of the answer.
        limits: of the video.
        passes: how many times frames were asked for. Each decodes a packet up to five times: where
            decoding only the needed packets fails, and to see the decoder's state before and after
            a doubtful part.
        asked: frames that were asked for by id.
    """
    decoded = fields.integer("decoded", 0, 5 * passes * limits.max_frames)
    return Totals(
        decoded=decoded,
        skipped=fields.integer("skipped", 0, limits.max_frames),
        doubtful=fields.integer("doubtful", 0, decoded),
        again=fields.integer("again", 0, asked),
        must_be_replaced=fields.flag("must_be_replaced"),
    )


def _failed(fields: Fields) -> Failed | Refused:
    must_be_replaced = fields.flag("must_be_replaced")
    name, message = fields.text("error"), fields.text("message")
    stage, trace = fields.text("stage"), fields.text("traceback", lines=True)
    if name == "source":
        return Failed(None, must_be_replaced)
    if name == "CardError":
        return Refused(message)
    kind = next((kind for kind in _REPORTED if kind.__name__ == name), None)
    if kind is None:
        unexpected = RuntimeError(f"{name[:100]}: {message}")
        unexpected.add_note(trace)
        return Failed(unexpected, must_be_replaced)
    if stage not in (*STAGES, kind.stage):
        raise InvalidAnswerError(f"stage {_shown(stage)}, which does not exist")
    return Failed(kind(message, stage=stage), must_be_replaced)


def _shown(value: object) -> str:
    """Return a value for a message, at most 100 characters of it."""
    try:
        return redact_text(repr(value)[:100])
    except ValueError:  # an integer of thousands of digits
        return f"a {type(value).__name__}"
