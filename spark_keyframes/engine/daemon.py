"""The former place of `spark_keyframes.spark.daemon`; existing Spark configurations name it."""

import runpy

from spark_keyframes.spark.daemon import preload

__all__ = ["preload"]

if __name__ == "__main__":
    runpy.run_module("spark_keyframes.spark.daemon", run_name="__main__", alter_sys=True)
