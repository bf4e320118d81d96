"""Finds the terminal or notebook that shows the progress bar."""

import os
import sys
from pathlib import Path
from typing import TextIO


def open_terminal() -> TextIO | None:
    """Open the stderr of the notebook or of the terminal.

    Returns:
        A file, or None where nobody would see the bar. The caller closes it unless it is
        `sys.stderr`.
    """
    if _is_kernel() or (sys.stderr is not None and sys.stderr.isatty()):
        return sys.stderr
    # spark-submit reads the output of its Python program through a pipe. Only the stderr of
    # spark-submit itself, the parent process, can be a terminal.
    if "PYSPARK_GATEWAY_PORT" in os.environ:
        return terminal_at(Path(f"/proc/{os.getppid()}/fd/2"))
    return None


def _is_kernel() -> bool:
    """Return whether this process is the kernel of a notebook. Others may import ipykernel too."""
    kernel_app = sys.modules.get("ipykernel.kernelapp")
    return kernel_app is not None and bool(kernel_app.IPKernelApp.initialized())


def terminal_at(path: Path) -> TextIO | None:
    """Open a terminal for writing; return None if the path is not a terminal."""
    try:
        if not path.is_char_device():
            return None
        descriptor = os.open(path, os.O_WRONLY | os.O_NOCTTY)
    except OSError:
        return None
    if os.isatty(descriptor):
        return os.fdopen(descriptor, "w", encoding="utf-8")
    os.close(descriptor)
    return None
