"""Runs suite.py with the Spark of this environment: in a classic session, and over Connect."""

import os
import subprocess
import sys
from pathlib import Path

import pyspark
import pytest

from tests.conftest import REPO
from tests.spark.cluster import SPARK_HOME
from tests.spark.connect import connect_server, environment_of

SUITE = Path(__file__).parent / "suite.py"
HAS_SERVER = any((SPARK_HOME / "jars").glob("spark-connect_*.jar"))

pytestmark = pytest.mark.slow


def run_suite(*arguments, **added):
    command = [sys.executable, "-m", "pytest", str(SUITE), "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, *arguments],
        cwd=REPO,
        env=environment_of(Path(sys.executable), **added),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert " passed" in done.stdout


@pytest.mark.skipif(
    "SPARK_MATRIX" not in os.environ,
    reason="other tests cover a classic session; make test-matrix runs it",
)
def test_in_a_classic_session():
    run_suite()


def test_over_connect(tmp_path):
    python = Path(sys.executable)
    if not HAS_SERVER:
        # A newer server answers an older client.
        python = REPO / ".venv-spark-4.0" / "bin" / "python"
        if not python.exists():
            pytest.skip(f"the wheel of pyspark {pyspark.__version__} has no Connect server")
    with connect_server(tmp_path / "server.log", python=python) as remote:
        run_suite(SPARK_KEYFRAMES_REMOTE=remote)
