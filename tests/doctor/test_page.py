"""docs/doctor.md shows the lines that the doctor prints, and explains each."""

import re

import pytest

from spark_keyframes.doctor.options import Options
from spark_keyframes.doctor.registry import ENTRIES, entries
from spark_keyframes.doctor.supervisor import supervised
from tests.conftest import REPO

PAGE = (REPO / "docs" / "doctor.md").read_text()
LINE = re.compile(r"^(good|note|bad)   ?(\S.*?)  ", flags=re.MULTILINE)


def explained():
    """The names in the first column of the table."""
    rows = re.findall(r"^\| ([^|]+) \|.*\|.*\|$", PAGE, flags=re.MULTILINE)
    return {name for row in rows for name in row.split(", ")}


def test_every_line_is_explained():
    names = {entry.title for entry in ENTRIES} | {"session", "redaction", "settings", "versions"}
    assert names | {"executors", "shared memory", "CPU quota"} <= explained()
    assert {name for _, name in LINE.findall(PAGE)} <= explained() | {"as above"}


@pytest.mark.slow
def test_the_page_shows_the_lines_in_their_order():
    """Their levels, and what was found, are of another machine."""
    shown = PAGE.partition("```text\n")[2].partition("```")[0]
    found = [each.name for each in supervised(entries(Options()), Options())]
    found = [name for name in found if name not in ("CPU quota", "shared memory")]
    assert [name for _, name in LINE.findall(shown)] == found
