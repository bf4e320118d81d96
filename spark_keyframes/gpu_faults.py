"""Tells the faults of a GPU from those of the code that uses it."""

from collections.abc import Iterator
from contextlib import contextmanager

from spark_keyframes.errors import AcceleratorError

_OF_MEMORY = ("out of memory", "ALLOC_FAILED")
_OF_CARD = ("CUDA error", "cuDNN error: CUDNN_STATUS_EXECUTION_FAILED")
# What cuBLAS says of arguments that it does not take.
_OF_CODE = ("CUBLAS_STATUS_INVALID_VALUE", "CUBLAS_STATUS_NOT_SUPPORTED")


class GpuMemoryError(AcceleratorError):
    """The GPU's memory does not hold what is computed. With less at a time it may."""


@contextmanager
def gpu_faults() -> Iterator[None]:
    """Raise AcceleratorError where the GPU is at fault; let all else pass.

    Raises:
        GpuMemoryError: its memory is too small.
        AcceleratorError: it does not compute any more, in this process.
    """
    import torch

    try:
        yield
    except torch.OutOfMemoryError as error:
        raise GpuMemoryError(f"the GPU's memory is too small: {_first_line(error)}") from error
    except RuntimeError as error:
        text = str(error)
        # torch 2.8 and later have a class for it.
        kind = getattr(torch, "AcceleratorError", None)
        is_known = kind is not None and isinstance(error, kind)
        if not is_known and not text.startswith(_OF_CARD):
            raise
        if any(sign in text for sign in _OF_MEMORY):
            raise GpuMemoryError(f"the GPU's memory is too small: {_first_line(error)}") from error
        if any(sign in text for sign in _OF_CODE):
            raise
        raise AcceleratorError(
            f"the GPU does not compute any more: {_first_line(error)}; the rows of this task have "
            "to be computed again in a new process, as Spark does by itself. If it comes back, "
            "look for Xid in dmesg and at nvidia-smi -q"
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".")
