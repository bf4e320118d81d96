"""Which device and how many CPUs: Spark's word first, then rank, then the CPU."""

import logging

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
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
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
    with pytest.raises(AcceleratorError, match="'GPU-x' is neither a number nor in CUDA_VISIBLE"):
        resolve_device(rank=0, assigned=["GPU-x"])


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
