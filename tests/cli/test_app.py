"""The command `spark-keyframes`: its help, its errors, and how it ends."""

import json
import subprocess
import sys

import click
import pytest

from spark_keyframes import ParameterError, __version__
from spark_keyframes.cli import app
from spark_keyframes.command import EXIT_CODES, exit_code
from spark_keyframes.errors import SourceNotFoundError

HEAVY = ["torch", "transformers", "pyspark", "pandas", "pyarrow", "av", "PIL", "requests"]


def main(*arguments, capsys):
    status = app.main(list(arguments))
    return status, *capsys.readouterr()


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_the_help_lists_the_commands_and_the_exit_codes(arguments, capsys):
    status, out, err = main(*arguments, capsys=capsys)
    assert (status, err) == (0, "")
    assert all(f"  {name} " in out for name in app.COMMANDS)
    assert all(f"{code}: " in out for code, _ in EXIT_CODES)


@pytest.mark.parametrize("name", app.COMMANDS)
def test_the_help_of_each_command_is_a_page(name, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    status, out, _ = main(name, "--help", capsys=capsys)
    assert status == 0
    assert len(out.splitlines()) <= 60
    assert f"Usage: spark-keyframes {name}" in out


def test_the_version(capsys):
    assert main("--version", capsys=capsys) == (0, f"spark-keyframes {__version__}\n", "")


def test_a_mistyped_command_has_a_hint(capsys):
    assert main("transfrom", capsys=capsys)[::2] == (
        2,
        "spark-keyframes: error: no command 'transfrom'; did you mean transform?; see --help\n",
    )
    assert "there are demo, sample, transform, " in main("xyz", capsys=capsys)[2]


def test_the_module_is_the_command_and_its_help_imports_nothing_heavy():
    program = f"""
import json, runpy, sys
sys.argv = ["x", "--help"]
try:
    runpy.run_module("spark_keyframes", run_name="__main__")
except SystemExit as end:
    print(json.dumps([end.code, [name for name in {HEAVY} if name in sys.modules]]))
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1]) == [0, []]


def fails_with(error):
    def run():
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (ParameterError("fps is 0"), 2, "x: error: fps is 0; see --help"),
        (SourceNotFoundError("a.mp4: no"), 1, "x: SourceNotFoundError: a.mp4: no"),
        (click.UsageError("a\nb"), 2, "x: error: a b; see --help"),
        (click.UsageError("tos://u:secret@h/b"), 2, "x: error: tos://h/b; see --help"),
        (KeyboardInterrupt(), 130, "x: interrupted"),
    ],
)
def test_an_error_is_a_line_and_an_exit_code(error, status, line, capsys):
    assert exit_code(fails_with(error), lambda: "x") == status
    assert capsys.readouterr() == ("", f"{line}\n")


def test_other_errors_have_a_traceback_without_secrets(capsys):
    assert exit_code(fails_with(OSError("https://h/v.mp4?X-Tos-Signature=abc")), lambda: "x") == 1
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "abc" not in err


def test_a_closed_pipe_is_quiet():
    """A reader such as `head` takes a line and leaves."""
    code = "import sys; from spark_keyframes.cli.app import main; sys.exit(main(['--help']))"
    command = f'"{sys.executable}" -c "{code}" | true; echo ${{PIPESTATUS[0]}}'
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("141\n", "")
