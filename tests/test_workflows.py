"""The workflows of GitHub: their schema, and what a schema cannot say."""

import os
import re
import subprocess
from itertools import product

import pytest

from spark_keyframes import __version__
from tests.conftest import REPO
from tests.project_files import GITHUB, PROJECT, check_schema, read_yaml
from tests.test_links import PAGES

WORKFLOWS = {path.name: read_yaml(path) for path in sorted((GITHUB / "workflows").glob("*.yml"))}
ACTIONS = {path.parent.name: read_yaml(path) for path in (GITHUB / "actions").glob("*/action.yml")}
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
    ("schema", "pattern"),
    [
        ("vendor.github-workflows", "workflows/*"),
        ("custom.github-workflows-require-timeout", "workflows/*"),
        ("vendor.github-actions", "actions/*/*"),
    ],
)
def test_files_have_the_schema_of_their_kind(schema, pattern):
    found = check_schema(schema, *GITHUB.glob(pattern))
    assert found.exit_code == 0, found.output


def test_a_wrong_workflow_is_found(tmp_path):
    path = tmp_path / "wrong.yml"
    path.write_text((GITHUB / "workflows" / "tests.yml").read_text().replace("runs-on", "run-on"))
    found = check_schema("vendor.github-workflows", path)
    assert found.exit_code == 1, found.output
    assert "run-on" in found.output


def test_every_command_of_make_that_is_named_somewhere_exists():
    named = {
        target
        for parameters in JOBS
        for step in steps(parameters.values[0])
        for target in make_targets(step.get("run", ""))
    }
    assert named >= {"docs", "lint", "test", "test-spark-3.5", "test-spark-4.0", "test-matrix"}
    for page in PAGES:
        named.update(make_targets(page.read_text()))
    done = subprocess.run(
        ["make", "--dry-run", *sorted(named)], cwd=REPO, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_targets_are_found():
    text = "Run `make a-b`:\n\n    not make x\n\n```sh\nmake c  # make d\nmake e.5 && make f\n```\n"
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
    used = " ".join(step.get("uses", "") for step in steps(job))
    needed = {"id-token": "write"} if "publish" in used or "deploy-pages" in used else None
    if "deploy-pages" in used:
        needed["pages"] = "write"
    assert job.get("permissions") == needed
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


USED = {
    step["uses"]
    for group in (
        *([job.values[0], *job.values[0].get("steps", [])] for job in JOBS),
        *(action["runs"]["steps"] for action in ACTIONS.values()),
    )
    for step in group
    if "uses" in step
}


@pytest.mark.parametrize("uses", sorted(USED))
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
        ["bash", "-e", "-c", program],  # as on GitHub
        cwd=tmp_path,
        env={**os.environ, "GITHUB_REF_NAME": tag},
        capture_output=True,
        check=False,
    )
    assert (done.returncode == 0) == passes
