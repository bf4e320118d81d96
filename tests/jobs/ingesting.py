"""Shared by the tests that kill jobs: a job's process, options of jobs/ingest.py, and waiting."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq

from tests.conftest import REPO

SCRIPTS = Path(sys.executable).parent

FRAMES = 2
PATIENCE = 300


def arguments(models, folder, *more):
    """The options for a folder of new videos; the table and the checkpoint are beside it."""
    values = ["--input", folder, "--checkpoint", folder.parent / "checkpoint"]
    values += ["--output", folder.parent / "table", "--fps", "5"]
    values += [] if "--text" in more else ["--text", "spoon"]
    values += ["--model-path", models, "--clip-model-name", "small", "--max-num-frames", FRAMES]
    return [str(value) for value in [*values, *more]]


def start(script, arguments):
    """Start a job by spark-submit, in a group of processes of its own."""
    command = [SCRIPTS / "spark-submit", "--master", "local[2]"]
    for setting in ("ui.enabled=false", "log.level=ERROR"):
        command += ["--conf", f"spark.{setting}"]
    return subprocess.Popen(
        [*map(str, command), str(REPO / "jobs" / script), *arguments],
        env={
            **os.environ,
            "PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}",
            "SPARK_CONF_DIR": str(REPO / "conf"),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def until(condition, job=None):
    """Wait until a condition holds; fail where the job ends before, or after PATIENCE seconds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert job is None or job.poll() is None, job.stdout.read()
        assert time.monotonic() < end, "waited for too long"
        time.sleep(0.002)


def rows(table):
    """The rows as pandas sees them: of all files that do not begin with a dot or underscore."""
    return pq.read_table(table).to_pylist() if any(table.glob("*.parquet")) else []
