"""A `Decoder` whose videos are each decoded by a process of their own."""

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
from spark_keyframes.video.base import Picture
from spark_keyframes.video.closing import Closing
from spark_keyframes.video.process.child import Child, DiedError, family
from spark_keyframes.video.process.files import FileServer, descriptor_of

# A process may be killed by mistake, or for the memory that others take: once more, then.
_LIVES = 2
_LONGEST = 10_000  # characters of what a process says was wrong
_PATIENCE = 60.0  # seconds of one wait; of several, it does not matter


class ProcessDecoder(Closing):
    """Decodes with up to `threads` threads in the processes of its videos together.

    A codec that crashes, hangs, or takes too much time or memory costs its video only. The
    processes know no credentials, no network and no model, and serve one video after another.
    """

    def __init__(self, threads: int, *, limits: Limits = Limits(), ahead: bool = True) -> None:
        self.threads = threads
        self.limits = limits
        self.buffers = 2 if ahead else 1
        """Of a process; with two, the next picture is decoded while one is looked at."""
        self._at_work: set[Child] = set()
        family().warm_up()
        self._is_closed = False
        self._lock = threading.Lock()

    def open(self, file: BinaryIO, *, format_hint: str | None = None) -> ProcessVideo:
        """See `Decoder`."""
        return ProcessVideo(self, file, format_hint)

    def take(self, *, is_new: bool) -> Child:
        """A process for a video; a new one if asked for."""
        with self._lock:
            if self._is_closed:
                raise RuntimeError("the decoder was closed")
            child = family().take(is_new=is_new)
            child.videos += 1
            self._at_work.add(child)
            return child

    def give_back(self, child: Child) -> None:
        """The video is done with, or its process is."""
        with self._lock:
            self._at_work.discard(child)
            family().give_back(child)

    def close(self) -> None:
        """See `Decoder`."""
        with self._lock:
            self._is_closed = True
            for child in self._at_work:
                child.kill()


