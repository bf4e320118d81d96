"""Puts the reports of executors together: those that say the same, and what differs from here."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from spark_keyframes.doctor.diagnosis import Section
from spark_keyframes.doctor.finding import Finding, bad, good, note
from spark_keyframes.doctor.installed import PACKAGE, major_minor

_NAMED = 3  # hosts in a heading

Report = Mapping[str, Any]
"""What a task has sent: host, python, versions, findings."""


def sections(reports: Iterable[Report], here: Mapping[str, str]) -> Iterator[Section]:
    """Yield a section for the executors that say the same.

    Args:
        reports: of the tasks.
        here: the versions of the driver.
    """
    alike: dict[tuple[object, ...], list[Report]] = {}
    for report in reports:
        alike.setdefault(_key(report), []).append(report)
    for group in alike.values():
        first = group[0]
        findings = [_versions(first["versions"], here)]
        findings += [Finding(**each) for each in first["findings"]]
        yield Section(f"executors on {_hosts(group)}", findings)


def _key(report: Report) -> tuple[object, ...]:
    # Not by what was found, which holds free space and seconds.
    lines = tuple((each["name"], each["level"], each["advice"]) for each in report["findings"])
    return report["python"], tuple(report["versions"].items()), lines


def _hosts(group: Sequence[Report]) -> str:
    hosts = sorted({str(report["host"]) for report in group})
    more = f" and {len(hosts) - _NAMED} more" if len(hosts) > _NAMED else ""
    return f"{', '.join(hosts[:_NAMED])}{more}"


def _versions(there: Mapping[str, str], here: Mapping[str, str]) -> Finding:
    different = [name for name in here if there.get(name, "") != here[name]]
    if not different:
        return good("versions", "those of Python and of the packages are the driver's")
    text = "; ".join(
        f"{name} {there.get(name) or 'none'}, on the driver {here[name] or 'none'}"
        for name in different
    )
    decisive = PACKAGE in different or major_minor(there["Python"]) != major_minor(here["Python"])
    complain = bad if decisive else note
    return complain(
        "versions",
        text,
        "bring the same packages to both, see docs/shipping.md",
    )
