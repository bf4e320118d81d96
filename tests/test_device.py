"""Which device and how many CPUs: Spark's word first, then rank, then the CPU."""

import logging
import os
import threading
from types import SimpleNamespace

import pytest
import torch

from spark_keyframes import device as accelerator
from spark_keyframes.device import resolve_device, task_cpus
from spark_keyframes.errors import AcceleratorError


@pytest.fixture
def gpus(monkeypatch):
    def pretend(count, visible=None):
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
        monkeypatch.setattr(
            torch.cuda, "get_device_properties", lambda n: SimpleNamespace(uuid=f"{n}-5e")
        )
        monkeypatch.setattr(accelerator, "_has_looked", threading.Event())
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # so that it is restored
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
        if visible is not None:
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    return pretend


def test_without_a_gpu_it_is_the_cpu(gpus):
    gpus(0)
    assert resolve_device(rank=3) == torch.device("cpu")


def test_an_assigned_gpu_that_torch_does_not_see_is_worth_a_warning(gpus, caplog):
    gpus(0)
    with caplog.at_level(logging.WARNING):
        assert resolve_device(rank=0, assigned=["1"]) == torch.device("cpu")
    assert "Spark assigned GPU 1" in caplog.text


def test_rank_counts_where_spark_assigned_none(gpus):
    gpus(4)
    assert resolve_device(rank=2) == torch.device("cuda", 2)


def test_what_spark_assigned_comes_before_rank(gpus):
    gpus(4)
    assert resolve_device(rank=2, assigned=["3"]) == torch.device("cuda", 3)


@pytest.mark.parametrize(
    ("visible", "address", "index"), [("3,1", "1", 1), ("3,1", "3", 0), ("GPU-a,GPU-b", "GPU-b", 1)]
)
def test_addresses_are_found_among_the_visible_devices(gpus, visible, address, index):
    gpus(2, visible)
    assert resolve_device(rank=0, assigned=[address]) == torch.device("cuda", index)


def test_a_gpu_that_is_not_there_is_an_error(gpus):
    gpus(2)
    with pytest.raises(AcceleratorError, match=r"rank 5 does not exist: .* shows 2 GPU\(s\)"):
        resolve_device(rank=5)
    with pytest.raises(AcceleratorError, match="GPU '7', which Spark assigned, does not exist"):
        resolve_device(rank=0, assigned=["7"])
    with pytest.raises(AcceleratorError, match="'GPU-x' is neither a number nor a name of nvidia"):
        resolve_device(rank=0, assigned=["GPU-x"])


def test_names_of_gpus_are_found_by_their_beginning_and_by_what_torch_says(gpus):
    gpus(2, "GPU-8932f937,GPU-1b2c")
    name = "GPU-1b2c0000-72c8-72ee-0a96-3a37d8d8bc1e"
    assert resolve_device(rank=0, assigned=[name]) == torch.device("cuda", 1)
    gpus(2)
    assert resolve_device(rank=0, assigned=["GPU-1-5e"]) == torch.device("cuda", 1)
    with pytest.raises(AcceleratorError, match="'GPU-2-5e' is neither"):
        resolve_device(rank=0, assigned=["GPU-2-5e"])


@pytest.mark.parametrize("visible", [None, "MIG-a", "MIG-a,MIG-b"])
def test_a_part_of_a_gpu_is_made_visible_and_is_the_only_one(gpus, visible):
    gpus(1, visible)
    assert resolve_device(rank=0, assigned=["MIG-b"]) == torch.device("cuda", 0)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "MIG-b"
    assert resolve_device(rank=0, assigned=["MIG-b"]) == torch.device("cuda", 0)
    with pytest.raises(AcceleratorError, match=r"'MIG-a' is a part of a GPU.*worker\.reuse=false"):
        resolve_device(rank=0, assigned=["MIG-a"])
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "MIG-b"


def test_cpus_are_those_of_the_task(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert task_cpus() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "")
    assert task_cpus() >= 1


def test_tasks_that_share_a_gpu_that_spark_did_not_assign_are_worth_one_warning(gpus, caplog):
    gpus(2)
    accelerator._warn_of_sharing.cache_clear()
    resolve_device(rank=1, tasks_at_once=1)
    resolve_device(rank=1, assigned=["0"], tasks_at_once=4)
    assert not caplog.records
    for _ in range(2):
        assert resolve_device(rank=1, tasks_at_once=4) == torch.device("cuda", 1)
    assert len(caplog.records) == 1
    assert "up to 4 tasks of this executor compute on GPU 1 at a time" in caplog.text
