"""The engine's side of a decoding process: starting, keeping, replacing and ending it."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spark_keyframes.video.process.link import Link
from spark_keyframes.video.process.memory import map_memory
from spark_keyframes.video.process.shared_slots import Cells

# What one of the libraries may leak does not add up for ever.
_VIDEOS_PER_CHILD = 1000

# What a process that handles strangers' bytes has to know of its environment: no credentials.
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


class DiedError(Exception):
    """The process is gone, and with it what it held; the message says of what it died."""


class Child:
    """A decoding process; for one thread at a time, but `kill` may be called by any."""

    def __init__(self, cells: Cells, cell: int) -> None:
        self.cell = cell
        self.videos = 0
        """That it was given so far."""
        self.owed = 0
        """Answers that are still to come."""
        self._is_killed = False
        """It may take a moment to die of it."""
        self._buffers: dict[int, NDArray[np.uint8]] = {}
        self._link, other = Link.pair()
        # Nobody ever writes to it: its end tells the process that this one is gone.
        life, self._end_of_life = os.pipe()
        descriptors = (other.fileno(), life, cells.descriptor)
        try:
            self._process = subprocess.Popen(  # noqa: S603 -- all of it is ours
                [
                    sys.executable,
                    "-P",  # no code from the working directory
                    "-m",
                    "spark_keyframes.video.process.serve",
                    *map(str, [*descriptors, cell]),
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
            os.close(life)

    @property
    def pid(self) -> int:
        """Of the process."""
        return self._process.pid

    @property
    def is_usable(self) -> bool:
        """Whether it may be given another video."""
        is_worn = self._is_killed or self.owed > 0 or self.videos >= _VIDEOS_PER_CHILD
        return not is_worn and self._process.poll() is None

    def send(self, command: str, *, descriptor: int | None = None, **arguments: Any) -> None:
        """Send a command, which has one answer; DiedError."""
        try:
            self._link.send({"command": command, **arguments}, descriptor=descriptor)
        except OSError:
            raise DiedError(self._epitaph()) from None
        self.owed += 1

    def receive(self, timeout: float) -> dict[str, Any] | None:
        """The next answer; None if it does not come in so many seconds; DiedError."""
        try:
            answer = self._link.receive(timeout)
            if answer is not None:
                self.owed -= 1
                if "memory" in answer:
                    descriptor = self._link.receive_descriptor()
                    self._buffers[answer["buffer"]] = map_memory(descriptor, answer["memory"])
        except (EOFError, OSError):
            raise DiedError(self._epitaph()) from None
        except (ValueError, KeyError, TypeError) as error:
            self.kill()
            raise DiedError(f"it sent what is no answer ({error})") from None
        return answer

    def pixels(self, buffer: int, height: int, width: int) -> NDArray[np.uint8]:
        """The picture in a buffer: H×W×3, until the process is asked to fill it anew."""
        return self._buffers[buffer][: height * width * 3].reshape(height, width, 3)

    def kill(self) -> None:
        """End the process at once, whatever it is doing."""
        self._is_killed = True
        self._process.kill()

    def bury(self) -> None:
        """End the process and free all that is left of it."""
        self.kill()
        self._process.wait()
        self._close()

    def abandon(self) -> None:
        """Forget a process that another process of ours has started."""
        self._close()
        self._process.returncode = 0  # else subprocess warns that it still runs

    def _close(self) -> None:
        self._link.close()
        os.close(self._end_of_life)
        self._buffers.clear()

    def _epitaph(self) -> str:
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.kill()
            code = self._process.wait()
        if code >= 0:
            return f"it ended with exit code {code}"
        try:
            return f"it died of {signal.Signals(-code).name}"
        except ValueError:
            return f"it died of signal {-code}"


class Family:
    """All decoding processes of this process: those at work, and those that wait for more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[Child] = []
        self._cells_in_use: set[int] = set()
        self.cells = Cells()

    def take(self, *, is_new: bool = False) -> Child:
        """A process that waits for work, or a new one; to be given back."""
        with self._lock:
            while self._idle and not is_new:
                child = self._idle.pop()
                if child.is_usable:
                    return child
                self._discard(child)
            return self._start()

    def warm_up(self) -> None:
        """Start a process if none waits for work: it takes 0.2 s until it can do some."""
        with self._lock:
            if not self._idle:
                self._idle.append(self._start())

    def give_back(self, child: Child) -> None:
        """Keep the process for the next video if it is fit for it, else end it."""
        with self._lock:
            if child.is_usable:
                self._idle.append(child)
            else:
                self._discard(child)

    def _start(self) -> Child:
        cell = next(i for i in itertools.count() if i not in self._cells_in_use)
        child = Child(self.cells, cell)
        self._cells_in_use.add(cell)
        return child

    def _discard(self, child: Child) -> None:
        child.bury()
        self.cells.counts[child.cell] = 0
        self._cells_in_use.discard(child.cell)

    def abandon(self) -> None:
        """Let go of all in a forked process: they are the other's."""
        for child in self._idle:
            child.abandon()


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
    return {
        **kept,
        # Wherever this process has its packages from: an archive of --py-files, for example.
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        # Its threads are those that decode. Those of numpy's linear algebra would only take room.
        "OPENBLAS_NUM_THREADS": "1",
        "OMP_NUM_THREADS": "1",
        # Each arena takes 64 MB of address space, which is limited.
        "MALLOC_ARENA_MAX": "4",
    }


_family: Family | None = None
_lock = threading.Lock()


def family() -> Family:
    """The decoding processes of this process; they are kept between tasks, as the model is."""
    global _family  # noqa: PLW0603
    with _lock:
        if _family is None:
            _family = Family()
        return _family


def _start_afresh() -> None:
    global _family, _lock
    abandoned, _family, _lock = _family, None, threading.Lock()
    if abandoned is not None:
        abandoned.abandon()


os.register_at_fork(after_in_child=_start_afresh)
