"""Runs the pipeline in a Spark task: on the task's GPU, with the rows of Arrow columns."""

from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from spark_keyframes.device import resolve_device
from spark_keyframes.engine.pipeline import Pipeline
from spark_keyframes.engine.request import Outcome, Request
from spark_keyframes.result import Answers, Keyframes

if TYPE_CHECKING:
    import pyarrow as pa


RowText = str | list[str | None] | None
"""A text, several texts, or a null."""


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


def texts_of(column: "pa.Array | None", count: int, pipeline: Pipeline) -> list[RowText]:
    """Return the text of each of `count` rows; without a column of them, the parameter `text`."""
    if column is None:
        return [pipeline.parameters.text] * count
    texts: list[RowText] = column.to_pylist()
    return texts


def requests_of(
    videos: "pa.Array | None",
    texts: Sequence[RowText],
    start: "pa.Array | None" = None,
    end: "pa.Array | None" = None,
) -> Iterator[Request]:
    """Yield a request for each row; without `start` and `end`, of the whole videos."""
    values = [None] * len(texts) if videos is None else _values(videos)
    windows = (_seconds(column, len(texts)) for column in (start, end))
    for video, text, *window in zip(values, texts, *windows, strict=True):
        yield Request(video, text, *window)


def _seconds(column: "pa.Array | None", count: int) -> list[float | None]:
    import pyarrow as pa

    if column is None:
        return [None] * count
    # Not safe: a bigint may be rounded.
    seconds: list[float | None] = column.cast(pa.float64(), safe=False).to_pylist()
    return seconds


def _values(column: "pa.Array") -> Iterator[Any]:
    """Yield the values of a text or binary column, bytes as views without a copy."""
    import pyarrow as pa

    binary = pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type)
    for scalar in column:
        yield memoryview(scalar.as_buffer()) if binary and scalar.is_valid else scalar.as_py()


def keyframes_cell(outcome: Outcome) -> dict[str, Any] | list[dict[str, Any] | None] | None:
    """Return the documented struct, one for each of several texts, or None without a result."""
    if isinstance(outcome, Answers):
        return [_struct(keyframes) for keyframes in outcome.keyframes]
    return _struct(outcome) if isinstance(outcome, Keyframes) else None


def _struct(keyframes: Keyframes | None) -> dict[str, Any] | None:
    if keyframes is None:
        return None
    return {
        "tos_paths": keyframes.tos_paths,
        "frame_ids": keyframes.frame_ids,
        "scores": keyframes.scores,
    }


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
