"""Starts a standalone Spark cluster on loopback, and ends all its processes.

    with Cluster(tmp_path, environment={"ACCESS_KEY": "…"}) as cluster:
        with cluster.driver({"spark.executor.memory": "512m"}) as driver:
            driver.send("sample", parameters={…}, videos=[…], table="…")
            os.kill(cluster.processes("executor")[0].pid, signal.SIGKILL)
            assert driver.answer() == {"done": 200}

Each worker has its own loopback address, since Spark never runs a second attempt of a slow task on
the host of the first one.
"""

import contextlib
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import pyspark

from tests.spark.processes import Process, all_processes

REPO = Path(__file__).parents[2]
SPARK_HOME = Path(pyspark.__file__).parent
SCRIPTS = Path(sys.executable).parent
DRIVER = Path(__file__).parent / "cluster_driver.py"

# The jars are checked when they are built: checking their classes again is a third of a start.
_NO_CHECKS = "-XX:+UnlockDiagnosticVMOptions -XX:-BytecodeVerificationRemote"
QUICK_JVM = f"-XX:TieredStopAtLevel=1 -XX:+UseSerialGC {_NO_CHECKS}"
"""JVM options that make short runs quicker; conftest.py sets them for each driver"""

_MARK = "SPARK_KEYFRAMES_TEST_CLUSTER"
CONF = {
    "spark.ui.enabled": "false",
    # One executor on each of two workers, with room for those of a second driver.
    "spark.cores.max": "2",
    "spark.executor.cores": "1",
    "spark.executor.memory": "512m",
    "spark.driver.memory": "512m",
    "spark.executor.extraJavaOptions": QUICK_JVM,
}
"""settings that drivers and submitted jobs override"""


