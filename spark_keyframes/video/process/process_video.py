"""One video of a `ProcessDecoder`, seen from the engine."""

from __future__ import annotations

import logging
import math
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, astuple
from typing import Any, BinaryIO

from spark_keyframes.errors import KeyframesError, LimitError
from spark_keyframes.video.centre import CentreCrop
from spark_keyframes.video.interface import Closeable, FrameTime, RgbFrame
from spark_keyframes.video.process.answers import (
    Answer,
    End,
    Failed,
    Parse,
    Totals,
    count_of,
    done,
    opened,
    totals_of,
)
from spark_keyframes.video.process.decode_process import (
    DecodeProcess,
    ProcessExitedError,
    crash_error,
)
from spark_keyframes.video.process.expected_pictures import ExpectedPictures
from spark_keyframes.video.process.expected_times import ExpectedTimes
from spark_keyframes.video.process.file_server import (
    FileServer,
    InvalidRequestError,
    descriptor_of,
)
from spark_keyframes.video.process.process_lender import ProcessLender
from spark_keyframes.video.timed_file import TimedFile
from spark_keyframes.video.window import Window

logger = logging.getLogger("spark_keyframes")

# The video need not be the cause of a crash: the kernel may kill a process when memory is short.
_MAX_CRASHES = 2
_MAX_ATTEMPTS = 3  # with processes that SIGKILL or SIGTERM ended
_MAX_WAIT_SECONDS = 60.0  # of a single wait; waits are repeated until the time limit


