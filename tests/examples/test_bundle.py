"""The folder that the machines are set up from, made for each tested version of Spark."""

import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata

import pytest

from tests.conftest import REPO
from tests.examples.conftest import EXAMPLES

PROJECT = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]


def lines(path):
    return path.read_text().split()


@pytest.fixture
def source(tmp_path):
    """The files of the repository that a bundle is made of."""
    source = tmp_path / "source"
    for name in ("examples", "jobs", "conf", "tests/matrix"):
        shutil.copytree(REPO / name, source / name)
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(REPO / name, source)
    return source


def make(cloud, source, *arguments):
    # Real, but for pip: tests/shipping builds the wheel.
    wheel = source / "a.whl"
    wheel.touch()
    pip = f'[[ $1 == -m ]] && exec cp {wheel} "${{@: -2:1}}"; exec {sys.executable} "$@"'
    python = cloud.command("python3.11", pip)
    return cloud.run(source / "examples" / "bundle.sh", *arguments, PYTHON=str(python))


@pytest.mark.parametrize(("spark", "numpy"), [("3.5", "1.26.4"), ("4.0", None), ("4.3", None)])
def test_pins_are_those_of_the_version_of_spark(cloud, source, tmp_path, spark, numpy):
    folder = tmp_path / "bundle"
    done = make(cloud, source, spark, str(folder), "fsspec", "s3fs==2026.9.0")
    assert done.returncode == 0, done.stderr
    needed = lines(folder / "requirements.txt")
    assert {*PROJECT["optional-dependencies"]["fsspec"], "s3fs==2026.9.0"} <= {*needed}
    own = [each for each in PROJECT["dependencies"] if not each.startswith("pyspark")]
    assert {*own} <= {*needed}
    pins = dict(line.split("==") for line in lines(folder / "constraints.txt"))
    everywhere = dict(line.split("==") for line in lines(REPO / "constraints.txt") if "==" in line)
    assert pins["numpy"] == (numpy or everywhere["numpy"])
    assert pins["torch"] == everywhere["torch"]
    assert "pyspark" not in pins
    assert "pyspark" not in {re.split(r"[\[>=<]", each)[0] for each in needed}
    assert {path.name for path in folder.iterdir()} >= {
        *("conf", "jobs", "install.sh", "kept.py", "init.sh", "bootstrap.sh", "initialize.sh"),
    }


def test_another_version_of_spark_is_refused(cloud, source, tmp_path):
    done = make(cloud, source, "3.4", str(tmp_path / "bundle"))
    assert done.returncode == 1
    assert "no pins for Spark '3.4'; tested are 3.5, 4.0, 4.3" in done.stderr
    assert not (tmp_path / "bundle" / "jobs").exists()


def test_an_extra_that_does_not_exist_is_refused(cloud, source, tmp_path):
    done = make(cloud, source, "4.3", str(tmp_path / "bundle"), "s4")
    assert done.returncode == 1
    assert "no extra 's4' in pyproject.toml; a package needs its version, x==1.0" in done.stderr


def test_what_a_machine_has_stays_unless_it_is_too_old(tmp_path):
    have = {name: metadata.version(name) for name in ("pillow", "numpy", "tqdm")}
    (tmp_path / "requirements.txt").write_text("Pillow>=1.0\nnumpy>=999\ntorch>=2.6,!=2.7.*\n")
    pins = [*(f"{name}==999" for name in have), "no_such_package==1.0"]
    (tmp_path / "constraints.txt").write_text("\n".join(pins) + "\n")
    command = [sys.executable, EXAMPLES / "kept.py", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["numpy==999", "no_such_package==1.0"], have


def test_models_and_wheels_stay(cloud, source, tmp_path):
    for name in ("models", "wheels"):
        (tmp_path / "bundle" / name).mkdir(parents=True)
        (tmp_path / "bundle" / name / "file").touch()
    (tmp_path / "bundle" / "old.whl").touch()
    assert make(cloud, source, "4.3", str(tmp_path / "bundle")).returncode == 0
    assert (tmp_path / "bundle" / "models" / "file").exists()
    assert (tmp_path / "bundle" / "wheels" / "file").exists()
    assert not (tmp_path / "bundle" / "old.whl").exists()


def test_the_commands_of_the_pages_are_right(cloud, source, tmp_path):
    commands = [
        shlex.split(words, comments=True)
        for page in EXAMPLES.rglob("README.md")
        for words in re.findall(r"^examples/bundle\.sh (.+)$", page.read_text(), re.M)
    ]
    assert {words[1] for words in commands} == {"build/keyframes"}
    for number, (spark, _, *extras) in enumerate(commands):
        done = make(cloud, source, spark, str(tmp_path / str(number)), *extras)
        assert done.returncode == 0, done.stderr