class Cluster:
    """A cluster; a context manager that ends all its processes.

    Args:
        folder: for its files.
        workers: number of workers.
        gpus: the address of a GPU that each worker announces. The GPU need not exist.
        environment: variables beyond those of this process.

    Attributes:
        url: the URL of the master.
        temporary: TMPDIR of all processes of the cluster.
        environment: the environment of all processes of the cluster.
        logs: folder of log files: stderr of the master and the workers, stdout and stderr of
            executors.
    """

    def __init__(
        self,
        folder: Path,
        *,
        workers: int = 2,
        gpus: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._mark = uuid4().hex
        self._workers = workers
        self._started: list[subprocess.Popen[bytes]] = []
        self._known: set[tuple[int, str]] = set()
        self.url = ""
        self.logs = folder / "logs"
        self.temporary = folder / "tmp"
        for path in (self.logs, self.temporary, folder / "local", folder / "no_conf"):
            path.mkdir(parents=True)
        self._gpus = [_discovery_script(folder / f"gpu-{name}", name) for name in gpus]
        self.environment = {
            **os.environ,
            "PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(REPO),
            "SPARK_HOME": str(SPARK_HOME),
            "SPARK_CONF_DIR": str(folder / "no_conf"),
            "SPARK_LOCAL_DIRS": str(folder / "local"),
            "SPARK_DAEMON_MEMORY": "256m",
            "SPARK_DAEMON_JAVA_OPTS": f"{QUICK_JVM} -Dspark.master.rest.enabled=false",
            "TMPDIR": str(self.temporary),
            _MARK: self._mark,
            **(environment or {}),
        }

    def __enter__(self) -> Self:
        try:
            place = ["--host", "127.0.0.1", "--port", "0", "--webui-port", "0"]
            log = self._start("master.Master", "master", place, "127.0.0.1")
            self.url = _logged(log, r"Starting Spark master at (spark://\S+)")
            logs = []
            for number in range(1, self._workers + 1):
                host = f"127.0.0.{number}"
                place = ["--host", host, "--port", "0", "--webui-port", "0"]
                place += ["--cores", "2", "--memory", "1200m", "--work-dir", f"{self.logs}/work"]
                announced = self._gpus[number - 1] if self._gpus else {}
                arguments = [*place, self.url]
                logs.append(self._start("worker.Worker", host, arguments, host, announced))
            for log in logs:
                _logged(log, r"(Successfully registered) with master")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        for process in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
        for started in self._started:
            started.wait(10)

    def _start(
        self,
        name: str,
        log_name: str,
        arguments: list[str],
        host: str,
        environment: Mapping[str, str] | None = None,
    ) -> Path:
        log = self.logs / f"{log_name}.stderr"
        script = SPARK_HOME / "bin" / "spark-class"
        with log.open("wb") as file:
            self._started.append(
                subprocess.Popen(
                    [str(script), f"org.apache.spark.deploy.{name}", *arguments],
                    env={**self.environment, "SPARK_LOCAL_IP": host, **(environment or {})},
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=file,
                )
            )
        return log

    def processes(self, *kinds: str) -> list[Process]:
        """Return the living processes of the cluster and its drivers, the oldest first.

        Orphans are included: their environment marks them, or an earlier call has seen them.
        """
        alive = all_processes()
        ours: dict[int, Process] = {}
        for process in alive.values():
            key = (process.pid, process.started)
            if key in self._known or self._has_mark(process.pid):
                ours[process.pid] = process
        for process in alive.values():
            line = [process]
            while line[-1].parent in alive and line[-1].pid not in ours:
                line.append(alive[line[-1].parent])
            if line[-1].pid in ours:
                ours.update((descendant.pid, descendant) for descendant in line)
        self._known |= {(process.pid, process.started) for process in ours.values()}
        found = [process for process in ours.values() if not kinds or process.kind in kinds]
        return sorted(found, key=lambda process: int(process.started))

    def _has_mark(self, pid: int) -> bool:
        with contextlib.suppress(OSError):
            return f"{_MARK}={self._mark}".encode() in Path(f"/proc/{pid}/environ").read_bytes()
        return False

    def kill(self, kind: str) -> Process:
        """Wait for a process of this kind, kill the youngest with SIGKILL, and return it."""
        wait_for(lambda: self.processes(kind), 30, f"no process of kind {kind}")
        victim = self.processes(kind)[-1]
        os.kill(victim.pid, signal.SIGKILL)
        return victim

    def driver(self, conf: Mapping[str, str]) -> "Driver":
        """Return a program that runs jobs on this cluster; a context manager."""
        return Driver(self, conf)

    def submit(self, *arguments: str, conf: Mapping[str, str]) -> "subprocess.Popen[str]":
        """Start spark-submit of jobs/sample.py, with its stderr in its stdout."""
        settings = [f"--conf={name}={value}" for name, value in {**CONF, **conf}.items()]
        return subprocess.Popen(
            [
                *(str(SCRIPTS / "spark-submit"), "--master", self.url, *settings),
                *(str(REPO / "jobs" / "sample.py"), *arguments),
            ],
            env={**self.environment, "SPARK_CONF_DIR": str(REPO / "conf")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


class Driver:
    """A process that runs cluster_driver.py; a context manager."""

    def __init__(self, cluster: Cluster, conf: Mapping[str, str]) -> None:
        conf = {**CONF, **conf}
        self._answers: queue.Queue[dict[str, Any]] = queue.Queue()
        self.output: list[str] = []
        """lines of its stdout and stderr, without answers"""
        self._process = subprocess.Popen(
            [sys.executable, str(DRIVER), cluster.url, json.dumps(conf)],
            env={**cluster.environment, "SPARK_CONF_DIR": str(REPO / "conf")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("ANSWER "):
                self._answers.put(json.loads(line.removeprefix("ANSWER ")))
            else:
                self.output.append(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(20)
        finally:
            self._process.kill()
            self._reader.join(10)

    def send(self, command: str, **arguments: Any) -> None:
        """Send a command, see cluster_driver.py."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"command": command, **arguments}) + "\n")
        self._process.stdin.flush()

    def answer(self, seconds: float = 120) -> dict[str, Any]:
        """Wait for the answer of the next command, and return it."""
        try:
            return self._answers.get(timeout=seconds)
        except queue.Empty:
            raise AssertionError(
                f"no answer in {seconds} s: {''.join(self.output)[-5000:]}"
            ) from None


def wait_for(condition: Callable[[], Any], seconds: float, otherwise: str) -> float:
    """Wait until a condition is true, and return how many seconds it took.

    After `seconds` the assertion `otherwise` fails.
    """
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"{otherwise} after {seconds} s"
        time.sleep(0.02)
    return time.monotonic() - began


def _discovery_script(script: Path, address: str) -> dict[str, str]:
    """Write a discovery script; return the environment of a worker that announces this GPU."""
    script.write_text(f'#!/bin/sh\necho \'{{"name": "gpu", "addresses": ["{address}"]}}\'\n')
    script.chmod(0o755)
    gpu = "-Dspark.worker.resource.gpu"
    return {"SPARK_WORKER_OPTS": f"{gpu}.amount=1 {gpu}.discoveryScript={script}"}


def _logged(log: Path, pattern: str) -> str:
    """Wait for a pattern in a log, and return its first group."""

    def match() -> re.Match[str] | None:
        return re.search(pattern, log.read_text(errors="replace"))

    wait_for(match, 180, f"no {pattern!r} in {log}")
    found = match()
    assert found
    return found[1]
