"""Rows of an index that hold 24 hours of video, 177 MB each, with the settings of the jobs."""

import json
import os
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

from benchmarks import made_up_index
from tests.conftest import REPO
from tests.jobs import day_long_rows

ROWS = 4


@pytest.mark.slow
def test_rows_of_a_day_are_written_and_read_in_a_heap_of_3_gb_a_task(tmp_path):
    """Two at a time: the session has two cores."""
    table = tmp_path / "index"
    arguments = "--master local[2] --driver-memory 6g --conf spark.ui.enabled=false pyspark-shell"
    done = subprocess.run(
        [sys.executable, "-m", "tests.jobs.day_long_rows", str(table), str(ROWS)],
        cwd=REPO,
        env={**os.environ, "PYTHONPATH": str(REPO), "PYSPARK_SUBMIT_ARGS": arguments},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    count = day_long_rows.SECONDS
    expected = [
        [
            f"video-{video:07}.mp4",
            count,
            pytest.approx(float(made_up_index.embeddings(video, count)[-1, 0]), rel=1e-6),
        ]
        for video in range(ROWS)
    ]
    by_spark, by_python = json.loads(done.stdout.splitlines()[-1])
    assert by_spark == expected
    assert by_python == expected
    for file in table.glob("*.parquet"):
        groups = pq.ParquetFile(file).metadata
        assert groups.num_row_groups == groups.num_rows, "a row group is read at once"
