"""The script that checks a GPU: from end to end on the CPU, in an environment with little in it."""

import json
import subprocess
import sys

import pytest
import torch

from benchmarks import gpu
from benchmarks.gpu import PARTS
from benchmarks.on_gpu.figures import Figure
from tests.conftest import REPO
from tests.environments import environment_without

# What a machine with a GPU does not have, as a rule; pytest's own is not needed either.
ABSENT = (
    *("pyspark", "py4j", "tos", "requests", "boto", "s3transfer", "daft", "getdaft", "ray"),
    *("pytest", "_pytest", "hypothesis", "moto", "flask"),
)


@pytest.mark.slow
def test_it_runs_on_a_cpu_without_spark_and_without_an_installed_package(tmp_path):
    python = environment_without(tmp_path / "environment", *ABSENT)
    next((tmp_path / "environment").glob("lib/python*/site-packages/spark_keyframes")).unlink()
    output = tmp_path / "gpu.json"
    done = subprocess.run(
        [
            *(python, "-m", "benchmarks.gpu", "--device", "cpu", "--seconds", "400"),
            *("--cache", tmp_path / "cache", "--videos", tmp_path, "--output", output),
        ],
        cwd=REPO,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    found = json.loads(output.read_text())
    assert found["failed"] == {}
    assert found["left_out"] == []
    assert list(found["figures"]) == list(PARTS)
    assert all(found["figures"].values()), "each part has figures"
    figures = {each["name"]: each for part in found["figures"].values() for each in part}
    assert figures["keyframes of float32 on the CPU"]["is_met"]
    pixels = [each for name, each in figures.items() if name.startswith("pixels as the CPU's")]
    assert len(pixels) >= 8
    assert all(each["is_met"] for each in pixels)
    table = done.stdout.partition("all figures")[2]
    assert all(name in table for name in figures)


def test_a_goal_is_met_missed_or_not_there():
    assert Figure("a", 2.0).is_met is None
    assert Figure("a", 2.0, goal=("≥", 2.0)).is_met is True
    assert Figure("a", 2.0, goal=("≤", 1.9)).is_met is False
    assert Figure("a", 2.0, goal=("=", 2.0)).is_met is True
    assert Figure("a", "failed", goal=("≤", 1.9)).is_met is False
    assert Figure("a", 1234.0, "images/s", ("≥", 2e3)).row().split() == [
        *("a", "1,234", "images/s", "≥", "2000", "MISSED"),
    ]


@pytest.mark.parametrize(
    ("device", "message"),
    [
        ("cuda", "finds 0 GPU(s), and not cuda:0; --device cpu shows"),
        ("cuda:3", "finds 0 GPU(s), and not cuda:3"),
        ("tpu", "'tpu' is not cuda, cuda:1 or cpu"),
        ("cuda:x", "'cuda:x' is not cuda"),
    ],
)
def test_a_card_that_is_not_there_is_said_in_a_line(device, message, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["gpu", "--device", device])
    with pytest.raises(SystemExit) as ended:
        gpu.main()
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
