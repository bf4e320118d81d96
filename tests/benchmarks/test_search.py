"""The benchmark of searches runs, on a small made-up index."""

import subprocess
import sys

import pytest

from tests.conftest import REPO


@pytest.mark.slow
def test_a_search_is_measured_beside_reading(tmp_path):
    report = tmp_path / "RESULTS.md"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks", "--parts", "search", "--candidates", "5000"),
            *("--rounds", "1", "--output", str(report), "--cache", str(tmp_path)),
            *("--measured", str(tmp_path / "measured")),
        ],
        cwd=REPO,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    written = report.read_text()
    assert "wall clock of a search to reading alone, 5,000 candidates" in written
    assert "memory of a Python worker that searches" in written