class ProcessVideo(Closing):
    """A `Video` of a ProcessDecoder; its methods are described there.

    Where its process dies, another one takes over from the picture where it was.
    """

    def __init__(self, decoder: ProcessDecoder, file: BinaryIO, format_hint: str | None) -> None:
        self.frames_decoded = 0
        self.frames_skipped = 0
        self.decoded_again = 0
        self._decoder = decoder
        self._file = file
        self._format_hint = format_hint
        self._child: Child | None = None
        self._server: FileServer | None = None
        self._waited = 0.0
        """Seconds in which the process was waited for, without those for the file."""
        self._deaths: list[str] = []
        self._forgotten: deque[int] = deque()
        self._is_closed = False
        try:
            self._surviving(lambda: None)
        except BaseException:
            self.close()
            raise

    def candidate_count(self, fps: float) -> int | None:
        """See `Video`."""
        count: int | None = self._surviving(lambda: self._ask("count", fps=fps))["count"]
        return count

    def candidates(self, fps: float, *, hold: bool) -> Iterator[Picture]:
        """See `Video`."""
        return self._pictures(lambda done: self._ask("candidates", fps=fps, hold=hold, skip=done))

    def forget(self, frame_ids: Iterable[int]) -> None:
        """See `Video`."""
        self._forgotten.extend(frame_ids)  # it is said with the next command

    def pictures(self, frame_ids: Sequence[int]) -> Iterator[Picture]:
        """See `Video`."""
        return self._pictures(lambda done: self._ask("pictures", frame_ids=list(frame_ids[done:])))

    def close(self) -> None:
        """See `Video`."""
        self._is_closed = True
        try:
            if self._child is not None:
                took = self._ask("close")
                self.frames_decoded += int(took["decoded"])
                self.frames_skipped = int(took["skipped"])
                self.decoded_again += int(took["again"])
        except (DiedError, KeyframesError, RuntimeError, KeyError, TypeError, ValueError):
            if self._child is not None:
                self._child.kill()  # it is of no use any more; what there is to say was said
        finally:
            self._let_go()

    def _surviving(self, ask: Callable[[], Any]) -> Any:
        """What `ask` returns, in another process where one dies of it."""
        while True:
            try:
                if self._child is None:
                    self._begin()
                return ask()
            except DiedError as death:
                self._mourn(death)

    def _pictures(self, begin: Callable[[int], Any]) -> Iterator[Picture]:
        done = 0
        while True:
            self._surviving(lambda: begin(done))  # noqa: B023 -- called at once
            try:
                for picture in self._stream():
                    yield picture
                    done += 1
            except DiedError as death:
                self._mourn(death)
            else:
                return

    def _stream(self) -> Iterator[Picture]:
        """The pictures that were begun, each asked for before it is needed."""
        buffers = range(self._decoder.buffers)
        for buffer in buffers:
            self._send("next", buffer=buffer)
        while True:
            for buffer in buffers:
                answer = self._answer()
                if "end" in answer:
                    return
                yield self._picture(buffer, answer)
                self._send("next", buffer=buffer)

    def _picture(self, buffer: int, answer: dict[str, Any]) -> Picture:
        child = self._child
        try:
            if child is None:
                raise RuntimeError("the video was closed")
            height, width = int(answer["height"]), int(answer["width"])
            return Picture(
                frame_id=int(answer["frame_id"]),
                timestamp=float(answer["timestamp"]),
                rgb=child.pixels(buffer, height, width),
                nbytes=int(answer["nbytes"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DiedError(f"it sent what is no picture ({error})") from None

    def _begin(self) -> None:
        if self._is_closed:
            raise RuntimeError("the video was closed")
        # What killed one, a kernel short of memory for example, may have killed those that wait
        # too, and dying takes a moment: they would count against a video that they never saw.
        self._child = self._decoder.take(is_new=bool(self._deaths))
        descriptor, served_bytes = descriptor_of(self._file), None
        if descriptor is None:
            self._server = FileServer(self._file)
            descriptor, served_bytes = self._server.there.fileno(), self._server.size
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

    def _mourn(self, death: DiedError) -> None:
        self._deaths.append(str(death))
        if self._child is not None:
            self._child.kill()
        self._let_go()
        if len(self._deaths) == _LIVES:
            raise DecoderCrashedError(
                f"the process that decoded the video: {self._deaths[0]}; the next one: "
                f"{self._deaths[1]}; the video crashes its codec, convert it with another tool, or "
                "the machine is short of memory"
            )

    def _let_go(self) -> None:
        child, self._child = self._child, None
        server, self._server = self._server, None
        if server is not None:
            server.close()
        if child is not None:
            self._decoder.give_back(child)
        if server is not None and self._deaths:
            server.join()  # two threads must not read the file at a time

    def _ask(self, command: str, **arguments: Any) -> dict[str, Any]:
        child = self._child
        while child is not None and child.owed:
            self._receive(child)  # what was asked for and is not wanted any more
        self._send(command, **arguments)
        return self._answer()

    def _send(self, command: str, **arguments: Any) -> None:
        if self._child is None:
            raise RuntimeError("the video was closed")
        forgotten = [self._forgotten.popleft() for _ in range(len(self._forgotten))]
        self._child.send(command, forget=forgotten, **arguments)

    def _answer(self) -> dict[str, Any]:
        if self._child is None:
            raise RuntimeError("the video was closed")
        answer = self._receive(self._child)
        if "error" in answer:
            raise self._error(answer)
        return answer

    def _receive(self, child: Child) -> dict[str, Any]:
        """The next answer, within the time that is left to the video."""
        began, elsewhere = time.perf_counter(), self._elsewhere()
        spent = 0.0
        limit = self._decoder.limits.max_decode_seconds
        while (left := limit - self._waited - spent) > 0:
            answer = child.receive(min(left, _PATIENCE))
            spent = time.perf_counter() - began - (self._elsewhere() - elsewhere)
            if answer is not None:
                self._waited += spent
                if answer.get("last"):
                    child.kill()  # by its own advice; it is replaced when it is needed
                return answer
        child.kill()
        raise LimitError(
            f"decoding the video took longer than {limit:g} s, which is max_decode_seconds of "
            "limits; raise it, lower fps, or scale the video down"
        )

    def _elsewhere(self) -> float:
        """Seconds that the process spent in waiting for the file, so far."""
        return self._server.waited if self._server is not None else 0.0

    def _error(self, answer: dict[str, Any]) -> Exception:
        name, message = str(answer["error"])[:100], str(answer.get("message", ""))[:_LONGEST]
        if name == "source" and self._server is not None and self._server.error is not None:
            return self._server.error
        kind = getattr(errors, name, None)
        if isinstance(kind, type) and issubclass(kind, KeyframesError):
            return kind(message, stage=str(answer.get("stage")) or None)
        unexpected = RuntimeError(f"{name}: {message}")
        unexpected.add_note(str(answer.get("traceback", ""))[:_LONGEST])
        return unexpected
