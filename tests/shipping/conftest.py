"""Fixtures: the wheel, and virtual environments with and without it."""

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
    """The wheel, built from the same files as in docker/Dockerfile, without a network."""
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
    """The wheel, renamed so that --py-files accepts it."""
    return Path(copy(wheel, wheel.parent / "spark_keyframes.zip"))


@pytest.fixture(scope="session")
def node(tmp_path_factory):
    """The Python of a machine with the dependencies but without the package."""
    python = environment(tmp_path_factory.mktemp("node") / "environment") / "bin" / "python"
    command = [python, "-c", "import torch, pyspark; import spark_keyframes"]
    found = subprocess.run(command, cwd=python.parent, capture_output=True, text=True, check=False)
    assert "No module named 'spark_keyframes'" in found.stderr, "the package is there"
    return python


@pytest.fixture(scope="session")
def installed(wheel, tmp_path_factory):
    """A virtual environment with the dependencies and the installed wheel."""
    folder = environment(tmp_path_factory.mktemp("installed") / "environment")
    python = folder / "bin" / "python"
    pip(f"--python={python}", "install", "--no-deps", "--no-index", str(wheel))
    return folder


def environment(folder):
    """Make a virtual environment that imports the dependencies from this one.

    A .pth file adds this one's packages. Python does not read the .pth files among those, so an
    editable install of the package is not found.
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
