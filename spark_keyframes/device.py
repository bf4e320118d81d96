"""Decides which device a task computes on, and how many CPUs it may use."""

import functools
import logging
import os
import sys
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from spark_keyframes.errors import AcceleratorError
from spark_keyframes.threads import wait_passively

if TYPE_CHECKING:
    import torch

logger = logging.getLogger("spark_keyframes")

_has_looked = threading.Event()  # for GPUs; CUDA reads CUDA_VISIBLE_DEVICES once


def resolve_device(
    *, rank: int, assigned: Sequence[str] = (), tasks_at_once: int = 1
) -> "torch.device":
    """Return the GPU that Spark assigned, else GPU number `rank`, else the CPU.

    Args:
        rank: used only where Spark assigned none.
        assigned: addresses of the task's "gpu" resource, as its discovery script printed them.
        tasks_at_once: how many such tasks may run at the same time in an executor. Without a GPU
            assigned by Spark, all of them compute on number `rank`; a warning says so.

    Raises:
        AcceleratorError: there are GPUs, but not this one.
    """
    wait_passively()
    if assigned:
        _show_only(assigned[0])
    import torch

    _has_looked.set()
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


def _show_only(address: str) -> None:
    """Let CUDA see the part of a GPU (MIG) with this address: it shows one only, which is named.

    No effect once this process has looked for GPUs: then it sees what it saw.
    """
    torch = sys.modules.get("torch")
    is_too_late = _has_looked.is_set() or (torch is not None and torch.cuda.is_initialized())
    if address.startswith("MIG-") and not is_too_late:
        os.environ["CUDA_VISIBLE_DEVICES"] = address


def _cuda_index(address: str) -> int:
    """Return torch's number of a GPU: it numbers the visible ones from 0.

    Spark's addresses are the machine's numbers, or the names of `nvidia-smi -L`.
    """
    visible = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")]
    for index, name in enumerate(visible):
        # CUDA takes the beginning of a name for the whole.
        if name == address or (name.startswith(("GPU-", "MIG-")) and address.startswith(name)):
            return index
    if address.isdecimal():
        return int(address)
    if address.startswith("GPU-"):
        import torch

        for index in range(torch.cuda.device_count()):
            if f"GPU-{torch.cuda.get_device_properties(index).uuid}" == address:
                return index
    if address.startswith("MIG-"):
        raise AcceleratorError(
            f"GPU address {address!r} is a part of a GPU, and this process uses another one "
            "already: a process sees one part only. Set spark.python.worker.reuse=false, so that "
            "each task has a process of its own"
        )
    raise AcceleratorError(
        f"GPU address {address!r} is neither a number nor a name of nvidia-smi -L that torch or "
        "CUDA_VISIBLE_DEVICES has; a discovery script should print the numbers of nvidia-smi"
    )


@functools.cache
def _warn_of_sharing(index: int, tasks: int) -> None:
    """Warn once in a process, which runs many tasks."""
    logger.warning(
        "Spark assigned no GPU, so up to %d tasks of this executor compute on GPU %d at a time, "
        "each with a model of its own; ask for a GPU per task on a cluster, transform(…, gpus=1), "
        "or in local[n] for all CPUs per task, spark.task.cpus=n",
        tasks,
        index,
    )


def task_cpus() -> int:
    """Return the number of CPUs to use: the task's on Spark, all of them elsewhere."""
    # Spark sets OMP_NUM_THREADS to the task's CPUs, also those of a resource profile. Tasks with
    # other CPUs run in other Python workers, so torch, which reads it once, has as many threads.
    threads = os.environ.get("OMP_NUM_THREADS", "")
    if threads.isdecimal() and int(threads) > 0:
        return int(threads)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
