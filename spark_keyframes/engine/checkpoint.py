"""A streaming checkpoint of our own: what it belongs to, and that one job at a time uses it."""

import contextlib
import json
import logging
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spark_keyframes.engine.versions import is_connect
from spark_keyframes.errors import ParameterError
from spark_keyframes.storage import redact_url

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

logger = logging.getLogger(__name__)

_BEAT_SECONDS = 20
_DEAD_SECONDS = 120


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
        self._folder = self._java.org.apache.hadoop.fs.Path(place)
        self._files = self._folder.getFileSystem(context._jsc.hadoopConfiguration())

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
        two minutes. Good against mistakes, not against two jobs that start in the same second.
        """
        holder = self._holder()
        if holder:
            raise ParameterError(
                f"another job uses the checkpoint {self._shown}: process {holder['pid']} on "
                f"{holder['host']}; wait for its end. If it was killed there, it is known to be "
                f"gone {_DEAD_SECONDS} seconds later"
            )
        ended = threading.Event()

        def beat() -> None:
            while True:
                me = {"host": socket.gethostname(), "pid": os.getpid(), "born": _born(os.getpid())}
                try:
                    self._write("lock.json", json.dumps({**me, "beat": time.time()}))
                except Exception as error:  # noqa: BLE001 - it is tried again
                    logger.warning("the checkpoint's lock could not be written: %s", error)
                if ended.wait(_BEAT_SECONDS):
                    return

        thread = threading.Thread(target=beat, name="checkpoint-lock", daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
            self._files.delete(self._path("lock.json"), False)

    def _holder(self) -> dict[str, Any] | None:
        if not self._exists("lock.json"):
            return None
        try:
            holder: dict[str, Any] = json.loads(self._read("lock.json"))
        except ValueError:
            return None  # killed while it wrote
        if holder["host"] == socket.gethostname():
            return holder if holder["born"] == _born(holder["pid"]) else None
        return holder if time.time() - holder["beat"] < _DEAD_SECONDS else None

    def _path(self, name: str) -> Any:
        return self._java.org.apache.hadoop.fs.Path(self._folder, f"spark_keyframes/{name}")

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
        path, aside = self._path(name), self._path(f".{name}-{os.getpid()}")
        stream = self._files.create(aside, True)
        stream.write(bytearray(text.encode()))
        stream.close()
        # So that it is there as a whole or not at all; a rename does not replace everywhere.
        self._files.delete(path, False)
        self._files.rename(aside, path)


def _born(pid: int) -> str | None:
    """When a process began, in ticks since the start of the system; None: there is none."""
    try:
        # After the name, which may hold anything, in brackets.
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]
    except OSError:
        return None if Path("/proc/self/stat").exists() else str(pid)
