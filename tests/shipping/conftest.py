"""What is shipped to a cluster: the wheel, and environments with and without it."""

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from shutil import copy, copytree, ignore_patterns

import pytest

from tests.conftest import REPO


@pytest.fixture(scope="session")
def wheel(tmp_path_factory):
    """The wheel, built of the files that docker/Dockerfile builds it of; without a network."""
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        copy(REPO / name, source)
    copytree(
        REPO / "spark_keyframes",
        source / "spark_keyframes",
        ignore=ignore_patterns("__pycache__"),
    )
    pip("wheel", "--no-deps", "--no-build-isolation", f"--wheel-dir={source / 'dist'}", str(source))
    (wheel,) = (source / "dist").iterdir()
    return wheel


@pytest.fixture(scope="session")
def zipped(wheel):
    """The wheel under the name that --py-files takes."""
    return Path(copy(wheel, wheel.parent / "spark_keyframes.zip"))


@pytest.fixture(scope="session")
def node(tmp_path_factory):
    """The Python of a machine that has the dependencies, but not the package."""
    python = environment(tmp_path_factory.mktemp("node") / "environment") / "bin" / "python"
    command = [python, "-c", "import torch, pyspark; import spark_keyframes"]
    found = subprocess.run(command, cwd=python.parent, capture_output=True, text=True, check=False)
    assert "No module named 'spark_keyframes'" in found.stderr, "it would not be missed"
    return python


@pytest.fixture(scope="session")
def installed(wheel, tmp_path_factory):
    """An environment with the dependencies, into which the wheel was installed."""
    folder = environment(tmp_path_factory.mktemp("installed") / "environment")
    python = folder / "bin" / "python"
    pip(f"--python={python}", "install", "--no-deps", "--no-index", str(wheel))
    return folder


def environment(folder):
    """A virtual environment that takes the dependencies from this one.

    As a line of a .pth file: the .pth files that lie there, an editable install's, do not count.
    """
    venv.create(folder, symlinks=True, with_pip=False)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "lib" / version / "site-packages"
    here = sysconfig.get_path("purelib")
    (packages / "dependencies.pth").write_text(f"import sys; sys.path.append({here!r})\n")
    return folder


def pip(*arguments):
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
