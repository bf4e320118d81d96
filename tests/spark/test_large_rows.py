"""Rows of 50 MB, and many small rows, in executors of 2 GB with Spark's default settings."""

import json
import subprocess
import sys

import pytest

from benchmarks.large_rows import CASES
from tests.conftest import REPO

pytestmark = pytest.mark.slow

SMALL, LARGE = 1000, 24


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """The results of the benchmark for each of its cases, with fewer rows."""
    cache = str(tmp_path_factory.mktemp("cache"))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.large_rows", "--cache", cache),
            *("--small", str(SMALL), "--large", str(LARGE)),
        ],
        cwd=REPO,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [line["case"] for line in lines] == list(CASES), done.stderr[-5000:]
    return {line.pop("case"): line for line in lines}


@pytest.mark.parametrize("case", CASES)
def test_each_row_comes_back_once_with_its_keyframes(answers, case):
    count = {"small": SMALL, "large": LARGE}.get(case, LARGE // 8)
    answer = answers[case]
    assert "failed" not in answer
    assert answer["error"] is None
    assert (answer["rows"], answer["videos"], answer["right"]) == (count, count, count)


def test_kept_large_rows_have_all_their_bytes(answers):
    assert answers["kept"]["bytes"] == LARGE // 8 * 50e6
