"""The commands of all pages have no mistake: the programs' own parsers read them."""

import ast
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.conftest import REPO
from tests.pages.command_checks import COMMANDS as COMMANDS_OF_CLI
from tests.pages.command_checks import check, command_for, options_of
from tests.pages.snippets import Command, commands_of, split
from tests.test_links import PAGES

COMMANDS = [command for page in PAGES for command in commands_of(page)]


@pytest.fixture
def own(monkeypatch):
    """The file own.py of docs/extending.md: the imports and classes of the page's examples."""
    page = (REPO / "docs" / "extending.md").read_text()
    kept = (ast.Import, ast.ImportFrom, ast.ClassDef)
    nodes = [
        node
        for code in re.findall(r"^```python\n(.*?)^```", page, flags=re.DOTALL | re.MULTILINE)
        for node in ast.parse(code).body
        if isinstance(node, kept)
    ]
    module = ModuleType("own")
    exec(compile(ast.Module(nodes, []), "own.py", "exec"), vars(module))
    monkeypatch.setitem(sys.modules, "own", module)


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_a_command_has_no_mistake(own, command):
    check(command)


def test_each_kind_of_command_is_found():
    programs = {Path(command.words[0]).name for command in COMMANDS}
    assert programs >= {"spark-submit", "python", "pip", "pytest", "make", "docker", "bundle.sh"}


def test_lines_are_split_into_commands():
    code = 'A=1 x --y "a b" \\\n  ... && z#1  # why\n\n# no command\nexport B=2\nu | v &\n'
    assert list(split(code, "here")) == [
        Command("here", ("x", "--y", "a b"), ("A",), elided=True),
        Command("here", ("z#1",)),
        Command("here", ("u",)),
        Command("here", ("v",)),
    ]


@pytest.mark.parametrize(
    "code",
    [
        "spark-submit jobs/sample.py --input videos --text spoon --max-num-frame 8",
        "spark-submit jobs/sample.py --input videos --text spoon --fps fast",
        "spark-submit jobs/simple.py --input videos --text spoon",
        "spark-submit jobs/sample.py --text spoon",
        "spark-keyframes transfrom --input videos",
        "spark-keyframes transform --input videos --txt spoon",
        "python -m benchmarks.skw",
        "python -m benchmarks.skew --minute 6",
        "python jobs/sample.py --input",
        "python -c 'import'",
        "pip install '.[s4]'",
        "pip install 'a b'",
        "pytest tests/selections",
        "pytest -m 'not slw'",
        "examples/bundel.sh 3.5",
        "cp conf/spark-default.conf /tmp",
        "LYING_SERVER_RUN=3 pytest tests/storage",
        "sparksubmit jobs/sample.py",
    ],
)
def test_a_mistake_is_found(code):
    (command,) = split(code, "here")
    with pytest.raises((AssertionError, SystemExit, SyntaxError, ModuleNotFoundError)):
        check(command)


OF_OTHERS = {
    *("--archives", "--executor-cores", "--executor-memory", "--num-executors"),  # Spark
    *("--remote", "--full-refresh-all"),
    *("--build-arg", "--auto-terminate", "--worker-accelerator"),  # docker, aws, gcloud
}


def test_options_in_sentences_exist():
    known = {option for name in COMMANDS_OF_CLI for option, _ in options_of(command_for(name))}
    for program in ((REPO / "benchmarks").rglob("*.py"), (REPO / "tests").glob("*/campaign.py")):
        for file in program:
            known.update(re.findall(r'"(--[a-z][\w-]*)"', file.read_text()))
    for page in PAGES:
        named = set(re.findall(r"`(--[a-z][\w-]*)[^`\n]*`", page.read_text()))
        assert named - known <= OF_OTHERS, page


@pytest.mark.slow
def test_spark_submit_has_the_options_of_the_pages():
    submit = Path(sys.executable).with_name("spark-submit")
    done = subprocess.run([submit, "--help"], capture_output=True, text=True, check=False)
    known = set(re.split(r"[\s,]+", done.stdout + done.stderr))
    for command in COMMANDS:
        if Path(command.words[0]).name == "spark-submit":
            own = [word for word in command.words if word.startswith("--")]
            job = [at for at, word in enumerate(command.words) if "jobs/" in word] or [None]
            used = [word for word in command.words[: job[0]] if word in own]
            assert set(used) <= known, command
