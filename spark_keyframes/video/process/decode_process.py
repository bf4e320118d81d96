"""One decode process, seen from the engine: starts it, talks to it and ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spark_keyframes.video.process.link import Link
from spark_keyframes.video.process.shared_memory import map_shared_memory
from spark_keyframes.video.process.shared_thread_slots import ThreadCounts

# Bounds what memory leaks of the libraries can add up to.
_VIDEOS_PER_PROCESS = 1000

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
)


class ProcessExitedError(Exception):
    """The decode process ended, or sent an invalid answer. The message says which."""


class DecodeProcess:
    """A decode process. For one thread at a time, except `kill`, which any thread may call."""

    def __init__(self, thread_counts: ThreadCounts, index: int) -> None:
        self.index = index
        """Place of this process in `thread_counts`."""
        self.videos = 0
        """Videos that it was given so far."""
        self.pending_answers = 0
        """Commands that it has not answered yet."""
        self._is_killed = False
        """Needed besides `poll`: a killed process may take a moment to end."""
        self._buffers: dict[int, NDArray[np.uint8]] = {}
        self._link, other = Link.pair()
        # Nobody writes to this pipe. It closes when this process ends, which ends the decode
        # process.
        parent_pipe, self._our_end_of_pipe = os.pipe()
        descriptors = (other.fileno(), parent_pipe, thread_counts.descriptor)
        try:
            self._process = subprocess.Popen(  # noqa: S603 -- no argument comes from outside
                [
                    sys.executable,
                    "-P",  # import nothing from the working directory
                    "-m",
                    "spark_keyframes.video.process.serve",
                    *map(str, [*descriptors, index]),
                ],
                pass_fds=descriptors,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env=_environment(),
            )
        except BaseException:
            self._close()
            raise
        finally:
            other.close()
            os.close(parent_pipe)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def is_usable(self) -> bool:
        """Whether it may be given another video."""
        if self._is_killed or self.pending_answers or self.videos >= _VIDEOS_PER_PROCESS:
            return False
        return self._process.poll() is None

    def send(self, command: str, *, descriptor: int | None = None, **arguments: Any) -> None:
        """Send a command, which gets exactly one answer.

        Raises:
            ProcessExitedError: the process has ended.
        """
        try:
            self._link.send({"command": command, **arguments}, descriptor=descriptor)
        except OSError:
            raise ProcessExitedError(self._exit_reason()) from None
        self.pending_answers += 1

    def receive(self, timeout: float) -> dict[str, Any] | None:
        """Return the next answer; None if there is none within `timeout` seconds.

        Raises:
            ProcessExitedError: the process has ended, or its answer is invalid.
        """
        try:
            answer = self._link.receive(timeout)
            if answer is not None:
                self.pending_answers -= 1
                if "memory" in answer:
                    descriptor = self._link.receive_descriptor()
                    memory = map_shared_memory(descriptor, answer["memory"])
                    self._buffers[answer["buffer"]] = memory
        except (EOFError, OSError):
            raise ProcessExitedError(self._exit_reason()) from None
        except (ValueError, KeyError, TypeError) as error:
            self.kill()
            raise ProcessExitedError(f"it sent an invalid answer ({error})") from None
        return answer

    def pixels(self, buffer: int, height: int, width: int) -> NDArray[np.uint8]:
        """Return a view of the frame in a buffer: H×W×3, valid until the buffer is filled again."""
        return self._buffers[buffer][: height * width * 3].reshape(height, width, 3)

    def kill(self) -> None:
        """Send SIGKILL, without waiting for the process to end."""
        self._is_killed = True
        self._process.kill()

    def kill_and_wait(self) -> None:
        """Kill the process, wait for its end, and free its resources."""
        self.kill()
        self._process.wait()
        self._close()

    def detach(self) -> None:
        """Free the resources in a forked copy of the engine; the process itself goes on."""
        self._close()
        self._process.returncode = 0  # otherwise subprocess warns that it still runs

    def _close(self) -> None:
        self._link.close()
        os.close(self._our_end_of_pipe)
        self._buffers.clear()

    def _exit_reason(self) -> str:
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.kill()
            code = self._process.wait()
        if code >= 0:
            return f"it ended with exit code {code}"
        try:
            return f"it was killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"it was killed by signal {-code}"


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
    }
