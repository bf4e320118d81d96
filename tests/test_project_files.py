"""The files of an open project: workflows, forms for issues, changelog, citation, metadata."""

import os
import re
import subprocess
import sys
import tomllib
from itertools import product
from pathlib import Path

import pytest
import yaml

from spark_keyframes import __version__
from tests.conftest import REPO
from tests.test_architecture import ROOMS
from tests.test_links import PAGES

GITHUB = REPO / ".github"
FORMS = sorted((GITHUB / "ISSUE_TEMPLATE").glob("[!c]*.yml"))
PROJECT = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]


def read(path):
    """A file of YAML. Its version 1.1 reads the key `on` as true."""
    found = yaml.safe_load(path.read_text())
    return {"on" if key is True else key: value for key, value in found.items()}


WORKFLOWS = {path.name: read(path) for path in sorted((GITHUB / "workflows").glob("*.yml"))}
ACTIONS = {path.parent.name: read(path) for path in (GITHUB / "actions").glob("*/action.yml")}
JOBS = [
    pytest.param(job, workflow, id=f"{name}:{key}")
    for name, workflow in WORKFLOWS.items()
    for key, job in workflow["jobs"].items()
]


def combinations(job):
    """The values of a job's matrix, one dictionary for each run; one empty one without a matrix."""
    matrix = dict(job.get("strategy", {}).get("matrix", {}))
    excluded = matrix.pop("exclude", [])
    runs = [dict(zip(matrix, values, strict=True)) for values in product(*matrix.values())]
    return [run for run in runs if run not in excluded]


def steps(job):
    """Each step as it is in some run of the job: `${{ matrix.x }}` has its value."""
    for run in combinations(job):
        for step in job.get("steps", []):
            condition = step.get("if")
            if condition and not holds(condition, run):
                continue
            yield filled(step, run)


def holds(condition, run):
    """Whether a condition such as `matrix.spark == '4.3'` is true; others are not known here."""
    name, sign, value = re.fullmatch(r"matrix\.(\w+) ([!=]=) '(.*)'", condition).groups()
    return (run[name] == value) == (sign == "==")


def filled(value, run):
    if isinstance(value, dict):
        return {key: filled(each, run) for key, each in value.items()}
    if isinstance(value, str):
        return re.sub(r"\$\{\{ matrix\.(\w+) \}\}", lambda match: run[match[1]], value)
    return value