class ProcessVideo(Closeable):
    """A `Video` of a `ProcessDecoder`.

    If its process ends or sends an invalid answer, a new one continues with the next frame.
    """

    def __init__(
        self, decoder: ProcessLender, file: BinaryIO, format_hint: str | None, window: Window
    ) -> None:
        self.stream_choice = ""
        self.duration: float | None = None
        self.frames_decoded = 0
        self.frames_skipped = 0
        self.frames_doubtful = 0
        self.decoded_again = 0
        self._decoder = decoder
        self._limits = decoder.limits
        self._file = file
        self._reads = TimedFile(file, decoder.limits.max_download_seconds)
        """Reads the file for a process that cannot."""
        self._format_hint = format_hint
        self._window = window
        self._process: DecodeProcess | None = None
        self._server: FileServer | None = None
        self._decode_seconds = 0.0
        """Wall-clock seconds spent waiting for the process, without its reads of the file."""
        self._exits: list[ProcessExitedError] = []
        """One entry for each process that ended unexpectedly."""
        self._counts: dict[float, int | None] = {}
        """Number of candidates by fps."""
        self._passes = 0
        """How many times frames were asked for."""
        self._asked = 0
        """Frames that were asked for by id."""
        self._to_release: deque[int] = deque()
        self._is_closed = False
        try:
            self._retry(lambda: None)
        except BaseException:
            self.close()
            raise

    def candidate_count(self, fps: float) -> int | None:
        """Implement `Video.candidate_count`."""
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
        expected = ExpectedPictures(self._limits, count=self._counts.get(fps), window=self._window)
        how: dict[str, Any] = {"fps": fps, "hold": hold, "looks_at": looks_at and astuple(looks_at)}
        return self._frames(
            expected, lambda: self._ask("candidates", done, skip=expected.received, **how)
        )

    def candidates_by_id(
        self, frame_ids: Sequence[int], *, hold: bool, looks_at: CentreCrop | None = None
    ) -> Iterator[RgbFrame]:
        """Implement `Video.candidates_by_id`."""
        ids = list(frame_ids)
        expected = ExpectedPictures(self._limits, frame_ids=ids)
        how: dict[str, Any] = {"hold": hold, "looks_at": looks_at and astuple(looks_at)}

        def begin() -> None:
            self._ask("candidates_by_id", done, frame_ids=ids[expected.received :], **how)

        return self._frames(expected, begin)

    def release(self, frame_ids: Iterable[int]) -> None:
        """Implement `Video.release`."""
        self._to_release.extend(frame_ids)  # sent with the next command

    def frames_by_id(self, frame_ids: Sequence[int]) -> Iterator[RgbFrame]:
        """Implement `Video.frames_by_id`."""
        ids = list(frame_ids)
        self._asked += len(ids)
        expected = ExpectedPictures(self._limits, frame_ids=ids)
        return self._frames(
            expected, lambda: self._ask("frames_by_id", done, frame_ids=ids[expected.received :])
        )

    def close(self) -> None:
        """Implement `Video.close`."""
        self._is_closed = True
        parse = totals_of(self._limits, passes=self._passes, asked=self._asked)
        try:
            if self._process is not None:
                totals = self._ask("close", parse)
                self.frames_decoded += totals.decoded
                self.frames_skipped = totals.skipped
                self.frames_doubtful += totals.doubtful
                self.decoded_again += totals.again
        except (ProcessExitedError, KeyframesError, RuntimeError) as error:
            if self._process is not None:
                self._process.kill()  # unusable
            logger.info("the counts of a video are lost: %s", error)
        finally:
            self._release_process()

    def _retry(self, ask: Callable[[], Any]) -> Any:
        """Return the result of `ask`; if the process ends meanwhile, try again with a new one."""
        while True:
            try:
                if self._process is None:
                    self._begin()
                return ask()
            except ProcessExitedError as error:
                self._handle_exit(error)

    def _frames(self, expected: ExpectedPictures, begin: Callable[[], Any]) -> Iterator[RgbFrame]:
        """Yield the expected pictures; `begin` requests those that were not received yet."""
        while True:
            self._passes += 1
            self._retry(begin)
            try:
                yield from self._stream(expected)
            except ProcessExitedError as error:
                self._handle_exit(error)
            else:
                return

    def _stream(self, expected: ExpectedPictures) -> Iterator[RgbFrame]:
        """Yield the requested frames; ask for each before it is needed."""
        buffers = range(self._decoder.buffers)
        for buffer in buffers:
            self._send("next", expected, buffer=buffer)
        while True:
            for buffer in buffers:
                answer = self._answer()
                if isinstance(answer, End):
                    self.duration = answer.duration
                    return
                yield RgbFrame(
                    frame_id=answer.frame_id,
                    timestamp=answer.timestamp,
                    rgb=self._opened.pixels(buffer, answer.height, answer.width),
                    nbytes=answer.nbytes,
                    is_keyframe_packet=answer.is_keyframe_packet,
                )
                self._send("next", expected, buffer=buffer)

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
        self._process = self._decoder.acquire(is_new=bool(self._exits))
        descriptor, served_bytes = descriptor_of(self._file), None
        if descriptor is None:
            self._server = FileServer(self._reads)
            descriptor, served_bytes = self._server.client_socket.fileno(), self._server.size
        limits = {k: None if math.isinf(v) else v for k, v in asdict(self._limits).items()}
        self._send(
            "open",
            opened,
            descriptor=descriptor,
            served_bytes=served_bytes,
            format_hint=self._format_hint,
            threads=self._decoder.threads,
            limits=limits,
            video_stream=self._decoder.video_stream,
            window=[self._window.start, None if math.isinf(self._window.end) else self._window.end],
        )
        answer = self._answer()
        self.stream_choice, self.duration = answer.stream_choice, answer.duration

    def _handle_exit(self, error: ProcessExitedError) -> None:
        """Release the process that ended; raise if there is no attempt left."""
        self._exits.append(error)
        if self._process is not None:
            self._process.kill()
        self._release_process()
        by_itself = [exit for exit in self._exits if not exit.is_from_outside]
        if len(self._exits) == _MAX_ATTEMPTS or len(by_itself) == _MAX_CRASHES:
            raise crash_error(self._exits)

    def _release_process(self) -> None:
        process, self._process = self._process, None
        server, self._server = self._server, None
        if server is not None:
            server.close()
        if process is not None:
            self._decoder.release(process)
        # The next server must not read the file at the same time.
        if server is not None and not self._is_closed:
            server.join(self._reads.seconds_left)
            self._reads.check()

    def _ask(self, command: str, parse: Parse, **arguments: Any) -> Any:
        process = self._opened
        while process.pending_answers:
            self._receive(process)  # an answer that is no longer needed
        self._send(command, parse, **arguments)
        return self._answer()

    def _send(self, command: str, expected: Parse | ExpectedPictures, **arguments: Any) -> None:
        release = [self._to_release.popleft() for _ in range(len(self._to_release))]
        self._opened.send(command, expected, release=release, **arguments)

    def _answer(self) -> Any:
        answer = self._receive(self._opened)
        if isinstance(answer, Failed):
            raise answer.error or self._file_error()
        return answer

    def _receive(self, process: DecodeProcess) -> Answer:
        """Return the next answer.

        Raises:
            LimitError: the time of the video is used up, for decoding or for reading its file.
        """
        limit = self._limits.max_decode_seconds
        while (left := limit - self._decode_seconds) > 0:
            began, read_before = time.perf_counter(), self._reads.seconds
            timeout = max(0.0, min(left, self._reads.seconds_left, _MAX_WAIT_SECONDS))
            answer = process.receive(timeout)
            read = self._reads.seconds - read_before
            self._decode_seconds += time.perf_counter() - began - read
            if answer is not None:
                if isinstance(answer, Totals | Failed) and answer.must_be_replaced:
                    process.kill()
                return answer
            try:
                self._reads.check()
            except LimitError:
                process.kill()
                raise
        process.kill()
        raise LimitError(
            f"decoding the video took longer than {limit:g} s, which is max_decode_seconds of "
            "limits; raise it, lower fps, or scale the video down"
        )

    def _file_error(self) -> Exception:
        """Return why a process could not read the file."""
        error = self._server.error if self._server is not None else None
        if error is None or isinstance(error, InvalidRequestError):
            reason = error or "it reported an error of the file, but there was none"
            return ProcessExitedError(f"it sent an invalid answer: {reason}")
        return error
