"""The lower bounds of pyproject.toml are the versions that `make test-oldest` installs."""

import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.conftest import REPO

PROJECT = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
PINS = dict(
    line.lower().split("==") for line in (REPO / "tests/matrix/oldest.txt").read_text().split()
)
# What users install: not `test`, `docs` and `dev`.
EXTRAS = ("fsspec", "s3")
NEEDED = [
    Requirement(line)
    for lines in (
        PROJECT["dependencies"],
        *(PROJECT["optional-dependencies"][name] for name in EXTRAS),
    )
    for line in lines
]


@pytest.mark.parametrize("need", NEEDED, ids=str)
def test_a_bound_is_what_was_tested(need):
    bounds = [Version(each.version) for each in need.specifier if each.operator == ">="]
    if need.name == "torch":
        # Only the newest can be had everywhere; the nightly workflow tries this one.
        (bound,) = bounds
        assert f'torch: ["{bound}.0", ' in (REPO / ".github/workflows/nightly.yml").read_text()
        return
    assert bounds == [Version(PINS[need.name])]


def test_the_newest_pins_fulfil_the_bounds():
    newest = dict(
        line.lower().split("==") for line in (REPO / "constraints.txt").read_text().split()
    )
    for need in NEEDED:
        assert need.specifier.contains(newest[need.name]), need
