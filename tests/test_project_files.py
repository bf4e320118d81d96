"""The files of an open project: forms for issues, changelog, citation, version, map."""

import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from spark_keyframes import __version__
from tests.conftest import REPO
from tests.project_files import GITHUB, PROJECT, check_schema, read_yaml
from tests.test_architecture import ROOMS


@pytest.mark.parametrize(
    ("schema", "pattern"),
    [
        ("vendor.github-issue-forms", ".github/ISSUE_TEMPLATE/[!c]*"),
        ("vendor.github-issue-config", ".github/ISSUE_TEMPLATE/config.yml"),
        ("vendor.citation-file-format", "CITATION.cff"),
    ],
)
def test_files_have_the_schema_of_their_kind(schema, pattern):
    found = check_schema(schema, *REPO.glob(pattern))
    assert found.exit_code == 0, found.output


def test_the_version_is_in_one_place():
    assert PROJECT["dynamic"] == ["version"]
    assert "version" not in read_yaml(REPO / "CITATION.cff")
    said = re.compile(rf"^_*version_* *[:=] *\"?{re.escape(__version__)}\b", flags=re.MULTILINE)
    files = [REPO / "pyproject.toml", *(REPO / "spark_keyframes").rglob("*.py")]
    assert [path.name for path in files if said.search(path.read_text())] == ["made_by.py"]


def test_the_changelog_has_the_form_of_keep_a_changelog():
    text = (REPO / "CHANGELOG.md").read_text()
    headings = re.findall(r"^## (.*)$", text, flags=re.MULTILINE)
    assert headings[0] == "[Unreleased]"
    released = [
        re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - \d{4}-\d\d-\d\d", each) for each in headings[1:]
    ]
    versions = [tuple(map(int, each[1].split("."))) for each in released]
    assert versions == sorted(versions, reverse=True)
    kinds = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.*)$", text, flags=re.MULTILINE)) <= kinds


def test_a_bug_s_form_asks_for_the_version_of_every_dependency():
    """The command is run here as a user would run it."""
    body = read_yaml(GITHUB / "ISSUE_TEMPLATE" / "bug.yml")["body"]
    (versions,) = [field for field in body if field.get("id") == "versions"]
    assert versions["validations"]["required"]
    (command,) = re.findall(r"`(.*)`", versions["attributes"]["description"])
    here = Path(sys.executable).parent
    done = subprocess.run(
        ["bash", "-c", command],
        env={**os.environ, "PATH": f"{here}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    names = {line.partition("==")[0].lower().replace("-", "_") for line in done.stdout.splitlines()}
    needed = {re.match(r"[\w.]+", each)[0] for each in PROJECT["dependencies"]}
    assert names >= {*needed, "spark_keyframes"}
    assert "Python 3." in done.stdout
    assert f"spark_keyframes=={__version__}" in done.stdout.replace("spark-", "spark_")


def test_the_map_of_the_house_is_in_the_order_of_imports():
    text = (REPO / "CONTRIBUTING.md").read_text().partition("## The map of the house")[2]
    lines = re.search(r"```\n(.*?)```", text, flags=re.DOTALL)[1].splitlines()
    rooms = [re.split(r"  +", line)[0].split(", ") for line in lines]
    levels = [{ROOMS[room] for room in row} for row in rooms]
    assert all(max(upper) < min(lower) for upper, lower in pairwise(levels))
