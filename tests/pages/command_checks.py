"""Checks a command of a page by the parser of the program, or by what the repository has."""

import re
import tomllib
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import click
from packaging.requirements import InvalidRequirement, Requirement

from spark_keyframes.cli.app import COMMANDS, app
from tests.conftest import REPO

PROJECT = tomllib.loads((REPO / "pyproject.toml").read_text())
ELSEWHERE = {
    *("aws", "cd", "cp", "databricks", "docker", "gcloud", "hf", "kubectl", "mkdir", "tar"),
    *("curl", "git", "java", "ls", "make", "mutmut", "import-linter", "spark-pipelines", "tail"),
    *("venv-pack", "ffmpeg", "apt-get", "jq", "open", "source", ".", "deactivate"),
}
"""Programs of other projects: only the files of this repository that they get are checked."""
FOLDERS = ("benchmarks", "conf", "docker", "docs", "examples", "jobs", "notebooks", "tests")
SCRIPT = re.compile(r"(?:^|/)jobs/(\w+)\.py$")
PLACEHOLDER = re.compile(r"[*…{$]|/[A-Z]+$")
LEFT_OUT = {"--input": "videos", "--text": "spoon", "--output": "out/table", "--checkpoint": "c"}


def check(command):
    """Raise AssertionError where a command has a mistake."""
    program = command.words[0].removeprefix("./")
    words = command.words[1:]
    name = Path(program).name or program  # of "." it is empty
    assert name in CHECKS or name in ELSEWHERE or (REPO / program).is_file(), (
        f"{command.place}: what is {program}? Correct it, or add it to ELSEWHERE"
    )
    if name in CHECKS:
        CHECKS[name](words, command)
    check_files(command)


def check_submit(words, command):
    place = next((at for at, word in enumerate(words) if SCRIPT.search(word)), None)
    if place is None:
        assert "--class" in words or command.elided, f"{command.place}: no job in {words}"
        return
    check_job(SCRIPT.search(words[place])[1], words[place + 1 :], command)


def check_job(name, words, command):
    words = list(words)
    job = import_module(f"spark_keyframes.jobs.{name}").JOB
    if command.elided or not words:
        known = {option for option, _ in options_of(command_for(job.name))}
        for option, value in LEFT_OUT.items():
            given = any(word.startswith(option) for word in words)  # as --output-table, too
            if not given and option in known:
                words += [option, value]
    job.parse_options(words)


def check_cli(words, command):
    if not words or words[0].startswith("--"):
        app.make_context("spark-keyframes", list(words), resilient_parsing=True)
        return
    assert words[0] in COMMANDS, f"{command.place}: no subcommand {words[0]}"
    called = command_for(words[0])
    try:
        called.make_context(words[0], list(words[1:])).close()
    except click.exceptions.Exit:  # --help
        return
    except click.ClickException as error:
        if not (command.elided and "arguments are required" in error.format_message()):
            raise AssertionError(f"{command.place}: {error.format_message()}") from error


def check_python(words, command):
    if words[0] == "-m" and words[1] == "spark_keyframes":
        check_cli(words[2:], command)
    elif words[0] == "-m":
        check_module(words[1], words[2:], command)
    elif SCRIPT.search(words[0]):
        check_job(SCRIPT.search(words[0])[1], words[1:], command)
    elif "-c" in words:
        compile(words[words.index("-c") + 1], command.place, "exec")


def check_module(name, words, command):
    assert find_spec(name), f"{command.place}: no module {name}"
    if not name.startswith(("benchmarks", "docs", "spark_keyframes", "tests")):
        return
    path = REPO.joinpath(*name.split("."))
    files = path.rglob("*.py") if path.is_dir() else [path.with_suffix(".py")]
    text = "".join(file.read_text() for file in files)
    for word in words:
        if word.startswith("--"):
            assert f'"{word.partition("=")[0]}"' in text, f"{command.place}: {name} has no {word}"


def check_pip(words, command):
    for word in words[1:]:
        extra = re.fullmatch(r"(?:\.|spark_keyframes|.*\.whl)\[(.*)\]", word)
        if extra:
            known = PROJECT["project"]["optional-dependencies"]
            assert set(extra[1].split(",")) <= set(known), f"{command.place}: no extra {extra[1]}"
        elif not word.startswith(("-", ".", "dist/")) and "/" not in word and word != "dist":
            name_of(word, command)


def name_of(word, command):
    if not (REPO / word).exists():
        try:
            Requirement(word)
        except InvalidRequirement as error:
            raise AssertionError(f"{command.place}: {error}") from error


def check_pytest(words, command):
    markers = {
        line.partition(":")[0] for line in PROJECT["tool"]["pytest"]["ini_options"]["markers"]
    }
    for at, word in enumerate(words[:-1]):
        if word == "-m":
            named = set(re.findall(r"\w+", words[at + 1])) - {"and", "or", "not"}
            assert named <= markers, f"{command.place}: no markers {named - markers}"


def check_files(command):
    """What a command names in the repository exists."""
    for word in command.words:
        path = re.sub(r"^(.*=)?@?(file://)?", "", word)
        if path.partition("/")[0] in FOLDERS and "/" in path and not PLACEHOLDER.search(path):
            assert (REPO / path).exists(), f"{command.place}: no {path}"
    for name in command.variables:
        if not name.startswith(("SPARK_", "PYSPARK_", "HADOOP_")):
            assert name in names_in_sources(), f"{command.place}: nothing reads {name}"


@cache
def names_in_sources():
    """All names in capitals in the code."""
    tests = [path for path in (REPO / "tests").rglob("*.py") if path.parent.name != "pages"]
    files = [*tests, *(REPO / "spark_keyframes").rglob("*.py")]
    files += [REPO / "Makefile", *(REPO / "conf").iterdir()]
    return {name for file in files for name in re.findall(r"\b[A-Z][A-Z_]+\b", file.read_text())}


def command_for(name):
    """A subcommand of spark-keyframes."""
    return app.get_command(click.Context(app), name)


def options_of(command):
    """The options of a command, each with its parameter."""
    for param in command.params:
        for option in (*param.opts, *param.secondary_opts):
            yield option, param


CHECKS = {
    "spark-submit": check_submit,
    "spark-keyframes": check_cli,
    "python": check_python,
    "python3": check_python,
    "python3.11": check_python,
    "pip": check_pip,
    "pytest": check_pytest,
}
