"""Starts a subcommand by spark-submit, which it finds without PATH too."""

import os
import shutil
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from spark_keyframes.errors import MissingPackageError
from spark_keyframes.jobs.conf_folder import use_own_folder

SCRIPT = Path(__file__).parent / "script" / "job.py"


def submit(options: Sequence[str], command: str, arguments: Sequence[str]) -> NoReturn:
    """Replace this process by spark-submit, which runs the subcommand; its exit code is the same.

    Args:
        options: of spark-submit.
        command: the subcommand.
        arguments: of the subcommand.

    Raises:
        MissingPackageError: there is no spark-submit, or no Java.
    """
    check_spark(command)
    program = str(find_spark_submit())
    use_own_folder()
    # Otherwise Spark runs the first python3 in PATH.
    for name in ("PYSPARK_PYTHON", "PYSPARK_DRIVER_PYTHON"):
        os.environ.setdefault(name, sys.executable)
    words = [program, *options, str(SCRIPT), command, *arguments]
    sys.stdout.flush()
    os.execv(program, words)  # noqa: S606 - the user's own options, without a shell


def check_spark(command: str) -> None:
    """Raise MissingPackageError where Spark cannot start on this machine."""
    if find_spark_submit() is None:
        raise MissingPackageError(
            f"{command} needs pyspark, which is not installed; pip install pyspark, or set "
            "SPARK_HOME to the folder of your Spark"
        )
    if not os.environ.get("SPARK_REMOTE"):
        _check_java(command)


def has_pyspark() -> bool:
    """Return whether Python finds pyspark."""
    return find_spec("pyspark") is not None


def find_spark_submit() -> str | None:
    """Return the path of SPARK_HOME's spark-submit, of pyspark's, or of that in PATH."""
    homes = [Path(home) for home in (os.environ.get("SPARK_HOME"),) if home]
    if (pyspark := find_spec("pyspark")) and pyspark.origin:
        homes.append(Path(pyspark.origin).parent)
    found = [str(home / "bin" / "spark-submit") for home in homes]
    return next(filter(os.path.exists, found), None) or shutil.which("spark-submit")


def _check_java(command: str) -> None:
    home = os.environ.get("JAVA_HOME")
    if home and not Path(home, "bin", "java").exists():
        raise MissingPackageError(
            f"{command} needs Java, and JAVA_HOME is {home!r}, which has no bin/java; set it to "
            "the folder of Java 17, or unset it"
        )
    if not home and shutil.which("java") is None:
        raise MissingPackageError(
            f"{command} needs Java 17 or newer, and java is not in PATH; install it, e.g. "
            "apt install openjdk-17-jre-headless, or set JAVA_HOME"
        )
