"""One decode process, seen from the engine: starts it, talks to it and ends it."""

from __future__ import annotations

import itertools
import logging
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from spark_keyframes.errors import DecoderCrashedError
from spark_keyframes.redaction import redact_text
from spark_keyframes.video.process.answers import (
    Answer,
    InvalidAnswerError,
    Parse,
    Picture,
    parse_answer,
    pictures_in,
)
from spark_keyframes.video.process.expected_pictures import ExpectedPictures
from spark_keyframes.video.process.link import Link
from spark_keyframes.video.process.received import close_received
from spark_keyframes.video.process.shared_memory import (
    buffer_bytes,
    create_shared_memory,
    map_shared_memory,
)
from spark_keyframes.video.process.shared_thread_slots import ThreadCounts

logger = logging.getLogger("spark_keyframes")

# Bounds what memory leaks of the libraries can add up to.
_VIDEOS_PER_PROCESS = 1000

_MAX_ANSWER = 1 << 18  # bytes; two texts of 10,000 characters, of up to 12 bytes each in JSON
_STDERR_BYTES = 16 << 10  # such as the traceback of a process that cannot start
_KEPT_BYTES = 32 << 20  # glibc raises its own limits up to here, once a process frees so much
_EXIT_SECONDS = 1.0  # between the end of the connection and that of the process
_END_SECONDS = 5.0  # after SIGKILL; a process that waits for a dead file server may not end at all
_PROGRAM = ("-m", "spark_keyframes.video.process.serve")

# Environment variables that the process gets. It handles untrusted data, so it gets no credentials.
_ENVIRONMENT = (
    "PATH",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "PYTHONHOME",
    "VIRTUAL_ENV",
    "HOME",
    "TMPDIR",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    # Of the driver, and which GPUs there are.
    "CUDA_DEVICE_ORDER",
    "CUDA_VISIBLE_DEVICES",
)


class ProcessExitedError(Exception):
    """The decode process ended, or sent an invalid answer. The message says which."""

    def __init__(self, message: str, *, is_from_outside: bool = False) -> None:
        super().__init__(message)
        self.is_from_outside = is_from_outside
        """Whether a signal ended it that a process does not send itself: SIGKILL or SIGTERM."""


class CardRefusedError(ProcessExitedError):
    """The process has a card that does not decode this video. It can decode others."""


def crash_error(exits: Sequence[ProcessExitedError]) -> DecoderCrashedError:
    """Return the error of a video whose processes ended like this; there are at least two."""
    first, *others = map(str, exits)
    return DecoderCrashedError(
        f"the decode process failed: {first}; so did the next one: "
        f"{'; and the next: '.join(others)}; either the video crashes its codec, then convert it "
        "with another tool, or the machine is short of memory"
    )


@dataclass(frozen=True)
class _Pending:
    """A command that was not answered yet."""

    number: int
    expected: Parse | ExpectedPictures
    buffer: int
    """Number of the buffer for pictures."""


