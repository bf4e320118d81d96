"""Runs the whole of `make sample`."""

import subprocess
import sys

import pytest
from PIL import Image

from tests.conftest import REPO


def run(command, **options):
    done = subprocess.run(
        command, cwd=REPO, capture_output=True, text=True, timeout=300, check=False, **options
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.mark.slow
def test_the_demo_finds_all_spoons(tmp_path):
    done = run(
        [sys.executable, "-m", "spark_keyframes.demo.sample", "--explain", "--out", str(tmp_path)]
    )
    assert "4 of 4 keyframes show a spoon" in done.stdout
    marked = [line for line in done.stdout.splitlines() if "◀" in line]
    assert len(marked) == 4
    assert all("●" in line and "spoon" in line for line in marked)
    assert (tmp_path / "cooking.scenes.json").is_file()
    assert Image.open(tmp_path / "keyframes.png").width >= 1000
    assert "chose 4 of 120 candidates" in done.stdout
    assert done.stdout.count("not halved, as it gives one frame") == 4
    assert len(list((tmp_path / "keyframes").rglob("*.jpg"))) == 4

    # What it says next runs as it is: in a shell without the environment.
    (line,) = [line for line in done.stdout.splitlines()[-2:] if line.startswith("$ ")]
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "SPARK_LOCAL_IP": "127.0.0.1"}
    own = run(line.removeprefix("$ "), shell=True, env=environment)
    assert "videos     1: 1 with keyframes, 0 failed" in own.stdout
    assert len(own.stderr.splitlines()) < 5, own.stderr
