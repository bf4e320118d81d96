"""Runs the whole of `make sample`."""

import os
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
        [sys.executable, "-m", "spark_keyframes", "demo", "--explain", "--out", str(tmp_path)]
    )
    assert "4 of 4 keyframes show a spoon" in done.stdout
    marked = [line for line in done.stdout.splitlines() if "◀" in line]
    assert len(marked) == 4
    assert all("●" in line and "spoon" in line for line in marked)
    assert (tmp_path / "cooking.scenes.json").is_file()
    assert Image.open(tmp_path / "keyframes.png").width >= 1000
    assert f"The same as a page, for a browser: {tmp_path}/report.html" in done.stdout
    page = (tmp_path / "report.html").read_text()
    assert page.count('<img class="kf-image"') == 4
    assert "4 keyframes of 120 candidates" in page  # the curve has them
    assert "1,428 frames, " in page
    assert "chose 4 of 120 candidates" in done.stdout
    assert done.stdout.count("not halved, as it gives one frame") == 4
    assert len(list((tmp_path / "keyframes").rglob("*.jpg"))) == 4

    # What it says next runs as it is: in a shell without the environment.
    line, own_video = (line for line in done.stdout.splitlines() if line.startswith("$ ."))
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path)}
    if "PYTHONPATH" in os.environ:  # the tests are those of another folder than the installed one
        environment["PYTHONPATH"] = os.environ["PYTHONPATH"]
    next_one = run(line.removeprefix("$ "), shell=True, env=environment)
    assert "4 keyframes of 120 candidates for “egg”" in next_one.stdout
    assert next_one.stderr == ""
    assert "sample VIDEO --text 'a red car'" in own_video
