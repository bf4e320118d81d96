"""Runs checks one after the other in a child process, and ends those that hang."""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, cast

from spark_keyframes.doctor.finding import Finding, bad
from spark_keyframes.doctor.options import Options
from spark_keyframes.doctor.registry import Entry

_BLOCK = 1 << 16
_LAST_LINE = 200  # characters of what a process that crashed wrote last


def supervised(checks: Sequence[Entry], options: Options) -> Iterator[Finding]:
    """Run the checks, and yield their lines as they come.

    A check that takes longer than its seconds, or whose process dies, gives a line; a new process
    runs the rest.
    """
    child: _Child | None = None
    try:
        for entry in checks:
            try:
                child = child or _Child(options)
                yield from child.run(entry)
            except OSError as error:
                yield bad(
                    entry.title,
                    f"could not be checked: no process of {sys.executable!r} could be started: "
                    f"{error.strerror}",
                    "videos are decoded in processes too: raise the limit of processes (ulimit -u)",
                )
            except _EndedError as error:
                if child:
                    child.end()
                child = None
                yield bad(entry.title, f"could not be checked: {error}", error.advice)
    finally:
        if child:
            child.end()


class _EndedError(Exception):
    """The child process hangs, or died. The message says which."""

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(message)
        self.advice = advice


class _Child:
    """The process, see `child.py`."""

    def __init__(self, options: Options) -> None:
        environment = {
            **os.environ,
            # The packages may come from anywhere, for example from an archive of --py-files.
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        }
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", f"{__package__}.child"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,  # so that what it started is ended with it
        )
        self._in = cast(IO[bytes], self._process.stdin)
        self._out = cast(IO[bytes], self._process.stdout)
        self._err = cast(IO[bytes], self._process.stderr)
        self._answer = b""
        self._written = b""
        self._send(options.to_json())

    def run(self, entry: Entry) -> Iterable[Finding]:
        """Run a check, and return its lines."""
        self._send(entry.module)
        end = time.monotonic() + entry.seconds
        while b"\n" not in self._answer:
            left = end - time.monotonic()
            if left <= 0:
                raise _EndedError(
                    f"no answer in {entry.seconds:g} s",
                    "look for what hangs: a network, a file system, a driver",
                )
            self._read(left)
        line, _, self._answer = self._answer.partition(b"\n")
        return [Finding(**each) for each in json.loads(line)]

    def end(self) -> None:
        """End the process, and all that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with contextlib.suppress(OSError):  # stdin may hold what was not read
            self._process.communicate(timeout=5)

    def _send(self, line: str) -> None:
        with contextlib.suppress(BrokenPipeError):  # the end of its stdout says so
            self._in.write(line.encode() + b"\n")
            self._in.flush()

    def _read(self, seconds: float) -> None:
        """Wait for output for at most `seconds`; _EndedError where the process has ended."""
        readable, _, _ = select.select([self._out, self._err], [], [], seconds)
        if self._err in readable:
            self._written = (self._written + _some(self._err))[-_BLOCK:]
        if self._out in readable:
            block = _some(self._out)
            self._answer += block
            if not block:
                raise _EndedError(self._end_of_process(), "repair the package that crashes here")

    def _end_of_process(self) -> str:
        self._process.wait(10)
        self._written += _some(self._err)
        lines = self._written.decode(errors="replace").strip().splitlines()
        last = f": {lines[-1][:_LAST_LINE]}" if lines else ""
        code = self._process.returncode
        if code >= 0:
            return f"the process ended with exit code {code}{last}"
        return f"the process was killed by {signal.Signals(-code).name}{last}"


def _some(stream: IO[bytes]) -> bytes:
    return os.read(stream.fileno(), _BLOCK)
