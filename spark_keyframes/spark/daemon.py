"""Spark's Python daemon that imports the packages of a worker before it forks the workers.

Set `spark.python.daemon.module=spark_keyframes.spark.daemon`. Spark starts the daemon of each
executor by this name, so the package must be installed on the executors' machines.

Nothing here may compute with torch, touch CUDA or leave a thread running. A fork copies only the
calling thread, and a worker would wait for the missing ones.
"""

import contextlib
import gc
import importlib
import os
import sys
import traceback

from spark_keyframes.threads import wait_passively

_MODULES = (
    "pandas",
    "pyarrow",
    "pyspark.worker",
    "torch",
    "transformers.models.clip.modeling_clip",
    "spark_keyframes.clip.preload",
    "spark_keyframes.video.process",
    "spark_keyframes.video.thread_decoder",
    "spark_keyframes.spark.arrow_stage",
    "spark_keyframes.spark.udf",
)


def preload() -> None:
    """Import the packages of a worker: pyspark's, Arrow, pandas, PyAV, torch and CLIP.

    A failed import is reported on stderr and left to the workers, where it fails only the rows
    that need it. A daemon that does not start would fail every Python task.
    """
    wait_passively()
    # Arrow's jemalloc would start a thread. Arrow allocates with mimalloc anyway.
    os.environ.setdefault("JE_ARROW_MALLOC_CONF", "background_thread:false")
    # A garbage collection writes to every object that it visits, and a worker collects after each
    # task. It skips frozen objects, so their memory pages stay shared between the workers.
    # Disabled during the imports, it saves 0.6 s.
    gc.disable()
    # Spark reads a port number from stdout, so nothing else may be written there.
    with contextlib.redirect_stdout(sys.stderr):
        for name in _MODULES:
            try:
                importlib.import_module(name)
            except (ImportError, OSError):
                print(f"spark_keyframes.spark.daemon: left to the workers: {name}")
                traceback.print_exc()
    gc.freeze()
    gc.enable()


if __name__ == "__main__":
    from pyspark.daemon import manager

    preload()
    manager()
