"""One video of a `ProcessDecoder`, seen from the engine."""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import astuple
from typing import Any, BinaryIO

from spark_keyframes.errors import KeyframesError
from spark_keyframes.video.centre import CentreCrop
from spark_keyframes.video.interface import Ahead, Closeable, FrameTime, RgbFrame
from spark_keyframes.video.process.answers import (
    Failed,
    Fields,
    Parse,
    Picture,
    Pictures,
    Totals,
    count_of,
    opened,
    totals_of,
)
from spark_keyframes.video.process.decode_process import (
    CardRefusedError,
    DecodeProcess,
    ProcessExitedError,
)
from spark_keyframes.video.process.exits import Exits
from spark_keyframes.video.process.expected_pictures import ExpectedPictures, arguments_of
from spark_keyframes.video.process.expected_times import ExpectedTimes
from spark_keyframes.video.process.handed_file import HandedFile
from spark_keyframes.video.process.process_lender import ProcessLender
from spark_keyframes.video.process.timed_answers import TimedAnswers
from spark_keyframes.video.window import Window

logger = logging.getLogger("spark_keyframes")


class ProcessVideo(Closeable):
    """A `Video` of a `ProcessDecoder`.

    If its process ends or sends an invalid answer, a new one continues with the next frame.
    """

    def __init__(
        self,
        decoder: ProcessLender,
        file: BinaryIO,
        format_hint: str | None,
        window: Window,
        ahead: Ahead | None = None,
    ) -> None:
        """Open a video; the arguments are those of `Decoder.open`."""
        self.stream_choice = ""
        self.duration: float | None = None
        self.frames_decoded = 0
        self.frames_skipped = 0
        self.frames_doubtful = 0
        self.decoded_again = 0
        self._decoder = decoder
        self._limits = decoder.limits
        self._handed = HandedFile(file, decoder.limits)
        self._format_hint = format_hint
        self._window = window
        self._process: DecodeProcess | None = None
        self._answers = TimedAnswers(decoder.limits, self._handed.reads)
        self._exits = Exits()
        self._may_use_card = True
        self._counts: dict[float, int | None] = {}
        """Number of candidates by fps."""
        self._passes = 0
        """How many times frames were asked for."""
        self._asked = 0
        """Frames that were asked for by id."""
        self._is_ended = False
        """Whether the process has closed the video."""
        self._to_release: deque[int] = deque()
        self.seconds_ahead = 0.0
        self._ahead: ExpectedPictures | None = None
        """The candidates that were asked for with the opening of the video, until they are used."""
        self._first: Pictures | None = None
        """Those of them that came with its answer, until they are used."""
        self._wanted = ahead
        self._is_closed = False
        try:
            self._retry(lambda: None)
        except BaseException:
            self.close()
            raise

    def candidate_count(self, fps: float) -> int | None:
        """Implement `Video.candidate_count`."""
        if fps not in self._counts:
            parse = count_of(self._limits, fps, self._window)
            self._counts[fps] = self._retry(lambda: self._ask("count", parse, fps=fps)).count
        return self._counts[fps]

    def candidate_times(self, fps: float) -> Iterator[FrameTime]:
        """Implement `Video.candidate_times`."""
        expected = ExpectedTimes(self._limits, self._window, least=int(self._window.is_whole))
        return self._times(expected, fps, of="candidates")

    def gop_times(self, fps: float) -> Iterator[FrameTime]:
        """Implement `Video.gop_times`."""
        window = Window(0.0, self._window.end)  # a GOP may begin before the candidate in it
        return self._times(ExpectedTimes(self._limits, window, least=0), fps, of="gops")

    def _times(self, expected: ExpectedTimes, fps: float, *, of: str) -> Iterator[FrameTime]:
        self._passes += 1
        while not expected.complete:
            answer = self._retry(
                lambda: self._ask("times", expected.parse, fps=fps, of=of, skip=expected.received)
            )
            yield from answer.frames

    def candidates(
        self, fps: float, *, hold: bool, looks_at: CentreCrop | None = None
    ) -> Iterator[RgbFrame]:
        """Implement `Video.candidates`."""
        expected, self._ahead = self._ahead, None
        asked = Ahead(fps, hold=hold, looks_at=looks_at)
        is_begun = expected is not None and self._wanted == asked
        if expected is None or not is_begun:
            expected = self._expected(count=self._counts.get(fps), window=self._window)
        return self._frames(expected, "candidates", is_begun=is_begun, **arguments_of(asked))

    def candidates_by_id(
        self, frame_ids: Sequence[int], *, hold: bool, looks_at: CentreCrop | None = None
    ) -> Iterator[RgbFrame]:
        """Implement `Video.candidates_by_id`."""
        expected = self._expected(frame_ids=list(frame_ids))
        crop = looks_at and astuple(looks_at)
        return self._frames(expected, "candidates_by_id", hold=hold, looks_at=crop)

    def release(self, frame_ids: Iterable[int]) -> None:
        """Implement `Video.release`."""
        self._to_release.extend(frame_ids)  # sent with the next command

    def frames_by_id(self, frame_ids: Sequence[int]) -> Iterator[RgbFrame]:
        """Implement `Video.frames_by_id`."""
        ids = list(frame_ids)
        self._asked += len(ids)
        return self._frames(self._expected(frame_ids=ids), "frames_by_id")

    def close(self) -> None:
        """Implement `Video.close`."""
        self._is_closed = True
        try:
            if self._process is not None:
                self._drop_answers()
            if self._process is not None and not self._is_ended:
                self._end(self._ask("close", self._parse_totals))
        except (ProcessExitedError, KeyframesError, RuntimeError) as error:
            if self._process is not None:
                self._process.kill()  # unusable
            logger.info("the counts of a video are lost: %s", error)
        finally:
            self._release_process()

    def _look_for_end(self, answer: Pictures) -> None:
        if answer.end is not None:
            self.duration = answer.end.duration
            if answer.end.totals is not None:
                self._end(answer.end.totals)

    def _end(self, totals: Totals) -> None:
        """Take the counts of a video that its process has closed."""
        was_counted = self.frames_decoded > 0  # by a process that had the video before
        skipped = min(self.frames_skipped, totals.skipped) if was_counted else totals.skipped
        self._is_ended, self.frames_skipped = True, skipped
        self.frames_decoded += totals.decoded
        self.frames_doubtful += totals.doubtful
        self.decoded_again += totals.again

    def _retry(self, ask: Callable[[], Any]) -> Any:
        """Return the result of `ask`; if the process ends meanwhile, try again with a new one."""
        while True:
            try:
                if self._process is not None:
                    self._drop_answers()
                if self._is_ended:
                    self._release_process()
                if self._process is None:
                    self._begin()
                return ask()
            except ProcessExitedError as error:
                self._handle_exit(error)

    def _frames(
        self,
        expected: ExpectedPictures,
        command: str,
        *,
        is_begun: bool = False,
        **arguments: Any,
    ) -> Iterator[RgbFrame]:
        """Yield the expected pictures; `command` requests those that were not received yet."""
        while True:
            try:
                if not is_begun:
                    self._retry(lambda: self._request(command, expected, **arguments))
                is_begun = False
                first, self._first = self._first, None
                yield from self._stream(expected, first)
            except ProcessExitedError as error:
                self._handle_exit(error)
            else:
                return

    def _request(self, command: str, expected: ExpectedPictures, **arguments: Any) -> None:
        self._passes += 1
        self._send_for(command, expected, 0, **expected.rest, **arguments)

    def _stream(self, expected: ExpectedPictures, answer: Pictures | None) -> Iterator[RgbFrame]:
        """Yield those of `answer` and the requested frames; ask for more before they are needed."""
        buffer = 0
        while True:
            answer = answer or self._answer()
            following, failure = (buffer + 1) % self._decoder.buffers, None
            self._look_for_end(answer)
            if answer.end is None and following != buffer:
                try:
                    self._send_for("next", expected, following)
                except ProcessExitedError as error:
                    failure = error  # the process has left its last pictures
            yield from self._shown(buffer, answer.pictures)
            if answer.end is not None:
                return
            if failure is not None:
                raise failure
            if following == buffer:
                self._send_for("next", expected, buffer)
            buffer, answer = following, None

    def _shown(self, buffer: int, pictures: Sequence[Picture]) -> Iterator[RgbFrame]:
        # Not in `_stream`, whose stack frame lives on in an error: it would keep the buffer.
        for picture, rgb in zip(pictures, self._opened.pixels(buffer, pictures), strict=True):
            yield RgbFrame(
                frame_id=picture.frame_id,
                timestamp=picture.timestamp,
                rgb=rgb,
                nbytes=picture.nbytes,
                is_keyframe_packet=picture.is_keyframe_packet,
            )

    def _send_for(
        self, command: str, expected: ExpectedPictures, buffer: int, **arguments: Any
    ) -> None:
        """Ask for pictures."""
        most = self._decoder.pictures_at_once
        self._send(command, expected, buffer=buffer, most=most, **arguments)

    def _expected(self, **arguments: Any) -> ExpectedPictures:
        return ExpectedPictures(self._limits, **arguments)

    def _parse_totals(self, fields: Fields) -> Totals:
        return totals_of(fields, self._limits, passes=self._passes, asked=self._asked)

    @property
    def _opened(self) -> DecodeProcess:
        if self._process is None:
            raise RuntimeError("the video was closed")
        return self._process

    def _begin(self) -> None:
        if self._is_closed:
            raise RuntimeError("the video was closed")
        # After a crash, take no idle process. What killed the first, such as a lack of memory, may
        # be killing the idle ones too, and that would count as an attempt of this video.
        self._process = self._decoder.acquire(
            is_new=bool(self._exits), may_use_card=self._may_use_card
        )
        descriptor, served_bytes = self._handed.hand_over()
        wanted, ahead = None if self._passes else self._wanted, None
        parse: Parse = opened
        if wanted is not None:
            # Frames that are not held are seldom asked for again; then the video is opened again.
            totals = None if wanted.hold else self._parse_totals
            expected = self._expected(window=self._window, totals=totals)
            self._passes += 1
            parse = expected.with_opening(count_of(self._limits, wanted.fps, self._window))
            most = self._decoder.pictures_at_once
            ahead = {"buffer": 0, "most": most, **arguments_of(wanted), **expected.rest}
        self._send(
            "open",
            parse,
            descriptor=descriptor,
            served_bytes=served_bytes,
            format_hint=self._format_hint,
            **self._decoder.how,
            window=[self._window.start, None if math.isinf(self._window.end) else self._window.end],
            ahead=ahead,
        )
        answer = self._answer()
        self.stream_choice, self.duration = answer.stream_choice, answer.duration
        if wanted is not None:
            self._counts[wanted.fps], self.seconds_ahead = answer.count, answer.seconds
            expected.accept(answer)
            self._ahead, self._first = expected, answer.first
            if answer.first is None:
                self._send_for("next", expected, 0)

    def _handle_exit(self, error: ProcessExitedError) -> None:
        """Release the process that ended; raise if there is no attempt left."""
        self._ahead, self._may_use_card = None, False
        was_on_card = self._process is not None and self._process.card is not None
        if isinstance(error, CardRefusedError) and was_on_card:
            logger.info("a video is decoded on the CPU, because of the GPU: %s", error)
            self._release_process()
            return
        if self._process is not None:
            self._process.kill()
        self._release_process()
        self._exits.add(error)

    def _release_process(self) -> None:
        process, self._process, self._is_ended = self._process, None, False
        self._handed.take_back()
        if process is not None:
            self._decoder.release(process)
        if not self._is_closed:
            self._handed.wait()

    def _ask(self, command: str, parse: Parse, **arguments: Any) -> Any:
        self._send(command, parse, **arguments)
        return self._answer()

    def _drop_answers(self) -> None:
        """Receive what is no longer needed."""
        self._ahead, process = None, self._opened
        if self._first is not None:
            self._look_for_end(self._first)
            self._first = None
        while process.pending_answers:
            answer = self._answers.receive(process)
            if isinstance(answer, Pictures):
                self._look_for_end(answer)

    def _send(self, command: str, expected: Parse | ExpectedPictures, **arguments: Any) -> None:
        release = [self._to_release.popleft() for _ in range(len(self._to_release))]
        self._opened.send(command, expected, release=release, **arguments)

    def _answer(self) -> Any:
        answer = self._answers.receive(self._opened)
        if isinstance(answer, Failed):
            raise answer.error or self._handed.error()
        return answer
