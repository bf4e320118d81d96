"""A Spark Connect server on a Cluster, in a process of its own."""

import socket
import subprocess
from contextlib import contextmanager

from tests.conftest import REPO
from tests.engine.cluster import CONF, SCRIPTS, wait_for

SERVER = "org.apache.spark.sql.connect.service.SparkConnectServer"


@contextmanager
def connect_server(cluster, conf):
    """The server's URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = free.getsockname()
    own = {
        "spark.connect.grpc.binding.address": address[0],
        "spark.connect.grpc.binding.port": str(address[1]),
    }
    settings = [f"--conf={name}={value}" for name, value in {**CONF, **own, **conf}.items()]
    log = cluster.logs / "connect.stderr"
    with log.open("wb") as file:
        server = subprocess.Popen(
            [str(SCRIPTS / "spark-submit"), "--master", cluster.url, *settings, "--class", SERVER],
            # It takes its heap from SPARK_DAEMON_MEMORY and not from spark.driver.memory.
            env={
                **cluster.environment,
                "SPARK_CONF_DIR": str(REPO / "conf"),
                "SPARK_DAEMON_MEMORY": "512m",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=file,
        )

    def listens():
        assert server.poll() is None, log.read_text()
        with socket.socket() as client:
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
