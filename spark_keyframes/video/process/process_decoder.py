"""A `Decoder` that decodes each video in a separate process."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any, BinaryIO

from spark_keyframes import errors
from spark_keyframes.errors import DecoderCrashedError, KeyframesError, LimitError
from spark_keyframes.limits import Limits
from spark_keyframes.video.interface import Closeable, RgbFrame
from spark_keyframes.video.process.decode_process import DecodeProcess, ProcessExitedError
from spark_keyframes.video.process.file_server import FileServer, descriptor_of
from spark_keyframes.video.process.process_pool import process_pool

# The video need not be the cause of a crash: the kernel may kill a process when memory is short.
_MAX_ATTEMPTS = 2
_MAX_MESSAGE = 10_000  # characters kept of an error message
_MAX_WAIT_SECONDS = 60.0  # of a single wait; waits are repeated until the time limit


class ProcessDecoder(Closeable):
    """A `Decoder` whose videos, each in a process of its own, share `threads` decode threads.

    A codec that crashes, hangs, or exceeds its time or memory fails only its own video. The
    processes have no credentials, no network access and no model. Each decodes one video after
    another.
    """

    def __init__(self, threads: int, *, limits: Limits = Limits(), prefetch: bool = True) -> None:
        self.threads = threads
        self.limits = limits
        self.buffers = 2 if prefetch else 1
        """Frame buffers per process. With 2, it decodes a frame while the engine uses another."""
        self._at_work: set[DecodeProcess] = set()
        process_pool().warm_up()
        self._is_closed = False
        self._lock = threading.Lock()

    def open(self, file: BinaryIO, *, format_hint: str | None = None) -> ProcessVideo:
        """Implement `Decoder.open`."""
        return ProcessVideo(self, file, format_hint)

    def acquire(self, *, is_new: bool) -> DecodeProcess:
        """Return a process for a video: an idle one, or always a new one with `is_new`."""
        with self._lock:
            if self._is_closed:
                raise RuntimeError("the decoder was closed")
            process = process_pool().acquire(is_new=is_new)
            process.videos += 1
            self._at_work.add(process)
            return process

    def release(self, process: DecodeProcess) -> None:
        """Return a process to the pool, usable or not."""
        with self._lock:
            self._at_work.discard(process)
            process_pool().release(process)

    def close(self) -> None:
        """Implement `Decoder.close`."""
        with self._lock:
            self._is_closed = True
            for process in self._at_work:
                process.kill()


class ProcessVideo(Closeable):
    """A `Video` of a `ProcessDecoder`.

    If its process ends unexpectedly, a new process continues with the next frame.
    """

    def __init__(self, decoder: ProcessDecoder, file: BinaryIO, format_hint: str | None) -> None:
        self.frames_decoded = 0
        self.frames_skipped = 0
        self.decoded_again = 0
        self._decoder = decoder
        self._file = file
        self._format_hint = format_hint
        self._process: DecodeProcess | None = None
        self._server: FileServer | None = None
        self._decode_seconds = 0.0
        """Wall-clock seconds spent waiting for the process, without its reads of the file."""
        self._exit_reasons: list[str] = []
        """One entry for each process that ended unexpectedly."""
        self._to_release: deque[int] = deque()
        self._is_closed = False
        try:
            self._retry(lambda: None)
        except BaseException:
            self.close()
            raise

    def candidate_count(self, fps: float) -> int | None:
        """Implement `Video.candidate_count`."""
        count: int | None = self._retry(lambda: self._ask("count", fps=fps))["count"]
        return count

    def candidates(self, fps: float, *, hold: bool) -> Iterator[RgbFrame]:
        """Implement `Video.candidates`."""
        return self._frames(lambda done: self._ask("candidates", fps=fps, hold=hold, skip=done))

    def release(self, frame_ids: Iterable[int]) -> None:
        """Implement `Video.release`."""
        self._to_release.extend(frame_ids)  # sent with the next command

    def frames_by_id(self, frame_ids: Sequence[int]) -> Iterator[RgbFrame]:
        """Implement `Video.frames_by_id`."""
        return self._frames(
            lambda done: self._ask("frames_by_id", frame_ids=list(frame_ids[done:]))
        )

    def close(self) -> None:
        """Implement `Video.close`."""
        self._is_closed = True
        try:
            if self._process is not None:
                answer = self._ask("close")
                self.frames_decoded += int(answer["decoded"])
                self.frames_skipped = int(answer["skipped"])
                self.decoded_again += int(answer["again"])
        except (ProcessExitedError, KeyframesError, RuntimeError, KeyError, TypeError, ValueError):
            if self._process is not None:
                self._process.kill()  # unusable; its error was already reported
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

    def _frames(self, begin: Callable[[int], Any]) -> Iterator[RgbFrame]:
        """Yield the frames that `begin(number of frames to skip)` requests."""
        done = 0
        while True:
            self._retry(lambda: begin(done))  # noqa: B023 -- called at once
            try:
                for frame in self._stream():
                    yield frame
                    done += 1
            except ProcessExitedError as error:
                self._handle_exit(error)
            else:
                return

    def _stream(self) -> Iterator[RgbFrame]:
        """Yield the requested frames; ask for each before it is needed."""
        buffers = range(self._decoder.buffers)
        for buffer in buffers:
            self._send("next", buffer=buffer)
        while True:
            for buffer in buffers:
                answer = self._answer()
                if "end" in answer:
                    return
                yield self._frame(buffer, answer)
                self._send("next", buffer=buffer)

    def _frame(self, buffer: int, answer: dict[str, Any]) -> RgbFrame:
        process = self._process
        try:
            if process is None:
                raise RuntimeError("the video was closed")
            height, width = int(answer["height"]), int(answer["width"])
            return RgbFrame(
                frame_id=int(answer["frame_id"]),
                timestamp=float(answer["timestamp"]),
                rgb=process.pixels(buffer, height, width),
                nbytes=int(answer["nbytes"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ProcessExitedError(f"it sent an invalid frame ({error})") from None

    def _begin(self) -> None:
        if self._is_closed:
            raise RuntimeError("the video was closed")
        # After a crash, take no idle process. What killed the first, such as a lack of memory, may
        # be killing the idle ones too, and that would count as an attempt of this video.
        self._process = self._decoder.acquire(is_new=bool(self._exit_reasons))
        descriptor, served_bytes = descriptor_of(self._file), None
        if descriptor is None:
            self._server = FileServer(self._file)
            descriptor, served_bytes = self._server.client_socket.fileno(), self._server.size
        limits = {k: None if math.isinf(v) else v for k, v in asdict(self._decoder.limits).items()}
        self._send(
            "open",
            descriptor=descriptor,
            served_bytes=served_bytes,
            format_hint=self._format_hint,
            threads=self._decoder.threads,
            limits=limits,
        )
        self._answer()

    def _handle_exit(self, error: ProcessExitedError) -> None:
        """Release the process that ended; raise if there is no attempt left."""
        self._exit_reasons.append(str(error))
        if self._process is not None:
            self._process.kill()
        self._release_process()
        if len(self._exit_reasons) == _MAX_ATTEMPTS:
            raise DecoderCrashedError(
                f"the decode process failed: {self._exit_reasons[0]}; so did the next one: "
                f"{self._exit_reasons[1]}; either the video crashes its codec, then convert it "
                "with another tool, or the machine is short of memory"
            )

    def _release_process(self) -> None:
        process, self._process = self._process, None
        server, self._server = self._server, None
        if server is not None:
            server.close()
        if process is not None:
            self._decoder.release(process)
        if server is not None and self._exit_reasons:
            server.join()  # the next server must not read the file at the same time

    def _ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        process = self._process
        while process is not None and process.pending_answers:
            self._receive(process)  # an answer that is no longer needed
        self._send(command, **arguments)
        return self._answer()

    def _send(self, command: str, **arguments: Any) -> None:
        if self._process is None:
            raise RuntimeError("the video was closed")
        release = [self._to_release.popleft() for _ in range(len(self._to_release))]
        self._process.send(command, release=release, **arguments)

    def _answer(self) -> dict[str, Any]:
        if self._process is None:
            raise RuntimeError("the video was closed")
        answer = self._receive(self._process)
        if "error" in answer:
            raise self._error(answer)
        return answer

    def _receive(self, process: DecodeProcess) -> dict[str, Any]:
        """Return the next answer; raise LimitError when the video's decode time is used up."""
        began, read_before = time.perf_counter(), self._read_seconds()
        spent = 0.0
        limit = self._decoder.limits.max_decode_seconds
        while (left := limit - self._decode_seconds - spent) > 0:
            answer = process.receive(min(left, _MAX_WAIT_SECONDS))
            spent = time.perf_counter() - began - (self._read_seconds() - read_before)
            if answer is not None:
                self._decode_seconds += spent
                if answer.get("must_be_replaced"):
                    process.kill()
                return answer
        process.kill()
        raise LimitError(
            f"decoding the video took longer than {limit:g} s, which is max_decode_seconds of "
            "limits; raise it, lower fps, or scale the video down"
        )

    def _read_seconds(self) -> float:
        """Return the wall-clock seconds that reading the file took so far."""
        return self._server.read_seconds if self._server is not None else 0.0

    def _error(self, answer: dict[str, Any]) -> Exception:
        name = str(answer["error"])[:100]
        message = str(answer.get("message", ""))[:_MAX_MESSAGE]
        if name == "source" and self._server is not None and self._server.error is not None:
            return self._server.error
        kind = getattr(errors, name, None)
        if isinstance(kind, type) and issubclass(kind, KeyframesError):
            return kind(message, stage=str(answer.get("stage")) or None)
        unexpected = RuntimeError(f"{name}: {message}")
        unexpected.add_note(str(answer.get("traceback", ""))[:_MAX_MESSAGE])
        return unexpected
