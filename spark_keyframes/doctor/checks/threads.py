"""Threads: the variables that say how many there are, and how they wait."""

import os
from collections.abc import Iterator

from spark_keyframes.device import task_cpus
from spark_keyframes.doctor.finding import Finding, bad, good, note
from spark_keyframes.doctor.options import Options
from spark_keyframes.doctor.system import usable_cpus
from spark_keyframes.redaction import redact_url


def check(options: Options) -> Iterator[Finding]:
    """Look at OMP_NUM_THREADS and OMP_WAIT_POLICY."""
    given, cpus = os.environ.get("OMP_NUM_THREADS", ""), usable_cpus()
    threads = task_cpus()
    is_number = given.isdecimal() and int(given) > 0
    policy = os.environ.get("OMP_WAIT_POLICY", "")
    # A finding of its own, as it costs most.
    if policy.lower() == "active":
        yield bad(
            "threads",
            "OMP_WAIT_POLICY is ACTIVE: threads that wait keep CPUs busy that decode",
            "unset it, or set it to PASSIVE; on two busy cores a video took five times as long",
        )
    if given and not is_number:
        yield note(
            "threads",
            f"OMP_NUM_THREADS is {redact_url(given)!r}, no number: all {cpus} CPUs are used",
            "unset it, or set it to a whole number",
        )
    elif options.in_task:
        yield _of_task(threads, cpus, is_set=is_number)
    elif is_number and threads < cpus:
        yield note(
            "threads",
            f"OMP_NUM_THREADS is {threads}: sample() decodes and scores with {threads} of "
            f"{cpus} CPUs",
            "unset it, unless the others have other work. Spark sets it for its tasks itself, to "
            "spark.task.cpus",
        )
    elif is_number and threads > cpus:
        yield note(
            "threads",
            f"OMP_NUM_THREADS is {threads}, and there are {cpus} CPUs",
            f"unset it, or set it to {cpus}: threads without a CPU slow the others",
        )
    else:
        yield good(
            "threads",
            f"{threads} for sample(), one per CPU; OMP_NUM_THREADS is {given or 'not set'}",
        )


def _of_task(threads: int, cpus: int, *, is_set: bool) -> Finding:
    if not is_set:
        return note(
            "threads",
            f"OMP_NUM_THREADS is not set in a task: each takes all {cpus} CPUs",
            "set spark.executorEnv.OMP_NUM_THREADS to spark.task.cpus",
        )
    if threads > cpus:
        return note(
            "threads",
            f"OMP_NUM_THREADS is {threads} in a task, and there are {cpus} CPUs",
            "set spark.task.cpus, or spark.executorEnv.OMP_NUM_THREADS, to at most as many",
        )
    return good("threads", f"{threads} of {cpus} CPUs for each task (OMP_NUM_THREADS)")
