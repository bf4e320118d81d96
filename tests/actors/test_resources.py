"""The share of each actor of CPUs and GPUs."""

import subprocess
import sys

import pytest

from spark_keyframes import ParameterError
from spark_keyframes.actors import ActorResources
from spark_keyframes.actors.resources import own_place
from spark_keyframes.errors import AcceleratorError
from tests.conftest import REPO

SHARE = """
import os
from spark_keyframes.actors import ActorResources
from spark_keyframes.device import task_cpus
for cpus, actors in ((None, 1), (None, 4), (None, 9), (3, 4), (0.5, 1)):
    os.environ["OMP_NUM_THREADS"] = "6"
    threads = ActorResources(cpus=cpus, gpus=0, actors=actors, on_ray=False).share_cpus()
    import torch
    print(threads, torch.get_num_threads(), task_cpus())
"""
HOLD = """
import sys
from pathlib import Path
from spark_keyframes.actors.resources import own_place
print(own_place(Path(sys.argv[1]), 2), flush=True)
sys.stdin.read()
"""


def test_actors_share_the_cpus_of_their_machine():
    done = subprocess.run(
        [sys.executable, "-c", SHARE],
        env={"PYTHONPATH": str(REPO)},
        capture_output=True,
        text=True,
        check=True,
    )
    threads = [line.split() for line in done.stdout.splitlines()]
    assert threads == [[number] * 3 for number in "61131"]


def test_each_actor_has_a_place_of_its_own_until_it_ends(tmp_path):
    folder = tmp_path / "job"
    command = [sys.executable, "-c", HOLD, str(folder)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env={"PYTHONPATH": str(REPO)}, **pipes) as other:
        assert other.stdout.readline() == "0\n"
        assert own_place(folder, 2) == 1
        with pytest.raises(AcceleratorError, match="more than 2 actors ask for a GPU"):
            own_place(folder, 2)
        other.stdin.close()
        other.wait(60)
    assert own_place(folder, 2) == 0


@pytest.mark.parametrize(("gpus", "actors", "found"), [(1, 1, 0), (0.5, 5, 2), (2, 2, 3)])
def test_too_few_gpus_are_an_error(monkeypatch, gpus, actors, found):
    monkeypatch.setattr("torch.cuda.device_count", lambda: found)
    resources = ActorResources(cpus=None, gpus=gpus, actors=actors, on_ray=False)
    with pytest.raises(
        ParameterError,
        match=rf"num_gpus={gpus} with concurrency={actors} needs {gpus * actors:g} GPU\(s\), and "
        rf"this machine has {found}; use num_gpus=0 for the CPU",
    ):
        resources.check()


@pytest.mark.parametrize(("gpus", "actors", "found"), [(0, 9, 0), (1, 2, 2), (0.5, 4, 2)])
def test_enough_gpus_are_none(monkeypatch, gpus, actors, found):
    monkeypatch.setattr("torch.cuda.device_count", lambda: found)
    ActorResources(cpus=None, gpus=gpus, actors=actors, on_ray=False).check()


def test_an_actor_without_its_gpu_says_so(monkeypatch, tmp_path):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(AcceleratorError, match="num_gpus=1, but torch .* finds no CUDA device"):
        ActorResources(cpus=None, gpus=1, actors=1, on_ray=False).device(0, tmp_path)
