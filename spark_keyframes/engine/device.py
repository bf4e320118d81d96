"""Which device a task computes on, and how many CPUs it may use: decided here and nowhere else."""

import functools
import logging
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from spark_keyframes.errors import AcceleratorError

if TYPE_CHECKING:
    import torch

logger = logging.getLogger(__name__)


def wait_passively() -> None:
    """Let OpenMP's threads sleep while they wait; without effect once torch is loaded.

    Else they wait for each other busily, and here there is always another thread, one that decodes,
    on the CPU that they wait for: on two busy cores a video took 37 to 59 s in that way, and 9 s in
    this.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def resolve_device(
    *, rank: int, assigned: Sequence[str] = (), tasks_at_once: int = 1
) -> "torch.device":
    """The GPU that Spark assigned, else GPU number `rank`, else the CPU.

    Arguments:
        rank: used only where Spark assigned none.
        assigned: addresses of the task's "gpu" resource, as its discovery script printed them.
        tasks_at_once: how many such tasks may run beside each other. Where Spark assigned no GPU,
            all of them compute on number `rank`, which is worth a warning.

    Raises AcceleratorError where there are GPUs but not the one asked for.
    """
    wait_passively()
    import torch

    if not torch.cuda.is_available():
        if assigned:
            logger.warning(
                "Spark assigned GPU %s, but torch %s finds no CUDA device: computing on the CPU",
                ",".join(assigned),
                torch.__version__,
            )
        return torch.device("cpu")
    index = _cuda_index(assigned[0]) if assigned else rank
    count = torch.cuda.device_count()
    if index >= count:
        asked = f"GPU {assigned[0]!r}, which Spark assigned," if assigned else f"rank {rank}"
        raise AcceleratorError(
            f"{asked} does not exist: this machine shows {count} GPU(s), numbered from 0; "
            "correct rank, the GPU discovery script or CUDA_VISIBLE_DEVICES"
        )
    if not assigned and tasks_at_once > 1:
        _warn_of_sharing(index, tasks_at_once)
    return torch.device("cuda", index)


def _cuda_index(address: str) -> int:
    # torch numbers the visible devices from 0, Spark's addresses are those of the machine.
    visible = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")]
    if address in visible:
        return visible.index(address)
    if not address.isdecimal():
        raise AcceleratorError(
            f"GPU address {address!r} is neither a number nor in CUDA_VISIBLE_DEVICES; "
            "a discovery script should print the numbers of nvidia-smi"
        )
    return int(address)


@functools.cache
def _warn_of_sharing(index: int, tasks: int) -> None:
    """Once in a process: it runs task after task."""
    logger.warning(
        "Spark assigned no GPU, so up to %d tasks of this executor compute on GPU %d at a time, "
        "each with a model of its own; ask for a GPU per task on a cluster, transform(…, gpus=1), "
        "or in local[n] for all CPUs per task, spark.task.cpus=n",
        tasks,
        index,
    )


def task_cpus() -> int:
    """CPUs that this process should keep busy: the task's on Spark, all of them elsewhere."""
    # Spark sets OMP_NUM_THREADS to the task's CPUs, a profile's too, unless spark.executorEnv does.
    # It keeps Python workers apart by it, so that torch, which reads it once, has as many threads.
    threads = os.environ.get("OMP_NUM_THREADS", "")
    if threads.isdecimal() and int(threads) > 0:
        return int(threads)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
