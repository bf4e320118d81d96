"""The daemon of spark_keyframes.spark.daemon, with log lines of level INFO on stderr.

spark.python.daemon.module=tests.spark.logging_daemon
"""

import logging
import runpy

logging.basicConfig(level=logging.INFO, format="%(process)d %(name)s: %(message)s")
runpy.run_module("spark_keyframes.spark.daemon", run_name="__main__", alter_sys=True)
