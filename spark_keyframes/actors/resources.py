"""The CPUs and GPUs of actors, on one machine and on Ray."""

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spark_keyframes.device import resolve_device, task_cpus
from spark_keyframes.errors import AcceleratorError, ParameterError
from spark_keyframes.threads import wait_passively

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class ActorResources:
    """What each of `actors` actors has.

    Attributes:
        cpus: None: the actors of a machine share all of its CPUs.
        gpus: a fraction, or a whole number; 0: the model computes on the CPU.
        actors: how many run, each in a process of its own.
        on_ray: whether Ray runs them; otherwise they run on the driver's machine.
    """

    cpus: float | None
    gpus: float
    actors: int
    on_ray: bool

    def check(self) -> None:
        """Check on the driver that there are GPUs.

        Raises:
            ParameterError: an actor would wait for a GPU, or find none.
        """
        if not self.gpus:
            return
        if self.on_ray:
            # Of one node: an actor is never on two. Daft checks a cluster that it starts itself.
            needed, found = self.gpus, max(map(_gpus, _nodes()), default=self.gpus)
            place = "the Ray cluster has no node with more than"
        else:
            import torch

            needed, found = self.gpus * self.actors, torch.cuda.device_count()
            place = "this machine has"
        if found < needed:
            raise ParameterError(
                f"num_gpus={self.gpus:g} with concurrency={self.actors} needs {needed:g} GPU(s), "
                f"and {place} {found:g}; use num_gpus=0 for the CPU"
            )

    def share_cpus(self) -> int:
        """Let this actor's torch use its share of the CPUs, and return how many these are."""
        wait_passively()
        if self.cpus:
            threads = max(1, int(self.cpus))
        else:
            cpus, actors = self._of_node() if self.on_ray else (task_cpus(), self.actors)
            threads = max(1, cpus // actors)
        # Ray has set it to the CPUs that it reserves, which is 1 where `cpus` is None.
        os.environ["OMP_NUM_THREADS"] = str(threads)
        import torch

        torch.set_num_threads(threads)  # another module may have imported torch already
        return threads

    def _of_node(self) -> tuple[int, int]:
        """Return the CPUs of this node, and how many actors share them: Daft spreads them."""
        import ray

        own = ray.get_runtime_context().get_node_id()
        cpus = {
            node["NodeID"]: int(node["Resources"].get("CPU", 0))
            for node in _nodes()
            if _gpus(node) >= self.gpus and node["Resources"].get("CPU", 0) >= 1
        }
        return cpus.get(own, 1), -(-self.actors // max(1, len(cpus)))

    def device(self, rank: int, folder: Path | None) -> "torch.device":
        """Return the GPU of this actor, or else the CPU.

        Args:
            rank: the first GPU to use, where Ray has not assigned one.
            folder: for lock files, the same for all actors of a job on this machine.

        Raises:
            AcceleratorError: there is no such GPU.
        """
        import torch

        if not self.gpus:
            return torch.device("cpu")
        if not torch.cuda.is_available():
            raise AcceleratorError(
                f"num_gpus={self.gpus:g}, but torch {torch.__version__} finds no CUDA device in "
                "the actor; use num_gpus=0 for the CPU, or a torch with CUDA"
            )
        if self.on_ray or folder is None:
            import ray

            return resolve_device(rank=rank, assigned=[str(gpu) for gpu in ray.get_gpu_ids()])
        return resolve_device(rank=rank + int(own_place(folder, self.actors) * self.gpus))


def own_place(folder: Path, actors: int) -> int:
    """Return a number below `actors` that no other process has until this one ends.

    Raises:
        AcceleratorError: there are more processes than `actors`.
    """
    folder.mkdir(exist_ok=True)
    for number in range(actors):
        file = os.open(folder / str(number), os.O_CREAT | os.O_RDWR)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
        else:
            return number  # the file stays open, and locked
    raise AcceleratorError(f"more than {actors} actors ask for a GPU; run the query again")


def _nodes() -> list[dict[str, Any]]:
    import ray

    nodes: Any = ray.nodes
    return [node for node in nodes() if node["Alive"]] if ray.is_initialized() else []


def _gpus(node: dict[str, Any]) -> float:
    return float(node["Resources"].get("GPU", 0))
