"""Shared by the tests of jobs/ingest.py: its options, its table, and waiting."""

import time

import pyarrow.parquet as pq

FRAMES = 2
PATIENCE = 300


def arguments(models, folder, *more):
    """The options for a folder of new videos; the table and the checkpoint are beside it."""
    values = ["--input", folder, "--checkpoint", folder.parent / "checkpoint"]
    values += ["--output", folder.parent / "table", "--fps", "5"]
    values += [] if "--text" in more else ["--text", "spoon"]
    values += ["--model-path", models, "--clip-model-name", "small", "--max-num-frames", FRAMES]
    return [str(value) for value in [*values, *more]]


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
