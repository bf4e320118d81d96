"""Spark's Python daemon as it is shipped, in a process that says what it logs: INFO, to stderr.

spark.python.daemon.module=tests.spark.logging_daemon
"""

import logging
import runpy

logging.basicConfig(level=logging.INFO, format="%(process)d %(name)s: %(message)s")
runpy.run_module("spark_keyframes.spark.daemon", run_name="__main__", alter_sys=True)
