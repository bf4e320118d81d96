"""Runs all checks, and yields their lines as they come, each with its place."""

import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from typing import TYPE_CHECKING, NamedTuple

from spark_keyframes.doctor.diagnosis import Diagnosis, Section
from spark_keyframes.doctor.finding import Finding, bad
from spark_keyframes.doctor.options import Options
from spark_keyframes.doctor.registry import entries
from spark_keyframes.doctor.server import refusal_of
from spark_keyframes.doctor.supervisor import supervised

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


class Line(NamedTuple):
    """A line of the report."""

    place: str
    finding: Finding


def of_machine(options: Options) -> Iterator[Line]:
    """Yield the lines about this machine; Spark is not started."""
    for finding in supervised(entries(options), options):
        yield Line(f"this machine ({platform.node()})", finding)


def of_spark(spark: "SparkSession", options: Options, *, executors: bool = True) -> Iterator[Line]:
    """Yield the lines about a session, and about its executors."""
    from spark_keyframes.doctor.session import (
        START_SECONDS,
        failure,
        of_executors,
        of_session,
        within,
    )

    try:
        findings = within(START_SECONDS, lambda: list(of_session(spark)))
    except Exception as error:  # noqa: BLE001 - whatever Spark raises becomes a line
        yield Line("session", failure("session", error))
        return
    for finding in findings:
        yield Line("session", finding)
    if executors:
        for section in of_executors(spark, options):
            for finding in section.findings:
                yield Line(section.place, finding)


def of_new_session(
    options: Options, *, master: str = "", remote: str = "", conf: Mapping[str, str]
) -> Iterator[Line]:
    """Start a session, yield the lines about it, and stop it if it is new."""
    if find_spec("pyspark") is None:
        yield Line("session", bad("session", "pyspark is not installed", "run pip install pyspark"))
        return
    from spark_keyframes.doctor.session import START_SECONDS, failure, start, within
    from spark_keyframes.jobs.session import is_running

    kept = is_running()
    if not kept and (refusal := refusal_of(remote or os.environ.get("SPARK_REMOTE") or master)):
        advice = "start it, or correct the URL; a firewall may be between"
        yield Line("session", bad("session", refusal, advice))
        return
    try:
        spark = within(START_SECONDS, lambda: start(master=master, remote=remote, conf=conf))
    except Exception as error:  # noqa: BLE001 - whatever Spark raises becomes a line
        yield Line("session", failure("session", error))
        return
    try:
        yield from of_spark(spark, options)
    finally:
        if not kept:
            within(START_SECONDS, spark.stop)


def collected(lines: Iterable[Line]) -> Diagnosis:
    """Return the report that lines make."""
    sections: list[Section] = []
    for place, finding in lines:
        if not sections or sections[-1].place != place:
            sections.append(Section(place))
        sections[-1].findings.append(finding)
    return Diagnosis(sections)
