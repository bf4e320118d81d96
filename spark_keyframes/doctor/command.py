"""What `spark-keyframes doctor` does: prints the report line by line, and returns an exit code."""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, groupby

from spark_keyframes.doctor.examine import Line, collected, of_machine, of_new_session
from spark_keyframes.doctor.finding import Finding
from spark_keyframes.doctor.options import Options
from spark_keyframes.doctor.text import can_write, condensed, writer_for


def run(
    options: Options,
    *,
    spark: bool = False,
    master: str = "",
    remote: str = "",
    conf: Mapping[str, str] | None = None,
    as_json: bool = False,
) -> int:
    """Look at this machine and, if asked, at Spark; return the exit code.

    Args:
        options: what to look at, beside this machine.
        spark: whether to start a session, and run the checks in its executors.
        master: of that session; empty: as Spark's files say.
        remote: URL of a Connect server for that session.
        conf: more settings of that session.
        as_json: print JSON at the end, instead of lines as they come.
    """
    lines: Iterable[Line] = of_machine(options)
    if spark or master or remote:
        started = of_new_session(options, master=master, remote=remote, conf=conf or {})
        lines = chain(lines, started)
    diagnosis = collected(lines if as_json else _printed(lines))
    if as_json:
        print(diagnosis.to_json())
    else:
        print(writer_for(sys.stdout).summary(diagnosis))
    return diagnosis.exit_code


def end_if_spark_hangs(status: int) -> None:
    """End the process, where Spark still does not answer: at exit, pyspark would wait for it."""
    session = sys.modules.get("spark_keyframes.doctor.session")
    if session is not None and session.is_waiting():
        sys.stdout.flush()
        os._exit(status)


def _printed(lines: Iterable[Line]) -> Iterator[Line]:
    """Print lines as they come; those of executors, where they differ from this machine's."""
    writer, known = writer_for(sys.stdout), set[Finding]()
    for place, group in groupby(lines, key=lambda line: line.place):
        print(can_write(writer.heading(place)))
        if known:
            section = list(group)
            for finding in condensed((each.finding for each in section), known):
                print(can_write(writer.lines(finding)), flush=True)
            yield from section
            continue
        for line in group:
            print(can_write(writer.lines(line.finding)), flush=True)
            yield line
            known.add(line.finding)
