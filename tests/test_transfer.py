"""Copies to and from a GPU, by events that record what was waited for: there is no card here."""

import pytest
import torch

from spark_keyframes import transfer
from spark_keyframes.transfer import Download, Uploader, indices_on

ELSEWHERE = torch.device("meta")  # a device whose tensors have no content


@pytest.fixture
def log(monkeypatch):
    """Record what events and page-locked memory are asked for."""
    found = []

    class Event:
        def __init__(self):
            self.name = f"event {sum(each.startswith('new event') for each in found)}"
            found.append(f"new {self.name}")

        def record(self):
            found.append(f"record {self.name}")

        def synchronize(self):
            found.append(f"wait for {self.name}")

    class Memory:
        """Host memory that takes the copy of a tensor without content."""

        def __init__(self, shape, dtype):
            self.memory = torch.zeros(shape, dtype=dtype)

        def copy_(self, tensor, non_blocking):
            found.append(f"copy {tuple(tensor.shape)}, waiting: {not non_blocking}")

    def page_locked(shape, dtype):
        found.append(f"memory for {shape[0]}")
        return torch.zeros(shape, dtype=dtype) if len(shape) > 1 else Memory(shape, dtype)

    monkeypatch.setattr(transfer, "page_locked", page_locked)
    monkeypatch.setattr(transfer, "new_event", Event)
    return found


def pictures(count, first=0, side=2):
    shape = (3, side, side)
    return [torch.full(shape, first + n, dtype=torch.uint8) for n in range(count)]


def test_on_a_cpu_nothing_is_copied(log):
    stacked = Uploader(torch.device("cpu")).stacked(pictures(3))
    assert torch.equal(stacked, torch.stack(pictures(3)))
    scores = torch.arange(4.0)
    download = Download(scores)
    assert download.is_ready
    assert download.result() is scores
    assert indices_on(torch.device("cpu"), [2, 0]).tolist() == [2, 0]
    assert not log


def test_a_buffer_is_written_again_only_after_the_device_has_read_it(log):
    uploader = Uploader(ELSEWHERE)
    for first in range(4):
        assert uploader.stacked(pictures(5, first)).shape == (5, 3, 2, 2)
    assert log == [
        *("memory for 5", "new event 0", "record event 0"),
        *("memory for 5", "new event 1", "record event 1"),
        *("wait for event 0", "record event 0"),
        *("wait for event 1", "record event 1"),
    ]
    contents = [buffer[:, 0, 0, 0].tolist() for buffer, _ in uploader._buffers]
    assert contents == [[2, 3, 4, 5, 6], [3, 4, 5, 6, 7]]


def test_batches_of_other_sizes_get_buffers_that_hold_them(log):
    uploader = Uploader(ELSEWHERE)
    for count, side in ((4, 2), (4, 2), (2, 2), (6, 2), (6, 3)):
        assert uploader.stacked(pictures(count, side=side)).shape == (count, 3, side, side)
    assert [each for each in log if each.startswith("memory")] == [
        *("memory for 4", "memory for 4", "memory for 6", "memory for 6"),
    ]
    assert [len(buffer) for buffer, _ in uploader._buffers] == [6, 6]


def test_a_download_waits_for_its_own_copy_only(log):
    download = Download(torch.empty(7, device=ELSEWHERE))
    assert not download.is_ready
    assert log == ["memory for 7", "copy (7,), waiting: False", "new event 0", "record event 0"]
    download.result()
    assert log[-1] == "wait for event 0"
