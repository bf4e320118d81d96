"""Where a bar of progress is seen, if anywhere."""

import os
import sys
from pathlib import Path
from typing import TextIO


def open_screen() -> TextIO | None:
    """The notebook's or the terminal's stderr; None where nobody looks.

    What is not `sys.stderr` itself is the caller's to close.
    """
    if "ipykernel" in sys.modules or (sys.stderr is not None and sys.stderr.isatty()):
        return sys.stderr
    # spark-submit reads what its Python program says from a pipe, so that only its own stderr, that
    # of the parent process, may be a terminal.
    if "PYSPARK_GATEWAY_PORT" in os.environ:
        return terminal(Path(f"/proc/{os.getppid()}/fd/2"))
    return None


def is_seen() -> bool:
    """Whether there is a screen."""
    screen = open_screen()
    if screen is not None and screen is not sys.stderr:
        screen.close()
    return screen is not None


def terminal(path: Path) -> TextIO | None:
    """The terminal that this is, to write to; None where it is none."""
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
