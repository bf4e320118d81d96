"""Runs the sides as processes and measures their jobs, children included."""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import signal
import subprocess
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[1]
COMPETITORS = Path(__file__).parent / "competitors"
OURS = ROOT / ".venv" / "bin" / "python"
THEIRS = ROOT / ".venv-bench" / "bin" / "python"

_SAMPLE_SECONDS = 0.5
_TICKS = os.sysconf("SC_CLK_TCK")


class SideError(Exception):
    """The reason why a side cannot run."""


@dataclass(frozen=True)
class Cost:
    """The cost of one job."""

    cpu: float
    """CPU seconds, user and system, of the process and all its children"""
    wall: float
    """seconds"""
    peak_mb: float
    """peak memory of any one of the processes, in MB, sampled twice a second, without pages of
    files: processes share those, mostly the model's, and the system can drop them"""
    resident_mb: float
    """the same with the pages of files"""
    others: float
    """cores that the rest of the machine kept busy meanwhile, on average"""
    result: dict[str, Any]
    """the side's answer"""
    together_mb: float = 0.0
    """like peak_mb, of all processes together"""


@dataclass(frozen=True)
class Side:
    """A tool that does the work: spark_keyframes or a competitor, in one configuration."""

    name: str
    script: str
    """file name in competitors/, without .py"""
    python: Path = THEIRS
    precision: str = "float32"
    options: tuple[str, ...] = ()
    model: Path | None = None
    """the folder of a model, instead of ViT-B/32"""

    @property
    def definition(self) -> str:
        """What it is, in one line."""
        of_whom = "ours" if self.python == OURS else "theirs"
        model = [self.model.name] if self.model else []
        return " ".join([self.script, of_whom, self.precision, *self.options, *model])


class Process:
    """A running side that waits for jobs."""

    def __init__(self, side: Side, *, model: Path, cache: Path, cores: set[int]) -> None:
        self._mark = f"SPARK_KEYFRAMES_BENCH={uuid.uuid4().hex}"
        self._log = cache / f"{side.script}-{side.precision}{''.join(side.options)}.log"
        if not side.python.exists():
            raise SideError("its environment is missing")
        name, value = self._mark.split("=")
        environment = os.environ | {
            name: value,
            "PYTHONPATH": str(ROOT),
            "PYSPARK_PYTHON": str(side.python),
            "HF_HUB_OFFLINE": "1",
            "RAY_USAGE_STATS_ENABLED": "0",
            "DAFT_ANALYTICS_ENABLED": "0",
            "DO_NOT_TRACK": "1",
        }
        environment.pop("OMP_NUM_THREADS", None)
        script = COMPETITORS / f"{side.script}.py"
        command = [str(side.python), str(script), "--model", str(model)]
        command += ["--precision", side.precision, *side.options]
        own_cores = os.sched_getaffinity(0)
        os.sched_setaffinity(0, cores)  # child processes inherit it
        try:
            with self._log.open("wb") as errors:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    env=environment,
                    text=True,
                    start_new_session=True,
                )
        finally:
            os.sched_setaffinity(0, own_cores)

    def work(self, *, limit: float = 1800, repeat: int = 1, **job: Any) -> Cost:
        """Do a job `repeat` times, and return the average cost of one.

        Raises:
            SideError: the job failed or took more than `limit` seconds.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise SideError("it has no pipes")
        self._forget_peak()
        before, busy, begin = self._cpu_ticks(), machine_cpu(), time.perf_counter()
        try:
            stdin.write(json.dumps(job | {"repeat": repeat}) + "\n")
            stdin.flush()
        except BrokenPipeError:
            raise SideError(self._last_words()) from None
        peak, together = 0.0, 0.0
        while not select.select([stdout], [], [], _SAMPLE_SECONDS)[0]:
            sizes = self._sizes("RssAnon")
            peak, together = max(peak, *sizes), max(together, sum(sizes))
            if time.perf_counter() - begin > limit:
                raise SideError(f"it took more than {limit:.0f} s")
        line = stdout.readline()
        wall = time.perf_counter() - begin
        if not line:
            raise SideError(self._last_words())
        others = machine_cpu() - busy
        cpu = (self._cpu_ticks() - before) / _TICKS
        others = max(0.0, others - cpu) / wall
        sizes = self._sizes("RssAnon")
        peak, together = max(peak, *sizes), max(together, sum(sizes))
        resident = max(self._sizes("VmHWM"))
        result = json.loads(line)
        return Cost(cpu / repeat, wall / repeat, peak, resident, others, result, together)

    def close(self) -> None:
        """End the process and its descendants."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for pid in self._pids():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _pids(self) -> list[int]:
        """Return the process and its descendants, also those whose parent has ended."""
        parents: dict[int, int] = {}
        family = {self._process.pid}
        for path in Path("/proc").iterdir():
            if path.name.isdecimal():
                pid = int(path.name)
                try:
                    parents[pid] = int(_stat(pid)[1])
                    if self._mark.encode() in (path / "environ").read_bytes():
                        family.add(pid)
                except (OSError, IndexError):
                    continue
        for pid in parents:
            line = [pid]
            while line[-1] in parents and line[-1] not in family:
                line.append(parents[line[-1]])
            if line[-1] in family:
                family.update(line)
        return [pid for pid in family if pid in parents]

    def _cpu_ticks(self) -> int:
        """Return user and system time of running processes and of the children they waited for."""
        ticks = 0
        for pid in self._pids():
            try:
                ticks += sum(int(value) for value in _stat(pid)[11:15])
            except OSError:
                continue
        return ticks

    def _forget_peak(self) -> None:
        for pid in self._pids():
            with contextlib.suppress(OSError):
                Path(f"/proc/{pid}/clear_refs").write_text("5")

    def _sizes(self, field: str) -> list[float]:
        """Return a field of /proc/PID/status of each process, in MB."""
        sizes = [0.0]
        for pid in self._pids():
            try:
                status = Path(f"/proc/{pid}/status").read_text()
            except OSError:
                continue
            lines = [line for line in status.splitlines() if line.startswith(field)]
            sizes += [int(line.split()[1]) / 1000 for line in lines]
        return sizes

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        words = [line for line in lines if "Error" in line or "error" in line] or lines
        return without_paths(words[-1].strip())[:200] if words else "it ended without a message"


def without_paths(message: str) -> str:
    """Return a message for RESULTS.md: of paths, only the files' names."""
    return re.sub(r"(?<![\w:/])(/[^/\s'\"]+)+/(?=[^/\s])", "", message)


def machine_cpu() -> float:
    """Return the CPU seconds that all processes of the machine have used."""
    user, nice, system, _idle, _waiting, irq, softirq = (
        int(value) for value in Path("/proc/stat").read_text().split()[1:8]
    )
    return (user + nice + system + irq + softirq) / _TICKS


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat after the name, which may contain any character."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
