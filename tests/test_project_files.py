"""The files of an open project: forms for issues, changelog, citation, version, map."""

import re
import subprocess
import sys
from importlib import metadata
from itertools import pairwise

import pytest

from spark_keyframes import __version__
from spark_keyframes.doctor.options import Options
from spark_keyframes.doctor.registry import BY_MODULE
from spark_keyframes.doctor.supervisor import supervised
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


def test_a_bug_s_form_asks_for_what_the_doctor_says():
    """It says the version of every dependency."""
    body = read_yaml(GITHUB / "ISSUE_TEMPLATE" / "bug.yml")["body"]
    (doctor,) = [field for field in body if field.get("id") == "doctor"]
    assert doctor["validations"]["required"]
    asked = doctor["attributes"]["description"]
    command = re.findall(r"`(.*?)`", asked)[0].split()
    assert command[:2] == ["python", "-m"]
    help_ = subprocess.run(
        [sys.executable, *command[1:], "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert all(option in help_ for option in re.findall(r"--[a-z]+", asked))

    checks = [BY_MODULE[name] for name in ("python", "packages", "spark", "arrow", "codecs")]
    said = " ".join(each.found for each in supervised(checks, Options()))
    names = {re.match(r"[\w.]+", each)[0] for each in PROJECT["dependencies"]}
    assert {name for name in names if metadata.version(name) not in said} == set()
    assert f"spark_keyframes {__version__}" in said


def test_the_map_of_the_house_is_in_the_order_of_imports():
    text = (REPO / "CONTRIBUTING.md").read_text().partition("## The map of the house")[2]
    lines = re.search(r"```\n(.*?)```", text, flags=re.DOTALL)[1].splitlines()
    rooms = [re.split(r"  +", line)[0].split(", ") for line in lines]
    levels = [{ROOMS[room] for room in row} for row in rooms]
    assert all(max(upper) < min(lower) for upper, lower in pairwise(levels))
