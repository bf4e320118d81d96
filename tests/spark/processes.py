"""Lists the processes of this machine, with the part of Spark that each one is."""

import contextlib
from dataclasses import dataclass
from pathlib import Path

_DAEMONS = ("pyspark.daemon", "spark_keyframes.spark.daemon", "spark_keyframes.engine.daemon")


@dataclass(frozen=True)
class Process:
    pid: int
    parent: int
    started: str
    """start time; with the pid, it identifies the process"""
    command: str
    kind: str
    """master, worker, executor, daemon, python (a Python worker), decode, driver (the JVM),
    program (the driver's Python) or other"""


def all_processes() -> dict[int, Process]:
    """Return the living processes by their pid."""
    found: dict[int, tuple[int, str, str]] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            # A process may end meanwhile.
            with contextlib.suppress(OSError, IndexError):
                state = (folder / "stat").read_text().rpartition(")")[2].split()
                command = (
                    (folder / "cmdline")
                    .read_bytes()
                    .replace(b"\0", b" ")
                    .decode("utf-8", "replace")
                )
                if state[0] not in "ZX":
                    found[int(folder.name)] = (int(state[1]), state[19], command)
    return {
        pid: Process(pid, parent, started, command, _kind(command, found.get(parent)))
        for pid, (parent, started, command) in found.items()
    }


def _kind(command: str, parent: tuple[int, str, str] | None) -> str:
    if any(f"-m {name}" in command for name in _DAEMONS):
        # Python workers are forks of the daemon and have its command line.
        return "python" if parent is not None and parent[2] == command else "daemon"
    for part, kind in (
        ("-m spark_keyframes.video", "decode"),
        ("CoarseGrainedExecutorBackend", "executor"),
        ("org.apache.spark.deploy.master.Master", "master"),
        ("org.apache.spark.deploy.worker.Worker", "worker"),
        ("org.apache.spark.deploy.SparkSubmit", "driver"),
        ("jobs/sample.py", "program"),
    ):
        if part in command:
            return kind
    return "other"
