"""Spark's Python daemon, with the imports of a worker done once, before it forks the workers.

Set `spark.python.daemon.module=spark_keyframes.spark.daemon`. Spark then starts the daemon of
each executor by this name, so the package must be installed on its machines.

Nothing here may compute with torch, touch CUDA or leave a thread behind: a fork copies the thread
that forks and no other, and the workers would wait for those that are gone.
"""

import contextlib
import gc
import importlib
import os
import sys
import traceback

from spark_keyframes.engine.device import wait_passively

_MODULES = (
    "pandas",
    "pyarrow",
    "pyspark.worker",
    "torch",
    "transformers.models.clip.modeling_clip",
    "transformers.models.clip.tokenization_clip",
    "transformers.models.clip.image_processing_pil_clip",
    "spark_keyframes.spark.arrow_stage",
    "spark_keyframes.spark.udf",
)


def preload() -> None:
    """Import what a worker needs: pyspark's part, Arrow, pandas, PyAV, torch and CLIP.

    What cannot be imported is said on stderr and left to the workers: there it costs the rows that
    need it, while a daemon that does not start fails every Python task.
    """
    wait_passively()
    # Arrow's jemalloc would start a thread. Arrow allocates by mimalloc anyway.
    os.environ.setdefault("JE_ARROW_MALLOC_CONF", "background_thread:false")
    # A collection writes to every object it visits, and a worker collects after each task: frozen
    # objects are left out, so that their pages stay shared. None during the imports saves 0.6 s.
    gc.disable()
    # Spark reads a port number from this process's stdout.
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
