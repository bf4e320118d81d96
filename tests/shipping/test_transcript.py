"""What docs/cli.md shows: installed into a new environment, in an empty folder."""

import os
import re
import shutil
import subprocess

import pytest
from PIL import Image

from tests.conftest import REPO, SHARED_VIDEOS
from tests.shipping.closure import environment_for
from tests.shipping.conftest import pip

PAGE = (REPO / "docs" / "cli.md").read_text()
CLIP = SHARED_VIDEOS / "sam2__01_dog.mp4"
SETUP = ("python3 -m venv", ". keyframes/bin/activate", "pip install")


def steps():
    """The commands of the page, each with what it prints."""
    (shown,) = re.findall(r"^```console\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)
    # The demo prints a command too.
    for step in re.split(r"^\$ (?!spark-keyframes transform)", shown, flags=re.MULTILINE)[1:]:
        command, _, output = step.partition("\n")
        yield command, output


def fits(shown, printed):
    """Whether a command printed what a page shows, where … stands for anything, lines too."""
    pattern = ".*?".join(map(re.escape, shown.split("…")))
    # The last digits of a score depend on the CPU.
    pattern = re.sub(r"0\\\.(\d)\d+", lambda found: rf"0\.{found[1]}\d+", pattern)
    return re.fullmatch(pattern, printed, flags=re.DOTALL) is not None


@pytest.fixture(scope="module")
def shell(wheel, tmp_path_factory):
    """Runs a command as in an active environment that has the wheel and what it asks for."""
    folder = tmp_path_factory.mktemp("reader")
    environment = environment_for(wheel, folder / "keyframes")
    python = environment / "bin" / "python"
    pip(f"--python={python}", "install", "--no-deps", "--no-index", str(wheel))
    work = folder / "empty"
    work.mkdir()
    variables = {"PATH": f"{environment / 'bin'}:/usr/local/bin:/usr/bin:/bin", "HOME": str(folder)}
    if "JAVA_HOME" in os.environ:
        variables["JAVA_HOME"] = os.environ["JAVA_HOME"]

    def run(command):
        return subprocess.run(
            ["bash", "-c", command],
            cwd=work,
            env=variables,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    run.folder = work
    return run


@pytest.mark.slow
def test_the_page_shows_what_the_commands_print(shell):
    """All in one, because each step uses what the one before it wrote."""
    place = shell("python -c 'import spark_keyframes as s; print(s.__file__)'").stdout
    assert place.startswith(str(shell.folder.parent / "keyframes")), "and not from the repository"
    left_out = []
    for command, output in steps():
        if command.startswith(SETUP):
            continue  # the fixture did it
        if "dog.mp4" in command:
            if not CLIP.exists():
                left_out.append(command)
                continue
            shutil.copy(CLIP, shell.folder / "dog.mp4")
        done = shell(command)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        assert fits(output, done.stdout), done.stdout
        if command == "spark-keyframes demo":
            check_what_comes_next(shell, done.stdout)
            assert len(done.stderr.splitlines()) < 5, done.stderr
        elif "sample" in command:
            assert done.stderr == ""
    assert len(list((shell.folder / "out" / "keyframes").rglob("*.jpg"))) == 4
    assert Image.open(shell.folder / "out" / "keyframes.png").width >= 1000
    assert Image.open(shell.folder / "out" / "egg.png").width >= 1000
    if left_out:
        pytest.skip(f"without ../shared/videos, not run: {left_out}; all else passed")


def check_what_comes_next(shell, printed):
    """The demo ends with a command that runs as it is."""
    (next_one,) = re.findall(r"^\$ (spark-keyframes sample out/.*)$", printed, flags=re.MULTILINE)
    done = shell(next_one)
    assert "4 keyframes of 120 candidates for “egg”" in done.stdout


def test_the_page_begins_with_the_environment():
    commands = [command for command, _ in steps()]
    assert [command.startswith(begin) for command, begin in zip(commands, SETUP, strict=False)] == [
        True
    ] * len(SETUP)
    assert {command.split()[1] for command in commands[3:]} == {"demo", "doctor", "sample"}


def test_dots_stand_for_anything():
    assert fits("a … s\n…\nb 0.676\n", "a 1 s\nx\ny\nb 0.681\n")
    assert not fits("a … s\nb\n", "a 1 s\nc\n")
    assert not fits("b 0.676\n", "b 0.481\n")
