"""Copies between host memory and a GPU that nobody waits for."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import torch

_BUFFERS = 2  # while the GPU reads one, the next batch is written to the other


class _Event(Protocol):
    """A point in the work of a GPU; `torch.cuda.Event` is one."""

    def record(self) -> None: ...
    def synchronize(self) -> None: ...


class Uploader:
    """Copies batches of pictures to a device. Safe for use by several threads.

    A copy from pageable memory would wait until the GPU has finished all work before it. So
    batches are put together in page-locked memory, in two buffers by turns.

    Args:
        device: where to. On a CPU nothing is copied.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._buffers: list[tuple[torch.Tensor, _Event]] = []
        self._lock = threading.Lock()

    def stacked(self, pictures: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return N pictures of one shape and dtype as one tensor on the device."""
        import torch

        if self._device.type == "cpu":
            return torch.stack(list(pictures))
        # Several runs of a process share a model. A buffer that was made in inference mode could
        # not be written outside it.
        with self._lock, _on(self._device), torch.inference_mode():
            buffer, read = self._buffer_for(pictures)
            part = buffer[: len(pictures)]
            torch.stack(list(pictures), out=part)
            on_device = part.to(self._device, non_blocking=True)
            read.record()
            self._buffers.append((buffer, read))
            return on_device

    def _buffer_for(self, pictures: Sequence[torch.Tensor]) -> tuple[torch.Tensor, _Event]:
        """Take a buffer that is large enough, and that the device does not read any more."""
        count, first = len(pictures), pictures[0]
        if len(self._buffers) == _BUFFERS:
            buffer, read = self._buffers.pop(0)
            read.synchronize()
            fits = len(buffer) >= count and buffer.shape[1:] == first.shape
            if fits and buffer.dtype == first.dtype:
                return buffer, read
        return page_locked((count, *first.shape), first.dtype), new_event()


class Download:
    """The copy of a tensor to the CPU, which goes on while others compute.

    Args:
        tensor: on any device, of any dtype that numpy knows. It must not change meanwhile.
    """

    def __init__(self, tensor: torch.Tensor) -> None:
        self._copy = tensor
        self._done: _Event | None = None
        if tensor.device.type != "cpu":
            with _on(tensor.device):
                self._copy = page_locked(tuple(tensor.shape), tensor.dtype)
                self._copy.copy_(tensor, non_blocking=True)
                # Behind this copy, and not behind what is asked of the device later.
                self._done = new_event()
                self._done.record()

    @property
    def is_ready(self) -> bool:
        """Whether `result` is there without waiting, because the device is the CPU."""
        return self._done is None

    def result(self) -> torch.Tensor:
        """Wait for the copy, and return it."""
        if self._done is not None:
            self._done.synchronize()
        return self._copy


def indices_on(device: torch.device, indices: Sequence[int]) -> torch.Tensor:
    """Return whole numbers as a tensor on the device, without waiting for its other work."""
    import torch

    found = torch.tensor(indices)
    if device.type == "cpu":
        return found
    with _on(device):
        return found.pin_memory().to(device, non_blocking=True)


def _on(device: torch.device) -> AbstractContextManager[None]:
    """Return what makes a GPU the current one: events and page-locked memory are of that one."""
    import torch

    return torch.cuda.device(device) if device.type == "cuda" else nullcontext()


def page_locked(shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    """Return memory of the host that a GPU reads and writes by itself."""
    import torch

    return torch.empty(shape, dtype=dtype, pin_memory=True)


def new_event() -> _Event:
    """Return a point in the work of the current GPU, for which a thread can wait asleep."""
    import torch

    event: _Event = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
    return event
