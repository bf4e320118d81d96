"""Sees to it that workers run a Python that has this package, or say which Python lacks it."""

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from spark_keyframes.spark.versions import is_connect

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def is_local(spark: "SparkSession") -> bool:
    """Return whether the workers run on this machine, and see its files and environment."""
    return not is_connect(spark) and str(spark.sparkContext.master).startswith("local")


def use_own_python(spark: "SparkSession") -> None:
    """Let the workers of a local session run this Python, unless another one was chosen.

    Spark's default is the first python3 in PATH, which is another one where the environment of this
    Python is not active.
    """
    if is_local(spark):
        context = spark.sparkContext
        chosen = os.environ.get("PYSPARK_PYTHON") or context.getConf().get("spark.pyspark.python")
        if not chosen:
            context.pythonExec = sys.executable


def shipped(stage: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that does the same, and names the Python that lacks this package.

    Spark pickles `stage` by reference. Where the package is missing, unpickling fails before any
    line of the package runs, with pages of traces. So this function is pickled by value, and
    unpickles the stage itself.
    """
    from pyspark import cloudpickle

    payload: bytes = cloudpickle.dumps(stage)  # type: ignore[no-untyped-call]

    def run(*batches: Any) -> Any:
        import pickle
        import platform
        import sys

        try:
            stage = pickle.loads(payload)  # noqa: S301 - made by the driver, as all of Spark's
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                f"{error} in the Python of this worker, {sys.executable} (Python "
                f"{platform.python_version()} on {platform.node()}); set PYSPARK_PYTHON to one "
                "that has the driver's packages; docs/shipping.md has all ways to bring them"
            ) from None
        return stage(*batches)

    run.__module__ = "__main__"  # makes cloudpickle pickle it by value
    return run
