"""Looks at what a run needs, and says what to do where something is missing.

On the command line: `spark-keyframes doctor`. In a notebook:

    from spark_keyframes.doctor import check

    check(spark)
"""

from collections.abc import Iterable
from itertools import chain
from typing import TYPE_CHECKING

from spark_keyframes.doctor.diagnosis import Diagnosis, Section
from spark_keyframes.doctor.examine import Line, collected, of_machine, of_spark
from spark_keyframes.doctor.finding import Finding
from spark_keyframes.doctor.options import Options

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["Diagnosis", "Finding", "Section", "check"]


def check(
    spark: "SparkSession | None" = None,
    *,
    model_path: str | None = None,
    clip_model_name: str = Options.clip_model_name,
    write: str = "",
    executors: bool = True,
) -> Diagnosis:
    """Look at this machine and, with a session, at its settings and its executors.

    Args:
        spark: a session, classic or of Connect; None: Spark is not started.
        model_path: as the parameter of the sampler: the model is loaded and scores a drawn frame.
            None: only whether the default model is in the cache of the Hugging Face Hub.
        clip_model_name: as the parameter of the sampler.
        write: folder, such as tos://bucket/keyframes, in which one object of 100 kB is written,
            read and removed; by the executors too.
        executors: whether to run the checks in a task of Spark on each machine. It takes some
            seconds there, and memory for the model.

    Returns:
        The report. A notebook shows it as text; `exit_code` is 1 where something is bad.
    """
    options = Options(model_path=model_path, clip_model_name=clip_model_name, write=write)
    lines: Iterable[Line] = of_machine(options)
    if spark is not None:
        lines = chain(lines, of_spark(spark, options, executors=executors))
    return collected(lines)
