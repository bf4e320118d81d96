"""Settings of conf/spark-defaults.conf that a session lacks, and why they matter."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from spark_keyframes.doctor.finding import Finding, bad, good, note
from spark_keyframes.jobs.session import DEFAULTS, LOCAL_DEFAULTS

Get = Callable[[str], str | None]
"""Returns the value of a setting of the session; None where it is not set."""

REDACTION = "spark.redaction.regex"
_SPARKS_OWN = r"(?i)secret|password|token|access[.]?key"
# What a job's settings and its command line may hold.
_SECRETS = {
    "ACCESS_KEY in spark.executorEnv": "spark.executorEnv.ACCESS_KEY",
    "SECRET_KEY in spark.executorEnv": "spark.executorEnv.SECRET_KEY",
    "signed URLs": "https://host/a.mp4?X-Tos-Signature=0",
    "passwords in URLs": "https://user:pass@host/a.mp4",
}


@dataclass(frozen=True)
class Setting:
    """A setting that a session of the user's should have."""

    name: str
    why: str
    """What happens without it."""
    on_cluster_only: bool = False
    where: str = ""
    """On what condition to set it."""

    @property
    def value(self) -> str:
        """As in conf/spark-defaults.conf, and as jobs set it."""
        return (DEFAULTS | LOCAL_DEFAULTS)[self.name]


SETTINGS = (
    Setting(
        "spark.python.daemon.module",
        "each Python worker imports torch and transformers by itself, which takes seconds and "
        "memory",
        where=", if the executors' Python has this package",
    ),
    Setting(
        "spark.sql.execution.arrow.maxRecordsPerBatch",
        "up to 10,000 rows go to a Python worker at once, and a row may hold a video",
    ),
    Setting(
        "spark.locality.wait",
        "a task waits 3 s for the machine that has its input, while others idle",
        on_cluster_only=True,
    ),
    Setting(
        "spark.sql.files.maxPartitionBytes",
        "a task reads up to 128 MB of a table of videos, and a failure repeats it all",
    ),
    Setting(
        "spark.sql.inMemoryColumnarStorage.hugeVectorThreshold",
        "an index of long videos takes up to twice as much heap",
    ),
)

# Those of conf/spark-defaults.conf that only matter where they are set to something else.
_WRONG = {
    ("spark.python.worker.reuse", "false"): "every task loads the model again",
    ("spark.speculation", "true"): "a video may be sampled twice at a time, which wastes GPUs",
}
_PIPELINED = "spark.python.udf.pipelined.enabled"

UNIMPORTANT = ("spark.ui.showConsoleProgress",)
"""Settings of conf/spark-defaults.conf that only change what is printed."""


def judge(get: Get, *, is_cluster: bool) -> Iterator[Finding]:
    """Compare the settings of a session with those of conf/spark-defaults.conf.

    Args:
        get: of the session.
        is_cluster: whether the executors are other processes than the driver's.
    """
    yield _redaction(get)
    if get(_PIPELINED) == "true":
        yield bad(
            "settings",
            f"{_PIPELINED} is true: in Spark 4.3.0, tasks with large rows can fail with a "
            "ClosedChannelException",
            f"set {_PIPELINED} to false",
        )
    for (name, value), why in _WRONG.items():
        if (get(name) or "").lower() == value:
            yield note("settings", f"{name} is {value}: {why}", f"leave {name} out")
    wanted = [each for each in SETTINGS if is_cluster or not each.on_cluster_only]
    lacking = [each for each in wanted if get(each.name) is None]
    for each in lacking:
        yield note(
            "settings",
            f"{each.name} is not set: {each.why}",
            f"set it to {each.value}{each.where}; jobs do so",
        )
    overhead = "spark.executor.memoryOverhead"
    if re.match("yarn|k8s:", get("spark.master") or "") and get(overhead) is None:
        yield note(
            "settings",
            f"{overhead} is not set: Python gets 10 % of the heap, and is killed beyond it",
            f"set {overhead} to 2g for each task that runs at once in an executor, or more",
        )
    if not lacking:
        yield good("settings", f"all {len(wanted)} that speed depends on are set")


def _redaction(get: Get) -> Finding:
    try:
        pattern = re.compile(get(REDACTION) or _SPARKS_OWN)
    except re.error:  # Java knows some expressions that Python does not
        return note("redaction", f"{REDACTION} is not understood here, so it was not tried")
    shown = [what for what, text in _SECRETS.items() if not pattern.search(text)]
    if not shown:
        return good("redaction", "the event log, the UI and plans hide keys and signed URLs")
    remedy = f"set {REDACTION} as in conf/spark-defaults.conf, before Spark starts; jobs do so"
    if (get("spark.eventLog.enabled") or "").lower() == "true":
        return bad(
            "redaction", f"the event log, the UI and plans would show {', '.join(shown)}", remedy
        )
    return note("redaction", f"the UI and plans would show {', '.join(shown)}", remedy)
