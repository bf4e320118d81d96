"""Talks to Spark: starts a session, reads its settings, and runs the checks in its executors."""

import json
import queue
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from spark_keyframes.doctor.diagnosis import Section
from spark_keyframes.doctor.executors import sections
from spark_keyframes.doctor.finding import Finding, bad, good
from spark_keyframes.doctor.options import Options
from spark_keyframes.doctor.settings import judge
from spark_keyframes.doctor.worker import DoctorTask, versions
from spark_keyframes.jobs.session import readable
from spark_keyframes.redaction import redact_url
from spark_keyframes.spark.interpreter import shipped, use_own_python
from spark_keyframes.spark.versions import default_parallelism, is_connect

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

T = TypeVar("T")

START_SECONDS = 180.0
"""For a session to start, and for its settings."""
STAGE_SECONDS = 600.0
"""For the tasks, which wait for executors where the cluster is busy."""
_MOST_TASKS = 1000
_THREAD = "spark_keyframes doctor"


class TooLateError(Exception):
    """What Spark was asked for took too long."""


def start(*, master: str = "", remote: str = "", conf: Mapping[str, str]) -> "SparkSession":
    """Return the session of this process, or start one.

    Args:
        master: such as "local[2]"; empty: as Spark's files say.
        remote: the URL of a Connect server; empty: as SPARK_REMOTE says.
        conf: more settings.
    """
    from pyspark.sql import SparkSession
    from pyspark.sql.utils import is_remote

    builder = SparkSession.builder.appName("spark_keyframes doctor")
    if remote:
        builder = builder.remote(remote)
    elif not is_remote():
        if master:
            builder = builder.master(master)
        # The doctor's own lines are enough.
        builder = builder.config("spark.ui.showConsoleProgress", "false")
        builder = builder.config("spark.log.level", "ERROR")
    for name, value in conf.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def of_session(spark: "SparkSession") -> Iterator[Finding]:
    """Yield lines about a session and its settings."""
    from pyspark import __version__ as client

    server = spark.version
    connect, master = is_connect(spark), spark.conf.get("spark.master", None) or "unknown"
    kind = "Connect to a server" if connect else "a classic session"
    found = f"Spark {server}, {kind}, master {redact_url(str(master))}"
    if server != client and not connect:
        yield bad(
            "session",
            f"{found}, but Python imports pyspark {client}",
            "unset SPARK_HOME, or install the pyspark of that Spark",
        )
    else:
        also = f", pyspark {client} here" if server != client else ""
        yield good("session", f"{found}{also}")
    yield from judge(
        lambda name: spark.conf.get(name, None), is_cluster=not str(master).startswith("local[")
    )


def of_executors(spark: "SparkSession", options: Options) -> Iterator[Section]:
    """Run the checks in tasks of Spark, and yield a section for the executors that say the same."""
    use_own_python(spark)
    run_id = secrets.token_hex(8)
    try:
        rows = within(
            STAGE_SECONDS,
            lambda: _rows(spark, DoctorTask(run_id, options), run_id),
            lambda: _cancel(spark, run_id),
        )
    except Exception as error:  # noqa: BLE001 - whatever Spark raises becomes a line
        yield Section("executors", [failure("executors", error)])
        return
    yield from sections([json.loads(row["report"]) for row in rows], versions())


def failure(name: str, error: Exception) -> Finding:
    """Return the line for an error of Spark's."""
    if isinstance(error, TooLateError):
        return bad(
            name,
            str(error),
            "see Spark's UI for what it waits for, such as free executors; check the master's URL",
        )
    text, _, advice = readable(error).strip().rpartition("\n")[2].partition("; ")
    return bad(name, text or type(error).__name__, advice or "see the lines on Java and Spark")


def _rows(spark: "SparkSession", task: DoctorTask, tag: str) -> list[Any]:
    if is_connect(spark):
        spark.addTag(tag)
    else:
        spark.sparkContext.addJobTag(tag)
    tasks = max(1, min(default_parallelism(spark), _MOST_TASKS))
    frame = spark.range(0, tasks, 1, tasks).mapInArrow(shipped(task), "report string")
    return frame.collect()


def _cancel(spark: "SparkSession", tag: str) -> None:
    if is_connect(spark):
        spark.interruptTag(tag)
    else:
        spark.sparkContext.cancelJobsWithTag(tag)


def is_waiting() -> bool:
    """Return whether a thread still waits for Spark, after its time."""
    return any(thread.name == _THREAD for thread in threading.enumerate())


def within(
    seconds: float, action: Callable[[], T], cancel: Callable[[], object] | None = None
) -> T:
    """Return the result of an action in a thread of its own.

    Raises:
        TooLateError: it takes longer. The thread is left alone, after `cancel`.
        Exception: what the action raises.
    """
    results: queue.Queue[tuple[bool, Any]] = queue.Queue()

    def run() -> None:
        try:
            results.put((True, action()))
        except BaseException as error:  # noqa: BLE001 - raised in the thread that waits
            results.put((False, error))

    threading.Thread(target=run, name=_THREAD, daemon=True).start()
    try:
        done, value = results.get(timeout=seconds)
    except queue.Empty:
        if cancel:
            threading.Thread(target=cancel, name=_THREAD, daemon=True).start()
        raise TooLateError(f"Spark did not answer in {seconds:g} s") from None
    if not done:
        raise value
    result: T = value
    return result
