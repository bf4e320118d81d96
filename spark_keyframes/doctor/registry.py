"""The checks: their names, their order, and the seconds that each may take."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import cast

from spark_keyframes.doctor.finding import Finding
from spark_keyframes.doctor.options import Options

Check = Callable[[Options], Iterable[Finding]]


@dataclass(frozen=True)
class Entry:
    """A check: the function `check` of the module of this name in `checks/`."""

    module: str
    title: str
    """Of its line, where it hangs or crashes; its own lines may have others."""
    seconds: float = 60.0
    """It is ended after as many."""
    on_driver_only: bool = False
    """Whether a task of Spark leaves it out."""

    def load(self) -> Check:
        """Import the check."""
        package = __package__ or ""
        return cast(Check, import_module(f"{package}.checks.{self.module}").check)


# The quick ones first. A check that takes longer than a minute loads a model or uses the network.
ENTRIES: Sequence[Entry] = (
    Entry("python", "Python"),
    Entry("packages", "packages"),
    Entry("java", "Java", on_driver_only=True),
    Entry("spark", "Spark", on_driver_only=True),
    Entry("arrow", "Arrow/pandas"),
    Entry("cpu", "CPU"),
    Entry("threads", "threads"),
    Entry("memory", "memory"),
    Entry("temporary", "temporary files"),
    Entry("gpu", "GPU", 120.0),
    Entry("codecs", "codecs"),
    Entry("decoding", "decoding", 120.0),
    Entry("demo_model", "demo's model", 180.0),
    Entry("model", "model", 600.0),
    Entry("tos", "TOS"),
    Entry("s3", "S3"),
    Entry("writing", "writing", 90.0),
)

BY_MODULE = {entry.module: entry for entry in ENTRIES}


def entries(options: Options) -> list[Entry]:
    """Return the checks to run, in order."""
    wanted = options.only or tuple(BY_MODULE)
    return [
        entry
        for entry in ENTRIES
        if entry.module in wanted and not (options.in_task and entry.on_driver_only)
    ]
