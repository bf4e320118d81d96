"""The checks in a task of Spark: once for each machine and Python of the executors."""

import hashlib
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from spark_keyframes.doctor.installed import PACKAGE, pyspark_version, version_of
from spark_keyframes.doctor.options import Options
from spark_keyframes.doctor.registry import entries
from spark_keyframes.doctor.supervisor import supervised
from spark_keyframes.made_by import __version__

if TYPE_CHECKING:
    import pyarrow as pa

# Seconds that a task without work stays, so that the others go to other executors.
_STAY = 1.0
_COMPARED = ("pyarrow", "pandas", "numpy", "pillow", "av", "torch", "transformers", "tos")


def versions() -> dict[str, str]:
    """Return the versions that driver and workers should have in common; "" for none."""
    return {
        "Python": platform.python_version(),
        PACKAGE: __version__,
        "pyspark": pyspark_version(),
        **{name: version_of(name) for name in _COMPARED},
    }


@dataclass(frozen=True)
class DoctorTask:
    """A function for `mapInArrow`: yields one row, a report as JSON, or nothing."""

    run_id: str
    """The same for all tasks of a run."""
    options: Options

    def __call__(self, batches: "Iterable[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
        """Run the checks, unless another task does so with the same Python."""
        import pyarrow as pa

        for _ in batches:
            pass
        mark = _claim(self.run_id)
        if mark is None:
            time.sleep(_STAY)
            return
        try:
            yield pa.RecordBatch.from_pylist([{"report": json.dumps(self._report())}])
        finally:
            mark.unlink(missing_ok=True)

    def _report(self) -> dict[str, object]:
        from spark_keyframes.spark.spark_task import assigned_gpus

        options = replace(self.options, in_task=True, assigned_gpus=tuple(assigned_gpus()))
        return {
            "host": platform.node(),
            "python": sys.executable,
            "versions": versions(),
            "findings": [asdict(each) for each in supervised(entries(options), options)],
        }


def _claim(run_id: str) -> Path | None:
    """Return the file by which this task tells the others of this Python that it is at work.

    None where another one has made it. A folder that cannot be written stops no check.
    """
    name = hashlib.sha256(f"{run_id} {sys.executable}".encode()).hexdigest()[:16]
    try:
        path = Path(tempfile.gettempdir(), f"spark_keyframes-doctor-{name}")
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        return None
    except OSError:
        return Path(os.devnull, "none")  # no such file
    return path