def make_targets(text):
    """The targets in lines of a program, or in code of a page, that begin with `make`."""
    return re.findall(r"(?:^|`|&& )make ([a-z][\w.-]*)", text, flags=re.MULTILINE)


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("vendor.github-workflows", sorted((GITHUB / "workflows").iterdir())),
        ("custom.github-workflows-require-timeout", sorted((GITHUB / "workflows").iterdir())),
        ("vendor.github-actions", sorted((GITHUB / "actions").glob("*/action.yml"))),
        ("vendor.github-issue-forms", FORMS),
        ("vendor.github-issue-config", [GITHUB / "ISSUE_TEMPLATE" / "config.yml"]),
        ("vendor.citation-file-format", [REPO / "CITATION.cff"]),
    ],
)
def test_files_have_the_schema_of_their_kind(schema, files):
    assert files
    program = Path(sys.executable).with_name("check-jsonschema")
    command = [program, "--no-cache", "--builtin-schema", schema, *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_command_of_make_that_is_named_somewhere_exists():
    named = {
        target
        for parameters in JOBS
        for step in steps(parameters.values[0])
        for target in make_targets(step.get("run", ""))
    }
    assert named >= {"lint", "test", "test-spark-3.5", "test-spark-4.0", "test-matrix"}
    for page in PAGES:
        named.update(make_targets(page.read_text()))
    done = subprocess.run(
        ["make", "--dry-run", *sorted(named)], cwd=REPO, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_targets_are_found():
    text = "run `make a-b` and:\n\n    no make x\n\n```sh\nmake c   # make d\nmake e.5 && make f\n```\n"
    assert make_targets(text) == ["a-b", "c", "e.5", "f"]


def spark_versions():
    """The versions of Spark that the repository has pins for, and each file's pin."""
    pins = {
        path.stem.removeprefix("spark-"): path
        for path in (REPO / "tests" / "matrix").glob("spark-*.txt")
    }
    newest = minor_version(REPO / "constraints.txt")
    return {**pins, newest: REPO / "constraints.txt"}


def minor_version(pins):
    return re.search(r"^pyspark==(\d+\.\d+)\.", pins.read_text(), flags=re.MULTILINE)[1]


def test_every_file_of_pins_has_the_spark_of_its_name():
    versions = spark_versions()
    assert {minor_version(path) for path in versions.values()} == set(versions)
    older = re.search(r"^SPARKS \?= (.*)$", (REPO / "Makefile").read_text(), flags=re.MULTILINE)
    assert set(older[1].split()) == set(versions) - {minor_version(REPO / "constraints.txt")}


def python_versions():
    """The versions of Python that the package says that it runs on."""
    found = [name.rpartition(" :: ")[2] for name in PROJECT["classifiers"] if "Python ::" in name]
    versions = sorted((each for each in found if "." in each), key=lambda each: each.split("."))
    assert PROJECT["requires-python"] == f">={versions[0]}"
    return versions


def test_changes_are_tested_on_each_python_and_spark():
    job = WORKFLOWS["tests.yml"]["jobs"]["test"]
    runs = {(run["python"], run["spark"]) for run in combinations(job)}
    every = set(product(python_versions(), spark_versions()))
    assert every - runs == {("3.13", "3.5")}  # NumPy 1 has no wheel for Python 3.13
    assert runs <= every
    commands = {step["run"] for step in steps(job) if "run" in step}
    newest = minor_version(REPO / "constraints.txt")
    older = {f"make test-spark-{version}" for version in spark_versions() if version != newest}
    assert commands == {"make test", *older}


def test_every_python_has_all_tests_at_night():
    jobs = WORKFLOWS["nightly.yml"]["jobs"]
    assert [run["python"] for run in combinations(jobs["full"])] == python_versions()
    assert {step.get("run") for step in steps(jobs["full"])} == {None, ".ci/run"}
    assert {step.get("run") for step in steps(jobs["spark"])} == {None, "make test-matrix"}


@pytest.mark.parametrize(("job", "workflow"), JOBS)
def test_a_job_may_do_only_what_it_needs(job, workflow):
    assert workflow["permissions"] == {"contents": "read"}
    publishes = any("pypi-publish" in step.get("uses", "") for step in steps(job))
    assert job.get("permissions") == ({"id-token": "write"} if publishes else None)
    assert "secrets" not in str(job)


def test_only_a_tag_publishes_after_all_other_jobs():
    workflow = WORKFLOWS["release.yml"]
    assert workflow["on"] == {"push": {"tags": ["v*"]}}
    assert workflow["jobs"]["publish"]["needs"] == "build"
    assert workflow["jobs"]["build"]["needs"] == "tests"
    assert workflow["jobs"]["publish"]["environment"] == "pypi"
    assert "workflow_call" in WORKFLOWS["tests.yml"]["on"]
    for name in set(WORKFLOWS) - {"release.yml"}:
        assert "pypi-publish" not in str(WORKFLOWS[name])


@pytest.mark.parametrize(
    "uses",
    sorted(
        {
            step["uses"]
            for job in [parameters.values[0] for parameters in JOBS]
            for step in [job, *job.get("steps", [])]
            if "uses" in step
        }
        | {
            step["uses"]
            for each in ACTIONS.values()
            for step in each["runs"]["steps"]
            if "uses" in step
        }
    ),
)
def test_an_action_has_a_version_or_is_here(uses):
    if uses.startswith("./"):
        place = REPO / uses
        assert place.is_file() or (place / "action.yml").is_file()
    else:
        assert re.fullmatch(r"[\w-]+/[\w-]+@((release/)?v\d+(\.\d+)*|[0-9a-f]{40})", uses)


@pytest.mark.parametrize(
    ("tag", "heading", "passes"),
    [
        ("v1.2.3", "## [1.2.3] - 2027-01-31", True),
        ("v1.2.4", "## [1.2.3] - 2027-01-31", False),
        ("v1.2.3", "## [1.2.2] - 2027-01-31", False),
        ("v1.2.3", "## [Unreleased]", False),
    ],
)
def test_a_release_has_one_version(tag, heading, passes, tmp_path):
    (program,) = [
        step["run"]
        for step in steps(WORKFLOWS["release.yml"]["jobs"]["build"])
        if "GITHUB_REF_NAME" in step.get("run", "")
    ]
    source = (REPO / "spark_keyframes" / "made_by.py").read_text()
    (tmp_path / "spark_keyframes").mkdir()
    (tmp_path / "spark_keyframes" / "made_by.py").write_text(source.replace(__version__, "1.2.3"))
    (tmp_path / "CHANGELOG.md").write_text(f"# Changelog\n\n{heading}\n\n### Added\n")
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", program],  # as on GitHub
        cwd=tmp_path,
        env={**os.environ, "GITHUB_REF_NAME": tag},
        capture_output=True,
        check=False,
    )
    assert (done.returncode == 0) == passes


def test_the_version_is_in_one_place():
    assert PROJECT["dynamic"] == ["version"]
    assert "version" not in read(REPO / "CITATION.cff")
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
    fields = {each.get("id"): each for each in read(GITHUB / "ISSUE_TEMPLATE" / "bug.yml")["body"]}
    assert fields["versions"]["validations"]["required"]
    (command,) = re.findall(r"`(.*)`", fields["versions"]["attributes"]["description"])
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
    assert all(max(upper) < min(lower) for upper, lower in zip(levels, levels[1:], strict=False))
