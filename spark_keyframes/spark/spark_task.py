"""Runs the pipeline in a Spark task: on the task's GPU, and named in the log."""

from collections.abc import Generator, Iterable

from spark_keyframes.device import resolve_device
from spark_keyframes.engine.pipeline import Pipeline
from spark_keyframes.engine.request import Outcome, Request


def run_in_task(
    pipeline: Pipeline,
    requests: Iterable[Request],
    *,
    tasks_at_once: int = 1,
    stop_on_failure: bool = False,
) -> Generator[Outcome]:
    """Run the pipeline on the device of this task.

    Args:
        pipeline: what to run.
        requests: as in `Pipeline.run`.
        tasks_at_once: how many such tasks run in an executor.
        stop_on_failure: as in `Pipeline.run`.
    """
    device = resolve_device(
        rank=pipeline.parameters.rank, assigned=assigned_gpus(), tasks_at_once=tasks_at_once
    )
    return pipeline.run(
        requests, device=device, stop_on_failure=stop_on_failure, log_context=task_fields
    )


def assigned_gpus() -> list[str]:
    """Return the addresses of the GPUs that Spark assigned to this task; empty outside of one."""
    from pyspark import TaskContext

    context = TaskContext.get()
    resources = context.resources() if context is not None else {}
    return list(resources["gpu"].addresses) if "gpu" in resources else []


def task_fields() -> dict[str, int]:
    """Return the partition and the attempt of this task, for log lines; empty outside of one."""
    from pyspark import TaskContext

    context = TaskContext.get()
    if context is None:
        return {}
    return {"partition": context.partitionId(), "task_attempt": context.taskAttemptId()}
