"""Each way of docs/shipping.md, on a standalone cluster whose machines lack the package.

The settings are those of conf/, which include the daemon that imports before it forks.
"""

import json
import subprocess
import sys
import tarfile

import pyarrow.parquet as pq
import pytest

from tests.conftest import REPO
from tests.spark.cluster import CONF, Cluster
from tests.spark.conftest import check_rows
from tests.spark.connect import connect_server

pytestmark = pytest.mark.slow

ONE_EXECUTOR = {"spark.cores.max": "1"}


@pytest.fixture(scope="module")
def cluster(node, tmp_path_factory):
    environment = {
        "PYTHONPATH": "",
        "PYSPARK_PYTHON": str(node),
        "PYSPARK_DRIVER_PYTHON": sys.executable,  # it has the package
    }
    # The Connect server occupies the only worker, so the tests of jobs must run before it.
    folder = tmp_path_factory.mktemp("cluster")
    with Cluster(folder, workers=1, environment=environment) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def archives(installed, models, tmp_path_factory):
    """Values for --archives: an environment with the package, and the models."""
    venv_pack = pytest.importorskip("venv_pack", reason="needs venv-pack")
    folder = tmp_path_factory.mktemp("archives")
    venv_pack.pack(prefix=str(installed), output=str(folder / "environment.tar.gz"))
    with tarfile.open(folder / "models.tar.gz", "w:gz") as archive:
        archive.add(models, ".")
    return [f"{folder}/environment.tar.gz#environment", f"{folder}/models.tar.gz#models"]


@pytest.fixture(scope="module")
def selected(plain, clips):
    """The keyframes that this process selects from each clip."""
    return {str(path): plain.sample(path) for path in clips}


def submit(cluster, clips, model_path, table, conf):
    """Run jobs/sample.py; return its output and its exit code."""
    arguments = ["--input", str(clips[0].parent), "--text", "spoon", "--output", str(table)]
    arguments += ["--max-num-frames", "4", "--fps", "5", "--dtype", "float32"]
    arguments += ["--model-path", str(model_path), "--clip-model-name", "small"]
    job = cluster.submit(*arguments, "--no-return-keyframes", conf={**ONE_EXECUTOR, **conf})
    try:
        said, _ = job.communicate(timeout=300)
    finally:
        job.kill()
    return said, job.returncode


def rows_of(table):
    rows = pq.read_table(table).to_pylist()
    return [{**row, "video": row["video"].removeprefix("file:")} for row in rows]


def test_py_files_serve_the_tasks_and_their_daemon(
    cluster, zipped, models, clips, selected, tmp_path
):
    conf = {
        "spark.submit.pyFiles": str(zipped),
        # The files are in the executor's working directory, where the daemon starts.
        "spark.executorEnv.PYTHONPATH": zipped.name,
    }
    said, code = submit(cluster, clips, models, tmp_path / "table", conf)
    assert code == 0, said
    rows = rows_of(tmp_path / "table")
    assert len(rows) == len(clips)
    check_rows(rows, selected)


def test_where_the_package_is_missing_the_job_says_so(cluster, models, clips, tmp_path):
    conf = {"spark.task.maxFailures": "1"}
    said, code = submit(cluster, clips, models, tmp_path / "table", conf)
    assert code == 1
    assert "failed: No module named 'spark_keyframes' in the Python of the executors; see " in said


def test_an_archive_brings_the_environment_and_another_the_models(
    cluster, archives, clips, selected, tmp_path
):
    conf = {
        "spark.archives": ",".join(archives),
        "spark.pyspark.python": "./environment/bin/python",
        "spark.pyspark.driver.python": sys.executable,
    }
    said, code = submit(cluster, clips, "models", tmp_path / "table", conf)
    assert code == 0, said
    rows = rows_of(tmp_path / "table")
    assert len(rows) == len(clips)
    check_rows(rows, selected)


@pytest.fixture(scope="module")
def remote(cluster):
    pytest.importorskip("grpc", reason="needs pyspark[connect]")
    # The daemon of conf/ does not find a session's files, so use Spark's own.
    conf = {**CONF, **ONE_EXECUTOR, "spark.python.daemon.module": "pyspark.daemon"}
    own = {"SPARK_CONF_DIR": str(REPO / "conf"), "SPARK_DAEMON_MEMORY": "512m"}
    log, environment = cluster.logs / "connect.stderr", {**cluster.environment, **own}
    with connect_server(log, master=cluster.url, conf=conf, environment=environment) as url:
        yield url


def connected(remote, plain, clips, model_path, **shipped):
    """Return the rows that a client of Spark Connect gets."""
    names = ("text", "clip_model_name", "fps", "max_num_frames", "dtype", "return_keyframes")
    parameters = {name: getattr(plain, name) for name in names}
    given = {
        "remote": remote,
        "parameters": {**parameters, "model_path": str(model_path)},
        "videos": [str(path) for path in clips],
        **shipped,
    }
    done = subprocess.run(
        [sys.executable, str(REPO / "tests" / "shipping" / "connect_client.py"), json.dumps(given)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("ROWS ")]
    return json.loads(line.removeprefix("ROWS "))


def test_over_connect_a_session_brings_the_package(remote, zipped, models, plain, clips, selected):
    rows = connected(remote, plain, clips, models, zip=str(zipped))
    assert len(rows) == len(clips)
    check_rows(rows, selected)


def test_over_connect_a_session_brings_its_environment(remote, archives, plain, clips, selected):
    python = "environment/bin/python"
    rows = connected(remote, plain, clips, "models", archives=archives, python=python)
    assert len(rows) == len(clips)
    check_rows(rows, selected)
