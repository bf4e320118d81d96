"""A Spark Connect server in a process of its own."""

import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import REPO
from tests.spark.cluster import wait_for

SERVER = "org.apache.spark.sql.connect.service.SparkConnectServer"
LOCAL = {
    "spark.ui.enabled": "false",
    "spark.sql.shuffle.partitions": "2",
}


def environment_of(python, **added):
    """Return the environment of a program that uses the Spark of this Python."""
    kept = {name: value for name, value in os.environ.items() if name != "SPARK_REMOTE"}
    # With these, the program would use the Spark of this process.
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


@contextmanager
def connect_server(
    log, *, python=Path(sys.executable), master="local[2]", conf=LOCAL, environment=None
):
    """Start a server with the Spark of this Python, and yield its URL.

    SPARK_DAEMON_MEMORY sets its heap; spark.driver.memory has no effect.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = free.getsockname()
    settings = {
        "spark.connect.grpc.binding.address": address[0],
        "spark.connect.grpc.binding.port": address[1],
        **conf,
    }
    options = [f"--conf={name}={value}" for name, value in settings.items()]
    with log.open("wb") as file:
        server = subprocess.Popen(
            [python.parent / "spark-submit", "--master", master, *options, "--class", SERVER],
            env=environment or environment_of(python),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )

    def listens():
        assert server.poll() is None, log.read_text()[-5000:]
        with socket.socket() as client:
            client.settimeout(5)
            return client.connect_ex(address) == 0

    try:
        wait_for(listens, 180, "no Connect server")
        yield f"sc://{address[0]}:{address[1]}"
    finally:
        server.terminate()
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait(30)
