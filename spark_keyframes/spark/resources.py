"""The CPUs and the GPU of a task: asked of Spark, or refused on the driver with what to do.

What Spark 4.3 makes of it, as was tried:

- `local[n]`: an action with any profile raises, also with one that says what the conf says. A GPU
  per task by conf starts no task, for ever and without a word, where the conf announces a GPU too;
  else there is no session.
- A cluster with static allocation: a profile of task requests alone is served. More CPUs than an
  executor has cores, or a GPU where executors announce none, wait for ever without a word. What
  such a profile leaves out, the conf gives for CPUs but not for GPUs.
- Dynamic allocation: executors come for each profile, of the kind that its executor requests say.
- The CPUs of a task, a profile's too, are its OMP_NUM_THREADS. Tasks with others run in Python
  workers of their own, which have a daemon of their own in each executor.
"""

import functools
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from spark_keyframes.checks import check_integer
from spark_keyframes.errors import ParameterError
from spark_keyframes.spark.versions import is_connect

if TYPE_CHECKING:
    from pyspark.resource import ResourceProfile
    from pyspark.sql import SparkSession

logger = logging.getLogger(__name__)

_NAMES = (
    "spark.app.id",
    "spark.master",
    "spark.dynamicAllocation.enabled",
    "spark.executor.cores",
    "spark.executor.resource.gpu.amount",
    "spark.executor.resource.gpu.discoveryScript",
    "spark.executor.resource.gpu.vendor",
    "spark.task.cpus",
    "spark.task.resource.gpu.amount",
)
_LOCAL = re.compile(r"local(?:\[\s*(\*|\d+)\s*(?:,.*)?\])?")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the conf of a session says about executors and tasks; None: it does not say."""

    application: str | None = None
    """its id, different for each SparkContext"""
    master: str | None = None
    dynamic: bool = False
    """executors come and go with the work"""
    executor_cores: int | None = None
    executor_gpus: int | None = None
    gpu_script: str = ""
    gpu_vendor: str = ""
    task_cpus: float = 1.0
    task_gpus: float | None = None

    @classmethod
    def read(cls, conf: Mapping[str, str]) -> Self:
        """From the names and values of a Spark conf."""
        master = conf.get("spark.master")
        cores = conf.get("spark.executor.cores")
        if cores is None and master is not None and re.match("yarn|k8s:", master):
            cores = "1"  # their default; in a standalone cluster it is all cores of a worker
        executor_gpus = conf.get("spark.executor.resource.gpu.amount")
        task_gpus = conf.get("spark.task.resource.gpu.amount")
        return cls(
            application=conf.get("spark.app.id"),
            master=master,
            dynamic=conf.get("spark.dynamicAllocation.enabled", "false").lower() == "true",
            executor_cores=int(cores) if cores else None,
            executor_gpus=int(executor_gpus) if executor_gpus else None,
            gpu_script=conf.get("spark.executor.resource.gpu.discoveryScript", ""),
            gpu_vendor=conf.get("spark.executor.resource.gpu.vendor", ""),
            task_cpus=float(conf.get("spark.task.cpus", "1")),
            task_gpus=float(task_gpus) if task_gpus else None,
        )

    @property
    def local_cores(self) -> int | None:
        """n of `local[n]`; None on a cluster."""
        match = _LOCAL.fullmatch(self.master or "")
        if match is None:
            return None
        return (os.cpu_count() or 1) if match[1] == "*" else int(match[1] or 1)


@dataclass(frozen=True, kw_only=True)
class TaskRequest:
    """What a profile is to ask for; None: nothing."""

    cpus: int | None = None
    gpus: float | None = None


@dataclass(frozen=True)
class TaskResources:
    """What a stage is run with.

    Attributes:
        profile: for mapInArrow; None where the conf says the same.
        tasks_at_once: of this stage in one executor, by their CPUs; 1 also where that is not known.
    """

    profile: "ResourceProfile | None" = None
    tasks_at_once: int = 1


def task_resources(
    spark: "SparkSession",
    *,
    cpus: int | None = None,
    gpus: int | None = None,
    profiles: bool = True,
) -> TaskResources:
    """The resources of a stage whose tasks have `cpus` CPUs and `gpus` GPUs; None: as conf says.

    Arguments:
        spark: the session.
        cpus: of each task.
        gpus: of each task.
        profiles: whether this Spark gives a stage of a DataFrame resources of its own.

    Raises ParameterError for what Spark cannot give, most of which it would wait for in silence.
    """
    settings = Settings.read(_conf(spark))
    request = request_for(settings, cpus=cpus, gpus=gpus)
    cores = settings.local_cores or settings.executor_cores
    each = (request and request.cpus) or settings.task_cpus
    at_once = max(1, int(cores / each)) if cores else 1
    if request is None:
        return TaskResources(None, at_once)
    if not profiles:
        raise ParameterError(_no_profiles(request))
    if request.cpus and not cores and not settings.dynamic:
        _check_executors(spark, request.cpus)
    return TaskResources(_profile(request, settings), at_once)


def _no_profiles(request: TaskRequest) -> str:
    asked = {"cpus": request.cpus, "gpus": request.gpus}
    names = {"cpus": "spark.task.cpus", "gpus": "spark.task.resource.gpu.amount"}
    given = {name: value for name, value in asked.items() if value}
    conf = " ".join(f"--conf {names[name]}={value:g}" for name, value in given.items())
    return (
        f"{', '.join(f'{name}={value:g}' for name, value in given.items())}, but before Spark 4.0 "
        f"no stage of a DataFrame has resources of its own; start Spark with {conf}, and leave "
        f"{' and '.join(given)} out"
    )


def request_for(
    settings: Settings, *, cpus: int | None = None, gpus: int | None = None
) -> TaskRequest | None:
    """What to ask of Spark beyond its conf; None: nothing. Raises as `task_resources` does."""
    if cpus is not None:
        cpus = check_integer("cpus", cpus, 1, "give the CPUs of a task, e.g. cpus=8")
    if gpus is not None:
        gpus = check_integer("gpus", gpus, 1, "use gpus=1, or leave it out where there is no GPU")
    wanted_gpus = settings.task_gpus if gpus is None else gpus
    _check_gpus(settings, gpus, wanted_gpus)
    _check_cpus(settings, cpus)
    if cpus in (None, settings.task_cpus) and wanted_gpus == settings.task_gpus:
        return None
    return TaskRequest(cpus=cpus, gpus=wanted_gpus)


def _check_gpus(settings: Settings, gpus: int | None, wanted: float | None) -> None:
    if not wanted:
        return
    asked = f"spark.task.resource.gpu.amount={wanted:g}" if gpus is None else f"gpus={gpus}"
    if wanted > 1:
        raise ParameterError(
            f"{asked}, but a task computes on one GPU and the others would idle; "
            "use 1, with more tasks"
        )
    if settings.local_cores is not None:
        raise ParameterError(
            f"{asked}, but Spark assigns no GPU in {settings.master!r}: it would wait for one for "
            "ever; leave it out, there the GPU is number `rank`, or use a cluster"
        )
    if settings.executor_gpus is None and settings.master is not None and not settings.dynamic:
        raise ParameterError(
            f"{asked}, but no executor announces a GPU, and Spark would wait for one for ever; set "
            "spark.executor.resource.gpu.amount and spark.executor.resource.gpu.discoveryScript, "
            "as in conf/spark-defaults.conf, or leave it out to compute on CPUs"
        )


def _check_cpus(settings: Settings, cpus: int | None) -> None:
    if cpus is None or cpus == settings.task_cpus:
        return
    if settings.local_cores is not None:
        enough = "" if cpus <= settings.local_cores else f" and the master local[{cpus}]"
        raise ParameterError(
            f"cpus={cpus}, but in {settings.master!r} a stage cannot have CPUs of its own; start "
            f"Spark with --conf spark.task.cpus={cpus}{enough}, or leave it out: each task has "
            f"{settings.task_cpus:g} now"
        )
    if settings.executor_cores is not None and cpus > settings.executor_cores:
        raise ParameterError(
            f"cpus={cpus}, but an executor has {settings.executor_cores}, and Spark would "
            f"wait for ever; use at most {settings.executor_cores}, or start Spark with "
            f"--conf spark.executor.cores={cpus}"
        )


def _check_executors(spark: "SparkSession", cpus: int) -> None:
    """For a cluster whose conf does not say how many cores an executor has."""
    most = _most_cores(spark)
    if most is None:
        logger.warning(
            "cpus=%d: if no executor has as many cores, Spark waits for ever and says nothing; "
            "set spark.executor.cores to have that checked",
            cpus,
        )
    elif cpus > most:
        raise ParameterError(
            f"cpus={cpus}, but the largest executor has {most}, and Spark would wait for "
            f"ever; use at most {most}"
        )


def _most_cores(spark: "SparkSession") -> int | None:
    """Of the executors that have come by now; None: none, or on Connect."""
    if is_connect(spark):
        return None
    context: Any = spark.sparkContext
    executors = context._jsc.sc().statusStore().executorList(True)
    found = [executors.apply(index) for index in range(executors.size())]
    return max((each.totalCores() for each in found if each.id() != "driver"), default=None)


def _conf(spark: "SparkSession") -> Mapping[str, str]:
    """What `Settings` reads of the session's conf, which holds that of its context."""
    # One by one: Spark 3.5 gives no list.
    found = ((name, spark.conf.get(name, None)) for name in _NAMES)
    return {name: value for name, value in found if value is not None}


@functools.lru_cache(maxsize=16)
def _profile(request: TaskRequest, settings: Settings) -> "ResourceProfile":
    """The same object for the same request: Spark refuses two that are equal in one stage."""
    from pyspark.resource import (
        ExecutorResourceRequests,
        ResourceProfileBuilder,
        TaskResourceRequests,
    )

    tasks = TaskResourceRequests()
    if request.cpus:
        tasks.cpus(request.cpus)
    if request.gpus:
        tasks.resource("gpu", request.gpus)
    builder = ResourceProfileBuilder().require(tasks)
    if settings.dynamic:
        # Without cores, Spark warns, it may start more executors than are of use (SPARK-30299).
        executors = ExecutorResourceRequests()
        executors.cores(settings.executor_cores or request.cpus or int(settings.task_cpus))
        if request.gpus:
            amount = settings.executor_gpus or 1
            executors.resource("gpu", amount, settings.gpu_script, settings.gpu_vendor)
        builder.require(executors)
    return builder.build
