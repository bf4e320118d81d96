"""A streaming checkpoint of our own: what it belongs to, and that one job at a time uses it."""

import contextlib
import json
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spark_keyframes.errors import ParameterError
from spark_keyframes.spark.versions import is_connect
from spark_keyframes.urls import redact_url

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

logger = logging.getLogger(__name__)

_BEAT_SECONDS = 20
_DEAD_SECONDS = 120
# What another job may take from its first look for locks until its own is there.
_SECONDS_FOR_OTHERS = 1.0
_PROCESSES = Path("/proc")  # not on macOS


class Checkpoint:
    """A folder on any file system of Hadoop's; needs a driver with a JVM of its own.

    Arguments:
        spark: the session.
        place: path or URL of the folder.

    Raises ParameterError on Spark Connect.
    """

    def __init__(self, spark: "SparkSession", place: str) -> None:
        self._shown = redact_url(place)
        if is_connect(spark):
            raise ParameterError(
                "a checkpoint needs a session with a driver of its own, and this is Spark Connect; "
                "use spark-submit"
            )
        # Typed by nothing: py4j makes these up from Java's names.
        context: Any = spark.sparkContext
        self._java: Any = context._jvm
        self._ours = self._java.org.apache.hadoop.fs.Path(place, "spark_keyframes")
        self._files = self._ours.getFileSystem(context._jsc.hadoopConfiguration())

    @property
    def is_new(self) -> bool:
        """Whether no run has used it yet."""
        return not self._exists("run.json")

    def claim(self, run: Mapping[str, Any]) -> None:
        """Note down what the checkpoint belongs to.

        Arguments:
            run: names and values that must stay the same, for JSON.

        Raises ParameterError where it belongs to a run with other values, or is another program's.
        """
        if not self.is_new:
            before = json.loads(self._read("run.json"))
            now = json.loads(json.dumps(run))
            for name in run:
                if before.get(name) != now[name]:
                    raise ParameterError(
                        f"the checkpoint {self._shown} belongs to a run with {name} "
                        f"{before.get(name)!r}, and this one has {now[name]!r}; use the same, or "
                        "another checkpoint and another table"
                    )
            return
        if self._exists("../metadata"):
            raise ParameterError(
                f"the checkpoint {self._shown} is another program's; choose a folder that is empty"
            )
        self._write("run.json", json.dumps(run))

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Keep other jobs away; raises ParameterError where one is at work.

        A job that was killed is known by its process, on the same machine, or by its silence of
        two minutes. Of jobs that start together, one goes on.
        """
        self._refuse(self._living())
        mine = _Lock.of_this_process()
        self._create(mine)
        try:
            # Who looked before this one was there has written its own by now.
            time.sleep(_SECONDS_FOR_OTHERS)
            self._refuse(other for other in self._living() if other.job < mine.job)
        except BaseException:
            self._delete(self._locks_of(mine.job))
            raise
        ended = threading.Event()

        def beat() -> None:
            while not ended.wait(_BEAT_SECONDS):
                newer = replace(mine, beat=int(time.time()))
                try:
                    self._create(newer)
                    self._delete(lock for lock in self._locks_of(mine.job) if lock != newer)
                except Exception as error:  # noqa: BLE001 - it is tried again
                    logger.warning("the checkpoint's lock could not be renewed: %s", error)

        thread = threading.Thread(target=beat, name="checkpoint-lock", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            self._delete(self._locks_of(mine.job))

    def _refuse(self, others: Iterable["_Lock"]) -> None:
        for other in others:
            raise ParameterError(
                f"another job uses the checkpoint {self._shown}: process {other.pid} on "
                f"{other.host}; wait for its end. If it was killed there, it is known to be "
                f"gone {_DEAD_SECONDS} seconds later"
            )

    def _living(self) -> list["_Lock"]:
        """The locks of jobs that live; what dead ones have left is removed."""
        locks = self._locks()
        self._delete(lock for lock in locks if not lock.is_alive)
        return [lock for lock in locks if lock.is_alive]

    def _locks(self) -> list["_Lock"]:
        """All of them; one that is just renewed is there twice."""
        if not self._files.exists(self._ours):
            return []
        names = [file.getPath().getName() for file in self._files.listStatus(self._ours)]
        return [lock for name in names if (lock := _Lock.named(name))]

    def _locks_of(self, job: str) -> list["_Lock"]:
        return [lock for lock in self._locks() if lock.job == job]

    def _create(self, lock: "_Lock") -> None:
        self._files.create(self._path(lock.name), True).close()

    def _delete(self, locks: Iterable["_Lock"]) -> None:
        for lock in locks:
            self._files.delete(self._path(lock.name), False)

    def _path(self, name: str) -> Any:
        return self._java.org.apache.hadoop.fs.Path(self._ours, name)

    def _exists(self, name: str) -> bool:
        return bool(self._files.exists(self._path(name)))

    def _read(self, name: str) -> str:
        stream = self._files.open(self._path(name))
        try:
            text = self._java.org.apache.commons.io.IOUtils.toString(stream, "UTF-8")
        finally:
            stream.close()
        return str(text)

    def _write(self, name: str, text: str) -> None:
        aside = self._path(f".{name}-{uuid.uuid4().hex}")
        stream = self._files.create(aside, True)
        stream.write(bytearray(text.encode()))
        stream.close()
        self._files.rename(aside, self._path(name))  # there as a whole or not at all


@dataclass(frozen=True)
class _Lock:
    """A job that uses a checkpoint: the name of an empty file.

    No file system of Hadoop's has to know how to replace a file for it, or how to create one unless
    it is there: to list a folder is enough.
    """

    job: str
    pid: int
    born: str
    """Its process began; numbers of processes are given again."""
    beat: int
    """When it last said that it lives, in seconds since 1970."""
    host: str

    @staticmethod
    def of_this_process() -> "_Lock":
        pid = os.getpid()
        return _Lock(uuid.uuid4().hex, pid, _born(pid), int(time.time()), socket.gethostname())

    @property
    def name(self) -> str:
        return f"lock_{self.job}_{self.pid}_{self.born}_{self.beat}_{self.host}"

    @staticmethod
    def named(name: str) -> "_Lock | None":
        """None where it is no lock's name."""
        kind, *parts = name.split("_", 5)
        if kind != "lock" or len(parts) != 5:
            return None
        job, pid, born, beat, host = parts
        return _Lock(job, int(pid), born, int(beat), host)

    @property
    def is_alive(self) -> bool:
        if self.host == socket.gethostname() and _PROCESSES.exists():
            return self.born == _born(self.pid)
        return time.time() - self.beat < _DEAD_SECONDS


def _born(pid: int) -> str:
    """When a process began, in ticks since the start of the system; "never": there is none."""
    try:
        # After the name, which may hold anything, in brackets.
        return (_PROCESSES / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()[19]
    except OSError:
        return "never"
