"""Resource requests of a stage; requests that Spark would never serve are refused."""

import subprocess
import sys
from pathlib import Path

import pytest

from spark_keyframes.errors import ParameterError
from spark_keyframes.spark.resources import Settings, TaskRequest, request_for, task_resources
from tests.conftest import REPO

CLUSTER = {"spark.master": "spark://head:7077", "spark.executor.cores": "8"}
GPUS = {**CLUSTER, "spark.executor.resource.gpu.amount": "1"}
LOCAL = {"spark.master": "local[2]"}
DYNAMIC = {**CLUSTER, "spark.dynamicAllocation.enabled": "true"}
TASK_GPU = {"spark.task.resource.gpu.amount": "1"}


def asked(conf, **resources):
    return request_for(Settings.read(conf), **resources)


def test_cpus_and_gpu_are_requested():
    assert asked(GPUS, cpus=8, gpus=1) == TaskRequest(cpus=8, gpus=1)
    assert asked(GPUS, gpus=1) == TaskRequest(gpus=1)
    assert asked(CLUSTER, cpus=4) == TaskRequest(cpus=4)
    assert asked(DYNAMIC, cpus=4, gpus=1) == TaskRequest(cpus=4, gpus=1)


def test_the_gpu_of_the_conf_stays_where_only_cpus_are_requested():
    assert asked({**GPUS, **TASK_GPU}, cpus=8) == TaskRequest(cpus=8, gpus=1)
    halves = {**GPUS, "spark.task.resource.gpu.amount": "0.5"}
    assert asked(halves, cpus=8) == TaskRequest(cpus=8, gpus=0.5)


@pytest.mark.parametrize("conf", [CLUSTER, GPUS, LOCAL, {}])
def test_nothing_is_requested_by_default(conf):
    assert asked(conf) is None


def test_nothing_is_requested_that_the_conf_gives_already():
    assert asked({**LOCAL, "spark.task.cpus": "2"}, cpus=2) is None
    assert asked({**GPUS, **TASK_GPU, "spark.task.cpus": "8"}, cpus=8, gpus=1) is None


@pytest.mark.parametrize(
    ("conf", "resources", "message"),
    [
        ({}, {"cpus": 0}, "cpus must be at least 1, got 0; give the CPUs of a task"),
        ({}, {"cpus": 1.5}, "cpus must be a whole number, got 1.5"),
        ({}, {"cpus": True}, "cpus must be a whole number, got True"),
        ({}, {"gpus": 0}, "gpus must be at least 1, got 0; use gpus=1, or leave it out"),
        ({}, {"gpus": 0.5}, "gpus must be a whole number, got 0.5; use gpus=1"),
        (GPUS, {"gpus": 2}, "gpus=2, but a task computes on one GPU .*; use 1"),
        (
            {**GPUS, "spark.task.resource.gpu.amount": "2"},
            {},
            r"spark.task.resource.gpu.amount=2, but a task computes on one GPU",
        ),
        (LOCAL, {"gpus": 1}, r"gpus=1, but Spark assigns no GPU in 'local\[2\]': .* leave it out"),
        ({**LOCAL, **TASK_GPU}, {}, "spark.task.resource.gpu.amount=1, but Spark assigns no GPU"),
        ({"spark.master": "local"}, {"gpus": 1}, "no GPU in 'local'"),
        ({"spark.master": "local[*, 4]"}, {"gpus": 1}, "no GPU in"),
        (
            LOCAL,
            {"cpus": 2},
            r"cpus=2, but in 'local\[2\]' .* --conf spark.task.cpus=2, or leave it out",
        ),
        (LOCAL, {"cpus": 4}, r"spark.task.cpus=4 and the master local\[4\]"),
        (CLUSTER, {"gpus": 1}, "no executor announces a GPU.* set spark.executor.resource.gpu"),
        (GPUS, {"cpus": 9}, "cpus=9, but an executor has 8, .*; use at most 8, or start Spark"),
        (DYNAMIC, {"cpus": 9}, "cpus=9, but an executor has 8, "),
        ({"spark.master": "yarn"}, {"cpus": 2}, "cpus=2, but an executor has 1, "),
        ({"spark.master": "k8s://https://head"}, {"cpus": 2}, "but an executor has 1, "),
    ],
)
def test_impossible_requests_are_refused_with_the_remedy(conf, resources, message):
    with pytest.raises(ParameterError, match=message):
        asked(conf, **resources)


@pytest.mark.parametrize("master", ["spark://head:7077", "local-cluster[2,2,1024]"])
def test_limits_that_the_conf_does_not_give_are_left_to_spark(master):
    assert asked({"spark.master": master}, cpus=16) == TaskRequest(cpus=16)
    assert asked({}, cpus=16, gpus=1) == TaskRequest(cpus=16, gpus=1)


def test_the_cores_of_a_local_master():
    masters = {"local": 1, "local[3]": 3, "local[3,4]": 3, "spark://head": None, "": None}
    assert {name: Settings(master=name).local_cores for name in masters} == masters
    assert Settings(master="local[*]").local_cores >= 1


def test_a_local_session_runs_as_many_tasks_as_it_has_cores(spark):
    found = task_resources(spark, cpus=1)
    assert found.profile is None
    assert found.tasks_at_once == 2


@pytest.mark.parametrize("resources", [{"cpus": 2}, {"gpus": 1}])
def test_a_local_session_refuses_at_once(spark, plain, clips, resources):
    videos = spark.createDataFrame([(str(clips[0]),)], "video string")
    with pytest.raises(ParameterError, match="leave it out"):
        plain.transform(videos, **resources)


@pytest.mark.slow
def test_a_gpu_amount_in_a_local_conf_ends_the_job_with_an_error(clips, models):
    """If transform() did not refuse it, the job would never end."""
    gpu = ("executor.resource.gpu.amount=1", "task.resource.gpu.amount=1")
    done = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("spark-submit")), "--master", "local[2]"),
            *(f"--conf=spark.{setting}" for setting in gpu),
            *(str(REPO / "jobs" / "sample.py"), "--input", str(clips[0]), "--text", "spoon"),
            *("--model-path", str(models), "--clip-model-name", "small"),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "spark.task.resource.gpu.amount=1, but Spark assigns no GPU in 'local[2]'" in done.stdout


@pytest.mark.slow
def test_a_gpu_amount_in_a_local_conf_is_refused_by_the_udf_too():
    """If udf() did not refuse it, a query would never end."""
    program = """
from pyspark.sql import SparkSession
from spark_keyframes import VideoAdaptiveKeyframesSampling

builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
for name in ("spark.executor.resource.gpu.amount", "spark.task.resource.gpu.amount"):
    builder = builder.config(name, "1")
builder.getOrCreate()
VideoAdaptiveKeyframesSampling(text="spoon", return_keyframes=False).udf()
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=REPO,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert "amount=1, but Spark assigns no GPU in 'local[2]'" in done.stderr
