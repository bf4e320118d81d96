"""Runs checks in a process of its own, so that one that hangs or crashes is ended alone.

The parent writes the options on the first line of stdin, then the name of a check per line. For
each, this process answers with one line of JSON: a list of findings.
"""

import json
import os
import sys
from collections.abc import Iterable
from dataclasses import asdict

from spark_keyframes.doctor.finding import Finding, bad
from spark_keyframes.doctor.options import Options
from spark_keyframes.doctor.registry import BY_MODULE, Entry


def main() -> None:
    """Answer until stdin ends."""
    # Packages may print: only answers may reach the pipe.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    options = Options.from_json(sys.stdin.readline())
    for line in sys.stdin:
        found = run(BY_MODULE[line.strip()], options)
        answers.write(json.dumps([asdict(each) for each in found]) + "\n")
        answers.flush()


def run(entry: Entry, options: Options) -> Iterable[Finding]:
    """Run a check; where it breaks, the line says so."""
    found: list[Finding] = []
    try:
        # One by one: those before the error are kept.
        found.extend(entry.load()(options))
    except MemoryError:
        advice = "raise the limit of memory (ulimit -v, spark.executor.pyspark.memory)"
        found.append(bad(entry.title, "could not be checked: no memory is left for it", advice))
    except Exception as error:  # noqa: BLE001 - whatever breaks a check, the others go on
        text = " ".join(str(error).split()) or "no message"
        found.append(
            bad(
                entry.title,
                f"could not be checked: {type(error).__name__}: {text[:300]}",
                "repair the package that the message names, or report it",
            )
        )
    return found


if __name__ == "__main__":
    main()