class DecodeProcess:
    """A decode process. For one thread at a time, except `kill`, which any thread may call."""

    def __init__(self, thread_counts: ThreadCounts, index: int, card: int | None = None) -> None:
        self.index = index
        """Place of this process in `thread_counts`."""
        self.card = card
        """Number of the GPU that decodes; None: the CPU does."""
        self.videos = 0
        """Videos that it was given so far."""
        self._pending: deque[_Pending] = deque()
        self._numbers = itertools.count()
        self._is_killed = False
        """Needed besides `poll`: a killed process may take a moment to end."""
        self._buffers: dict[int, NDArray[np.uint8]] = {}
        self._our_end_of_pipe = ExitStack()
        self._link, other = Link.pair(max_message=_MAX_ANSWER)
        # Nobody writes to this pipe. It closes when this process ends, which ends the decode
        # process.
        parent_pipe, our_end_of_pipe = os.pipe()
        self._our_end_of_pipe.callback(os.close, our_end_of_pipe)
        # Memory that cannot grow: what the process writes beyond its end is lost.
        stderr = create_shared_memory(_STDERR_BYTES)
        self._stderr = map_shared_memory(stderr, _STDERR_BYTES)
        descriptors = (other.fileno(), parent_pipe, thread_counts.descriptor)
        numbers = [*descriptors, index, *([] if card is None else [card])]
        try:
            self._process = subprocess.Popen(  # noqa: S603 -- no argument comes from outside
                [
                    sys.executable,
                    "-P",  # import nothing from the working directory
                    *_PROGRAM,
                    *map(str, numbers),
                ],
                pass_fds=descriptors,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                env=_environment(),
            )
        except BaseException:
            self._link.close()
            self._our_end_of_pipe.close()
            raise
        finally:
            other.close()
            os.close(stderr)
            os.close(parent_pipe)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def is_usable(self) -> bool:
        """Whether it may be given another video."""
        if self._is_killed or self._pending or self.videos >= _VIDEOS_PER_PROCESS:
            return False
        return self._process.poll() is None and self._link.is_idle

    @property
    def pending_answers(self) -> int:
        """Commands that it has not answered yet."""
        return len(self._pending)

    def send(
        self,
        command: str,
        expected: Parse | ExpectedPictures,
        *,
        descriptor: int | None = None,
        **arguments: Any,
    ) -> None:
        """Send a command, which gets exactly one answer. Does not wait.

        Args:
            command: one of the methods of `serve.Session`.
            expected: checks the fields of the answer.
            descriptor: a file for the process.
            **arguments: of the command; `buffer` for pictures.

        Raises:
            ProcessExitedError: the process has ended.
        """
        number = next(self._numbers)
        self._pending.append(_Pending(number, expected, arguments.get("buffer", 0)))
        try:
            message = {"command": command, "number": number, **arguments}
            self._link.send(message, descriptor=descriptor)
        except OSError:
            raise self._exit_error() from None

    def receive(self, timeout: float) -> Answer | None:
        """Return the next answer; None if there is none within `timeout` seconds.

        Raises:
            ProcessExitedError: the process has ended, or its answer is invalid.
        """
        try:
            received = self._link.receive(timeout)
            return self._answer(*received) if received is not None else None
        except (EOFError, OSError):
            raise self._exit_error() from None
        except (ValueError, InvalidAnswerError) as error:
            self.kill()
            raise ProcessExitedError(f"it sent an invalid answer: {error}") from None

    def _answer(self, message: dict[str, Any], descriptor: int | None) -> Answer:
        pending = self._pending.popleft()
        pictures = pending.expected if isinstance(pending.expected, ExpectedPictures) else None
        parse = pictures.parse if pictures else cast("Parse", pending.expected)
        try:
            answer = parse_answer(message, pending.number, parse)
            if (found := pictures_in(answer)) is not None:
                size = sum(picture.size for picture in found.pictures)
                if size > len(self._buffers.get(pending.buffer, b"")):
                    if descriptor is None:
                        raise InvalidAnswerError("pictures without their memory")
                    new = buffer_bytes(found.pictures[0].size)
                    if size > new:
                        raise InvalidAnswerError("more pictures than their memory holds")
                    self._buffers[pending.buffer] = map_shared_memory(descriptor, new)
                    os.close(descriptor)  # memory; closing anything else could take long
                    descriptor = None
            if descriptor is not None:
                raise InvalidAnswerError("a file descriptor that was not asked for")
        except BaseException:
            self.kill()
            if descriptor is not None:
                close_received([descriptor])
            raise
        if pictures:
            pictures.accept(answer)
        return answer

    def pixels(self, buffer: int, pictures: Sequence[Picture]) -> Iterator[NDArray[np.uint8]]:
        """Yield a view of each frame in a buffer: H×W×3, valid until the buffer is filled again."""
        start = 0
        for each in pictures:
            part = self._buffers[buffer][start : start + each.size]
            yield part.reshape(each.height, each.width, 3)
            start += each.size

    def kill(self) -> None:
        """Send SIGKILL, without waiting for the process to end."""
        self._is_killed = True
        self._process.kill()

    def end(self) -> None:
        """Kill the process, free its resources, and wait for its end, but not for ever."""
        self.kill()
        self._link.close()
        self._our_end_of_pipe.close()
        self._buffers.clear()
        self._stderr = self._stderr[:0].copy()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS)

    @property
    def has_ended(self) -> bool:
        """Whether the process has ended."""
        return self._process.poll() is not None

    def detach(self) -> None:
        """Free the resources in a forked copy of the engine; the process itself goes on."""
        self._is_killed = True  # unusable here
        self._link.detach()
        self._our_end_of_pipe.close()
        self._buffers.clear()
        self._process.returncode = 0  # otherwise subprocess warns that it still runs

    def _exit_error(self) -> ProcessExitedError:
        try:
            code = self._process.wait(_EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return ProcessExitedError("it closed its connection")
        self._log_stderr()
        if code >= 0:
            return ProcessExitedError(f"it ended with exit code {code}")
        is_from_outside = -code in (signal.SIGKILL, signal.SIGTERM) and not self._is_killed
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return ProcessExitedError(f"it was killed by {name}", is_from_outside=is_from_outside)

    def _log_stderr(self) -> None:
        """Log what the process wrote before it ended, as one record."""
        written = self._stderr.tobytes().replace(b"\0", b"").decode(errors="replace")
        if written:
            # Indented: a line of it must not look like one of the log.
            text = redact_text(written, lines=True).replace("\n", "\n  ")
            logger.warning("decode process %d wrote before it ended:\n  %s", self.pid, text)


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    return {
        **kept,
        # The packages may come from anywhere, for example from an archive of --py-files.
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        # The process does no linear algebra, and numpy's threads would take address space.
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        # Each arena takes 64 MB of address space, which is limited.
        "MALLOC_ARENA_MAX": "4",
        # Keep memory that was freed for the next video: by default, a small process gives back
        # each video's memory, and the kernel clears it again for the next.
        "MALLOC_MMAP_THRESHOLD_": str(_KEPT_BYTES),
        "MALLOC_TRIM_THRESHOLD_": str(_KEPT_BYTES),
    }
