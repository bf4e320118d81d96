"""The folder of settings for Spark where neither the user nor a cluster has one."""

import os
import sys
from importlib.util import find_spec
from pathlib import Path

_OURS = Path(__file__).parent / "conf"
_SOMEONE_ELSE_S = {"SPARK_CONF_DIR", "SPARK_HOME", "PYSPARK_GATEWAY_PORT"}


def use_own_folder() -> None:
    """Let a Spark that starts next read conf/ beside jobs/, or the log settings of this package.

    Does nothing where SPARK_CONF_DIR, SPARK_HOME or pyspark's own folder conf/ has settings, or
    where spark-submit has started this process.
    """
    if _SOMEONE_ELSE_S & set(os.environ):
        return
    pyspark = find_spec("pyspark")
    if pyspark and pyspark.origin and Path(pyspark.origin).with_name("conf").is_dir():
        return
    beside_jobs = Path(sys.argv[0]).resolve().parent.parent / "conf"
    is_script = (beside_jobs / "spark-defaults.conf").is_file()
    folder = beside_jobs if is_script else _OURS
    if folder.is_dir():  # not within a zip
        os.environ["SPARK_CONF_DIR"] = str(folder)
