"""Spark: which pyspark is imported, whether SPARK_HOME is another one, and what workers run."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from spark_keyframes.doctor.finding import Finding, bad, good, note
from spark_keyframes.doctor.installed import (
    fits,
    major_minor,
    needs_of,
    pyspark_folder,
    pyspark_version,
    version_of,
)
from spark_keyframes.doctor.options import Options
from spark_keyframes.redaction import redact_url

_SECONDS = 20.0
# Distributions that put files into the folder pyspark. Two of them overwrite each other.
_DISTRIBUTIONS = ("pyspark", "pyspark-client", "pyspark-connect", "databricks-connect")


def check(_: Options) -> Iterator[Finding]:
    """Look for Spark without starting it."""
    folder, version = pyspark_folder(), pyspark_version()
    if folder is None:
        yield note(
            "Spark",
            "pyspark is not installed: sample() and DataFrames of pandas work, those of Spark not",
            "run pip install pyspark; a cluster that brings its own Spark needs none from pip",
        )
        return
    if major_minor(version) < (3, 5):
        yield bad("Spark", f"{version} in {folder}", "use Spark 3.5 or newer")
        return
    problems = [*_distributions(), *_spark_home(version), *_worker_python()]
    yield from problems
    if all(each.level != "bad" for each in problems):
        yield good("Spark", f"{version} in {folder}; {_master()}; {_connect()}")
    yield from _connect_problems()


def _distributions() -> Iterator[Finding]:
    there = [f"{name} {version_of(name)}" for name in _DISTRIBUTIONS if version_of(name)]
    if len(there) > 1:
        yield bad(
            "Spark",
            f"{' and '.join(there)} are installed into one folder, and overwrite each other",
            "run pip uninstall for all of them, then install the one that you need",
        )


def _spark_home(version: str) -> Iterator[Finding]:
    home = os.environ.get("SPARK_HOME", "")
    if not home:
        return
    if not Path(home, "bin", "spark-submit").is_file():
        yield bad(
            "Spark",
            f"SPARK_HOME is {redact_url(home)}, where there is no bin/spark-submit",
            "unset SPARK_HOME to use pip's Spark, or set it to the folder of a Spark",
        )
        return
    other = version_in(Path(home))
    if other and other != version:
        yield bad(
            "Spark",
            f"two: Python imports pyspark {version}, and SPARK_HOME is Spark {other} in "
            f"{redact_url(home)}",
            f"unset SPARK_HOME, or run pip install pyspark=={other}",
        )


def version_in(home: Path) -> str:
    """Return the version of the Spark in a folder, by its jars; "" where that is not known."""
    for jar in sorted(Path(home, "jars").glob("spark-core_*.jar")):
        if found := re.search(r"spark-core_[\d.]+-(\d[\w.]*?)(?:-[\w.-]*)?\.jar", jar.name):
            return found[1]
    return ""


def _worker_python() -> Iterator[Finding]:
    chosen = os.environ.get("PYSPARK_PYTHON", "")
    if not chosen:
        return
    path, chosen = shutil.which(chosen), redact_url(chosen)
    name, remedy = "Spark", "unset PYSPARK_PYTHON, or set it to a Python with the same packages"
    if path is None:
        yield bad(name, f"PYSPARK_PYTHON is {chosen}, which is no program here", remedy)
        return
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run(  # noqa: S603 - the program that Spark would start
            [path, "-c", code], capture_output=True, text=True, timeout=_SECONDS, check=True,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        yield bad(name, f"PYSPARK_PYTHON is {chosen}, which fails: {type(error).__name__}", remedy)
        return
    own, other = "{}.{}".format(*sys.version_info[:2]), done.stdout.strip()
    if own != other:
        yield bad(
            name,
            f"PYSPARK_PYTHON is {chosen} with Python {other}, and this is Python {own}: Spark "
            "refuses workers of another version",
            remedy,
        )


def _master() -> str:
    if remote := os.environ.get("SPARK_REMOTE"):
        return f"SPARK_REMOTE is {redact_url(remote)}"
    submitted = re.search(r"--master[= ]+(\S+)", os.environ.get("PYSPARK_SUBMIT_ARGS", ""))
    if submitted:
        return f"master {redact_url(submitted[1])} (PYSPARK_SUBMIT_ARGS)"
    home = os.environ.get("SPARK_HOME") or str(pyspark_folder())
    defaults = Path(os.environ.get("SPARK_CONF_DIR") or Path(home, "conf"), "spark-defaults.conf")
    try:
        found = re.search(r"^\s*spark\.master[\s=]+(\S+)", defaults.read_text(), re.MULTILINE)
    except (OSError, UnicodeDecodeError):
        found = None
    if found:
        return f"master {redact_url(found[1])} ({redact_url(str(defaults))})"
    return "master local[*], if none is given"


def _lacking() -> list[str]:
    return [
        need.package
        for need in needs_of("pyspark")
        if need.extra == "connect"
        and not (version_of(need.package) and fits(version_of(need.package), need.wanted))
    ]


def _connect() -> str:
    try:
        lacking = _lacking()
    except ImportError:  # of packaging, which another check names
        return "Connect was not looked at"
    return f"Connect lacks {', '.join(lacking)}" if lacking else "the packages of Connect are there"


def _connect_problems() -> Iterator[Finding]:
    remote = os.environ.get("SPARK_REMOTE")
    if remote and (lacking := _lacking()):
        yield bad(
            "Spark Connect",
            f"SPARK_REMOTE is set, but the client lacks {', '.join(lacking)}, or a newer version",
            "run pip install 'spark_keyframes[connect]'",
        )
