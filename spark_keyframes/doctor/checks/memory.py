"""Memory: how much is free, and whether decode processes can share some with this one."""

import contextlib
import os
import shutil
from collections.abc import Iterator

from spark_keyframes.device import task_cpus
from spark_keyframes.doctor.finding import Finding, bad, good, note
from spark_keyframes.doctor.options import Options
from spark_keyframes.doctor.system import gigabytes, memory
from spark_keyframes.video.process.shared_memory import create_shared_memory, map_shared_memory

_PICTURE = 8192 * 4320 * 3  # bytes of a frame of 8K

# As conf/spark-defaults.conf says: of libraries, a model in float32, one decode process, frames.
_LIBRARIES, _MODEL, _PROCESS, _FRAMES = 0.3e9, 0.5e9, 0.1e9, 0.8e9

_SHM = "/dev/shm"  # noqa: S108 - only its size is read


def check(_: Options) -> Iterator[Finding]:
    """Share one large frame, as a decode process does, and count what a task needs."""
    try:
        _share(_PICTURE)
    except (OSError, MemoryError, ValueError) as error:
        yield bad(
            "shared memory",
            f"a frame of 8K, {_PICTURE / 1e6:.0f} MB, cannot be shared with a decode process: "
            f"{getattr(error, 'strerror', None) or error}",
            "raise the limit of memory (ulimit -v, spark.executor.pyspark.memory, the container's)",
        )
    found = memory()
    if found is None:
        yield note("memory", "how much is free is not known on this system")
        return
    total, free = found
    need = _LIBRARIES + _MODEL + (task_cpus() + 1) * _PROCESS + _FRAMES
    text = (
        f"{gigabytes(free)} of {gigabytes(total)} free; a task or sample() takes up to "
        f"{gigabytes(need)} with ViT-B/32; decode processes share frames in memory{_of_dev_shm()}"
    )
    if free < need:
        yield note(
            "memory",
            text,
            "run fewer tasks at once, or give each fewer CPUs (OMP_NUM_THREADS, spark.task.cpus)",
        )
    else:
        yield good("memory", text)


def _of_dev_shm() -> str:
    with contextlib.suppress(OSError):
        return f", not in {_SHM} ({gigabytes(shutil.disk_usage(_SHM).total)})"
    return ""


def _share(size: int) -> None:
    descriptor = create_shared_memory(size)
    try:
        # Reserved on Linux when it is written to: a cgroup's limit would kill the process then.
        map_shared_memory(descriptor, size)[:: 1 << 20] = 1
    finally:
        os.close(descriptor)
