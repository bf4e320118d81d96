"""GPU scheduling on a standalone cluster of two workers that announce a GPU each.

There is no real GPU: torch logs which GPU Spark assigned, and computes on the CPU.
"""

import re
from collections import Counter
from dataclasses import asdict

import pyarrow.parquet as pq
import pytest

from tests.spark.cluster import Cluster
from tests.video.clips import clip

pytestmark = pytest.mark.slow

VIDEOS, TASKS, JOBS = 100, 8, 3
CONF = {
    "spark.cores.max": "4",
    "spark.executor.cores": "2",
    "spark.executor.resource.gpu.amount": "1",
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with Cluster(tmp_path_factory.mktemp("cluster"), gpus=["0", "1"]) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("videos")
    kinds = [clip("libx264", "mp4", frames=frames, size=(64, 48)) for frames in (10, 13, 16)]
    paths = [folder / f"{number:03}.mp4" for number in range(VIDEOS)]
    for number, path in enumerate(paths):
        path.write_bytes(kinds[number % len(kinds)])
    return [str(path) for path in paths]


# The first two tests need all of the cluster, so they come before the driver of the others.


def test_by_conf_each_task_has_the_gpu_and_the_cpus(cluster):
    conf = {**CONF, "spark.task.cpus": "2", "spark.task.resource.gpu.amount": "1"}
    conf["spark.cores.max"] = "2"  # one executor
    with cluster.driver(conf) as driver:
        driver.send("inspect", tasks=4, cpus=2, gpus=1)
        found = driver.answer()["tasks"]
    assert [(task["cpus"], task["threads"]) for task in found] == [(2, 2)] * 4
    assert [task["gpus"] for task in found] in ([["0"]] * 4, [["1"]] * 4)


def test_the_job_requests_executors_with_dynamic_allocation(cluster, models, videos):
    job = cluster.submit(
        *("--input", videos[0], "--text", "spoon", "--max-num-frames", "2", "--fps", "5"),
        *("--model-path", str(models), "--clip-model-name", "small", "--cpus", "2", "--gpus", "1"),
        conf={
            **CONF,
            "spark.dynamicAllocation.enabled": "true",
            "spark.dynamicAllocation.maxExecutors": "1",  # for each profile
            "spark.dynamicAllocation.shuffleTracking.enabled": "true",
        },
    )
    try:
        output, _ = job.communicate(timeout=180)
    finally:
        job.kill()
    assert job.returncode == 0, output
    assert "1: 1 with keyframes, 0 failed" in output


@pytest.fixture(scope="module")
def driver(cluster):
    conf = {**CONF, "spark.python.daemon.module": "tests.spark.logging_daemon"}
    with cluster.driver(conf) as driver:
        yield driver


def test_more_cpus_than_an_executor_has_are_refused(driver):
    driver.send("inspect", tasks=2, cpus=3)
    assert "cpus=3, but an executor has 2, and" in driver.answer()["failed"]


def test_one_model_per_executor_and_one_task_at_a_time_on_its_gpu(
    driver, cluster, sampler, videos, tmp_path
):
    parameters = {**asdict(sampler), "return_keyframes": False, "max_num_frames": 2}
    for nested in ("limits", "access"):
        parameters.pop(nested)
    for number in range(JOBS):
        table = tmp_path / str(number)
        driver.send(
            "sample",
            parameters=parameters,
            videos=videos,
            tasks=TASKS,
            table=str(table),
            cpus=1,
            gpus=1,
        )
        assert driver.answer() == {"done": VIDEOS}
        assert {row["video"] for row in pq.read_table(table).to_pylist()} == set(videos)

    logs = [log.read_text() for log in (cluster.logs / "work").glob("*/*/stderr")]
    logs = [log for log in logs if "loaded CLIP" in log]  # the executors of logging_daemon.py
    assert [log.count("loaded CLIP") for log in logs] == [1, 1], "one model for three jobs"
    tasks = [
        re.findall(r"^(\d+) \S+: Spark assigned GPU (\S+), but torch", log, re.M) for log in logs
    ]
    assert sum(map(len, tasks)) == TASKS * JOBS, "each task was assigned a GPU"
    # An executor's two cores would suffice for two tasks, each with its own Python worker.
    assert sorted(len(set(of_executor)) for of_executor in tasks) == [1, 1], "one worker, one GPU"
    assert sorted(of_executor[0][1] for of_executor in tasks) == ["0", "1"]


def test_a_stage_has_its_resources_and_others_keep_all_cores(driver):
    driver.send("inspect", tasks=4, cpus=2, gpus=1)
    found = driver.answer()["tasks"]
    assert [(task["cpus"], task["threads"]) for task in found] == [(2, 2)] * 4
    assert_one_gpu_per_executor(found)
    driver.send("inspect", tasks=4)
    found = driver.answer()["tasks"]
    assert [(task["cpus"], task["threads"], task["gpus"]) for task in found] == [(1, 1, [])] * 4


def assert_one_gpu_per_executor(found):
    pairs = Counter((task["executor"], *task["gpus"]) for task in found)
    assert sorted(address for _, address in pairs) == ["0", "1"]
    assert len({executor for executor, _ in pairs}) == 2
