"""Requests CPUs and a GPU for each task, and refuses requests that Spark would never serve.

Seen with Spark 4.3:

- In `local[n]`, an action with a resource profile raises, even if the profile equals the conf.
  With `spark.task.resource.gpu.amount` in the conf, no task ever starts, and Spark reports no
  error. If the conf announces no GPU, the session does not start.
- On a cluster with static allocation, a profile may hold task requests only. More CPUs than an
  executor has cores, or a GPU where no executor announces one, wait for ever without an error.
  CPUs that the profile leaves out come from the conf; GPUs do not.
- With dynamic allocation, Spark starts executors for each profile, by its executor requests.
- A task's OMP_NUM_THREADS is its number of CPUs, also with a profile. Tasks with different numbers
  run in different Python workers, and each executor has a daemon for each number.
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

logger = logging.getLogger("spark_keyframes")

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
    """The settings of executors and tasks in a session's conf; None where a setting is missing."""

    application: str | None = None
    """ID of the application; each SparkContext has another"""
    master: str | None = None
    dynamic: bool = False
    """whether allocation is dynamic"""
    executor_cores: int | None = None
    executor_gpus: int | None = None
    gpu_script: str = ""
    gpu_vendor: str = ""
    task_cpus: float = 1.0
    task_gpus: float | None = None

    @classmethod
    def read(cls, conf: Mapping[str, str]) -> Self:
        """Return the settings of a Spark conf, given as a mapping."""
        master = conf.get("spark.master")
        cores = conf.get("spark.executor.cores")
        if cores is None and master is not None and re.match("yarn|k8s:", master):
            cores = "1"  # the default there; standalone clusters use all cores of a worker
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
        """The n of `local[n]`; None on a cluster."""
        match = _LOCAL.fullmatch(self.master or "")
        if match is None:
            return None
        return (os.cpu_count() or 1) if match[1] == "*" else int(match[1] or 1)


@dataclass(frozen=True, kw_only=True)
class TaskRequest:
    """The requests of a resource profile; None where it has none."""

    cpus: int | None = None
    gpus: float | None = None


@dataclass(frozen=True)
class TaskResources:
    """The resources of a stage.

    Attributes:
        profile: for mapInArrow; None where the conf already gives these resources.
        tasks_at_once: how many tasks of the stage run in one executor; 1 where it is unknown.
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
    """Return the resources of a stage.

    Args:
        spark: the session.
        cpus: CPUs of each task; None: as in the conf.
        gpus: GPUs of each task; None: as in the conf.
        profiles: whether this Spark takes a resource profile for a stage of a DataFrame.

    Raises:
        ParameterError: Spark cannot give these resources. It would wait for most without an error.
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
        "a stage of a DataFrame cannot have its own resources; start Spark with "
        f"{conf}, and leave {' and '.join(given)} out"
    )


def request_for(
    settings: Settings, *, cpus: int | None = None, gpus: int | None = None
) -> TaskRequest | None:
    """Return what to request beyond the conf, or None. Raises as `task_resources` does."""
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
            "ever; leave it out, so that GPU number `rank` is used, or use a cluster"
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
            f"cpus={cpus}, but in {settings.master!r} a stage cannot have its own CPUs; start "
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
    """Check `cpus` where the conf does not say how many cores an executor has."""
    most = _most_cores(spark)
    if most is None:
        logger.warning(
            "cpus=%d: if no executor has as many cores, Spark waits for ever without an error; "
            "set spark.executor.cores to have that checked",
            cpus,
        )
    elif cpus > most:
        raise ParameterError(
            f"cpus={cpus}, but the largest executor has {most}, and Spark would wait for "
            f"ever; use at most {most}"
        )


def _most_cores(spark: "SparkSession") -> int | None:
    """Return the cores of the largest executor so far; None over Connect or without executors."""
    if is_connect(spark):
        return None
    context: Any = spark.sparkContext
    # The only use of the JVM's internals: no public API tells the cores of an executor.
    executors = context._jsc.sc().statusStore().executorList(True)
    found = [executors.apply(index) for index in range(executors.size())]
    return max((each.totalCores() for each in found if each.id() != "driver"), default=None)


def _conf(spark: "SparkSession") -> Mapping[str, str]:
    """Return the part of the session's conf that `Settings` reads."""
    # Spark 3.5 cannot return all settings at once.
    found = ((name, spark.conf.get(name, None)) for name in _NAMES)
    return {name: value for name, value in found if value is not None}


@functools.lru_cache(maxsize=16)
def _profile(request: TaskRequest, settings: Settings) -> "ResourceProfile":
    """Return a profile, cached: Spark refuses two equal profile objects in one stage."""
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
        # Without cores, Spark may start more executors than needed, and warns (SPARK-30299).
        executors = ExecutorResourceRequests()
        executors.cores(settings.executor_cores or request.cpus or int(settings.task_cpus))
        if request.gpus:
            amount = settings.executor_gpus or 1
            executors.resource("gpu", amount, settings.gpu_script, settings.gpu_vendor)
        builder.require(executors)
    return builder.build
