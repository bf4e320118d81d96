"""The keyframes are the same on every kind of Spark, on Daft, and for every way to sample."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.conftest import REPO
from tests.spark.cluster import CONF, QUICK_JVM, SPARK_HOME, Cluster
from tests.spark.connect import connect_server

PROGRAM = Path(__file__).parent / "sampling_program.py"
DAFT_PROGRAM = PROGRAM.with_name("daft_sampling_program.py")
BATCH = ["transform", "udf", "sql", "map_in_pandas", "pandas", "own_function"]
STREAMS = ["stream", "stream_files"]
SMALL = {
    "spark.ui.enabled": "false",
    "spark.sql.shuffle.partitions": "2",
    "spark.executor.extraJavaOptions": QUICK_JVM,
    "spark.log.level": "ERROR",
    "spark.python.daemon.module": "spark_keyframes.spark.daemon",
}


@pytest.fixture(scope="module")
def videos(clips):
    paths = [str(clips[0]), "/none.mp4", str(clips[1]), None, str(clips[2]), str(clips[2])]
    return {"id": list(range(len(paths))), "video": paths}


@pytest.fixture(scope="module")
def parameters(plain):
    return {
        name: value for name, value in asdict(plain).items() if name not in ("limits", "access")
    }


@pytest.fixture(scope="module")
def expected(plain, clips):
    return {str(path): plain.sample(path) for path in clips}


@pytest.fixture
def run(videos, parameters, expected, tmp_path):
    def run(master, ways, conf=SMALL, environment=os.environ, program=PROGRAM):
        options = {"master": master, "ways": ways, "conf": conf, "folder": str(tmp_path)}
        options |= {"videos": videos, "parameters": parameters}
        done = subprocess.run(
            [sys.executable, str(program), json.dumps(options)],
            env={**environment, "PYTHONPATH": str(REPO), "SPARK_HOME": str(SPARK_HOME)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-5000:]
        wrote = [json.loads(line[6:]) for line in done.stdout.splitlines() if line[:6] == "WROTE "]
        assert [found["way"] for found in wrote] == ways
        for way in wrote:
            rows = pq.ParquetDataset(list((tmp_path / way["way"]).glob("*.parquet"))).read()
            check(way, rows.to_pylist(), videos, expected)

    return run


def check(way, rows, videos, expected):
    name = way["way"]
    if name == "stream_files":
        assert sorted(row["video"] for row in rows) == sorted(expected)
    else:
        rows.sort(key=lambda row: row["id"])
        assert [row["id"] for row in rows] == videos["id"], name
        assert [row["video"] for row in rows] == videos["video"], name
    if name == "transform":
        assert [row["video.`id"] for row in rows] == videos["id"]
    for row in rows:
        wanted = expected.get(row["video"])
        if wanted is None:
            assert row["keyframes"] is None, name
        else:
            assert row["keyframes"]["frame_ids"] == wanted.frame_ids, name
            assert row["keyframes"]["scores"] == pytest.approx(wanted.scores, abs=1e-6), name
        if "error" in row:
            failed = row["video"] is not None and wanted is None
            assert (row["error"] is not None) == failed, name
            assert (row["account"] is None) == (row["video"] is None), name
            check_curve(row["curve"], wanted)
    if way["seen"]:
        done = [row for row in rows if row["keyframes"] is not None]
        assert way["seen"] == {
            "videos": len(rows),
            "done": len(done),
            "failed": len([row for row in rows if row["error"] is not None]),
            "frames_scored": sum(row["account"]["frames_scored"] for row in done),
        }


def check_curve(curve, keyframes):
    if keyframes is None:
        assert curve is None
        return
    candidates = keyframes.candidates
    assert curve["timestamps"] == candidates.timestamps
    assert curve["scores"] == pytest.approx(candidates.scores, abs=1e-6)


@pytest.mark.slow
def test_in_local_mode_with_one_thread(run):
    run("local[1]", ["transform"])


@pytest.mark.slow
def test_in_local_mode_with_two_threads_in_every_way(run):
    run("local[2]", [*BATCH, *STREAMS])


@pytest.mark.slow
def test_on_a_local_cluster_of_two_executors(run):
    small = {"spark.executor.memory": "512m", "spark.driver.memory": "512m"}
    run("local-cluster[2,1,1024]", ["transform"], {**SMALL, **small})


@pytest.mark.slow
def test_on_a_standalone_cluster(run, tmp_path):
    with Cluster(tmp_path / "cluster") as cluster:
        run(cluster.url, ["transform", "stream"], {**SMALL, **CONF}, cluster.environment)


@pytest.mark.slow
def test_over_connect_in_every_way(run, tmp_path):
    with connect_server(tmp_path / "server.log") as remote:
        run(remote, [*BATCH, *STREAMS], {"spark.sql.shuffle.partitions": "2"})


@pytest.mark.slow
@pytest.mark.parametrize("runner", ["native", "ray"])
def test_on_daft(run, runner):
    run(None, ["daft"], environment={**os.environ, "DAFT_RUNNER": runner}, program=DAFT_PROGRAM)
