"""What a shell completes."""

import os
import subprocess
import sys

import pytest

SHELLS = ("bash", "zsh", "fish")


def run(*words, **variables):
    done = subprocess.run(
        [sys.executable, "-m", "spark_keyframes", *words],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_has_a_script(shell):
    script = run("completion", shell)
    assert "_SPARK_KEYFRAMES_COMPLETE" in script
    assert f"{shell}_complete" in script


def test_bash_takes_its_script():
    script = run("completion", "bash")
    command = ["bash", "-c", f"{script}\ncomplete -p spark-keyframes"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "-F _spark_keyframes_completion spark-keyframes" in done.stdout


@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("tr", {"plain,transform"}),
        ("sample --img-type ", {"plain,.jpg", "plain,.png"}),
        ("sample --max-num", {"plain,--max-num-frames"}),
        ("sample --output-tos-dir ou", {"dir,ou"}),
        ("sample ou", {"file,ou"}),
        ("transform --mode a", {"plain,append"}),
        ("completion z", {"plain,zsh"}),
    ],
)
def test_commands_options_choices_and_paths_are_completed(typed, completed):
    words = f"spark-keyframes {typed}"
    found = run(
        _SPARK_KEYFRAMES_COMPLETE="bash_complete",
        COMP_WORDS=words,
        COMP_CWORD=str(len(words.split(" ")) - 1),
    )
    assert set(found.splitlines()) == completed
