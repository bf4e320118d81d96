"""Runs the whole of `make sample`."""

import os
import subprocess
import sys

import pytest
from PIL import Image

from tests.conftest import REPO


@pytest.mark.slow
def test_the_demo_finds_all_spoons(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "demo.sample", "--out", str(tmp_path)],
        cwd=REPO,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 of 4 keyframes show a spoon" in done.stdout
    marked = [line for line in done.stdout.splitlines() if "◀" in line]
    assert len(marked) == 4
    assert all("●" in line and "spoon" in line for line in marked)
    assert (tmp_path / "cooking.scenes.json").is_file()
    assert Image.open(tmp_path / "keyframes.png").width >= 1000
    assert len(list((tmp_path / "keyframes").rglob("*.jpg"))) == 4
