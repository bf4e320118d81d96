"""suite.py in this environment's Spark: in a process of its own, and over Connect."""

import os
import socket
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path

import pyspark
import pytest

from tests.conftest import REPO
from tests.engine.cluster import QUICK_JVM, SPARK_HOME, wait_for

SUITE = Path(__file__).parent / "suite.py"
HAS_SERVER = any((SPARK_HOME / "jars").glob("spark-connect_*.jar"))

pytestmark = pytest.mark.slow


def environment(python, **added):
    kept = {name: value for name, value in os.environ.items() if name != "SPARK_REMOTE"}
    # What this process set for its own Spark would have the suite believe that it is a part of it.
    for name in ("SPARK_HOME", "PYSPARK_GATEWAY_PORT", "PYSPARK_GATEWAY_SECRET"):
        kept.pop(name, None)
    return {
        **kept,
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(REPO),
        "PYSPARK_PYTHON": str(python),
        "PYSPARK_DRIVER_PYTHON": str(python),
        "SPARK_LOCAL_IP": "127.0.0.1",
        **added,
    }


def run_suite(*arguments, **added):
    command = [sys.executable, "-m", "pytest", str(SUITE), "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *arguments],
        cwd=REPO,
        env=environment(Path(sys.executable), **added),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert " passed" in done.stdout


@contextmanager
def connect_server(log, python=Path(sys.executable), master="local[2]", conf=()):
    """A Connect server of the environment that `python` is of; its address."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": port,
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.driver.extraJavaOptions": QUICK_JVM,
        **dict(conf),
    }
    options = [f"--conf={name}={value}" for name, value in settings.items()]
    server = "org.apache.spark.sql.connect.service.SparkConnectServer"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [python.parent / "spark-submit", "--master", master, *options, "--class", server],
            env=environment(python),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )
    try:
        wait_for(lambda: listens(port) or process.poll() is not None, 180, "no Connect server")
        assert process.poll() is None, log.read_text()[-5000:]
        yield f"sc://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(30)
        finally:
            process.kill()


def listens(port):
    with closing(socket.socket()) as client:
        client.settimeout(5)
        return client.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.skipif(
    "SPARK_MATRIX" not in os.environ,
    reason="what it does in a classic session, other tests do too; make test-matrix runs it",
)
def test_in_a_process_of_its_own():
    run_suite()


def test_over_connect(tmp_path):
    python = Path(sys.executable)
    if not HAS_SERVER:
        # The protocol is one: a newer server answers an older client.
        python = REPO / ".venv-spark-4.0" / "bin" / "python"
        if not python.exists():
            pytest.skip(f"the wheel of pyspark {pyspark.__version__} has no Connect server")
    with connect_server(tmp_path / "server.log", python) as remote:
        run_suite(SPARK_KEYFRAMES_REMOTE=remote)
