"""Java: the one that Spark would start, and whether it can run this Spark."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from spark_keyframes.doctor.finding import Finding, bad, good, note
from spark_keyframes.doctor.installed import major_minor, pyspark_version
from spark_keyframes.doctor.options import Options
from spark_keyframes.redaction import redact_url

_SECONDS = 20.0
# By Spark's own pages: the versions of Java that a Spark runs on, and is tested with.
_OF_SPARK_3 = (8, 17)
_OF_SPARK_4 = (17, 21)


def check(_: Options) -> Iterator[Finding]:
    """Look where bin/spark-class looks: in JAVA_HOME, and only without it in PATH."""
    spark = pyspark_version()
    complain = bad if spark and not os.environ.get("SPARK_REMOTE") else note
    home, in_path = os.environ.get("JAVA_HOME", ""), shutil.which("java")
    wanted = _OF_SPARK_3 if 0 < major_minor(spark)[0] < 4 else _OF_SPARK_4
    install = f"install Java {wanted[1] if wanted is _OF_SPARK_3 else wanted[0]}, such as Debian's "
    install += "openjdk-17-jre-headless"
    java = str(Path(home, "bin", "java")) if home else in_path
    if not java:
        yield complain("Java", "there is none: JAVA_HOME is not set, and PATH has no java", install)
        return
    place = f"JAVA_HOME is {redact_url(home)}" if home else f"{java} in PATH"
    remedy = install
    if home and in_path and not Path(in_path).resolve().is_relative_to(Path(home).resolve()):
        remedy = f"unset JAVA_HOME, then {in_path} is used; or set it to the folder of a Java"
    try:
        version, text = _version(java)
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = getattr(error, "strerror", None) or f"no answer in {_SECONDS:g} s"
        yield complain("Java", f"{redact_url(java)} does not run ({place}): {reason}", remedy)
        return
    if not version:
        yield complain("Java", f"{redact_url(java)} -version says {text!r} ({place})", remedy)
    elif version < wanted[0]:
        yield complain(
            "Java",
            f"{text} ({place}), but Spark {spark or '4'} needs {wanted[0]} or newer",
            f"{install}, and set JAVA_HOME to its folder",
        )
    elif version > wanted[1]:
        yield note(
            "Java",
            f"{text} ({place}), newer than the {wanted[1]} that Spark is tested with",
            f"if Spark does not start, {install}",
        )
    else:
        yield good("Java", f"{text} ({place})")


def _version(java: str) -> tuple[int, str]:
    """Return the major version of a Java, and what it calls itself; 0 where it does not say."""
    done = subprocess.run(  # noqa: S603 - the program that Spark would start
        [java, "-version"], capture_output=True, text=True, errors="replace", timeout=_SECONDS,
        check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    written = done.stderr + done.stdout
    found = re.search(r'version "(?:1\.)?(\d+)([^"]*)"', written)
    if done.returncode or not found:
        return 0, (written.strip().splitlines() or ["nothing"])[0][:200]
    return int(found[1]), f"{found[1]}{found[2]}"
