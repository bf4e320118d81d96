"""Fixtures: the scripts of examples/, run with stand-ins for the commands of a cloud."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parent.parent.parent / "examples"

# All that the scripts may call on a machine, apart from the commands of a cloud.
TOOLS = (
    *("bash", "cat", "chmod", "chown", "cp", "dirname", "env", "gzip", "id", "mkdir", "mktemp"),
    *("paste", "rm", "sed", "tar"),
)

# Writes the command, its arguments one a line, and an empty line. Then it does what DO says.
STAND_IN = """#!/usr/bin/env bash
printf '%s\\n' "${{0##*/}}" "$@" '' >> {log}
{do}
"""


@dataclass(frozen=True)
class Cloud:
    """A folder of stand-ins that come first in PATH."""

    folder: Path

    def command(self, name, do="exit 0", folder=None):
        """Make a stand-in, in PATH or in another folder, and return its path."""
        path = (folder or self.folder / "bin") / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(STAND_IN.format(log=self.folder / "log", do=do))
        path.chmod(0o755)
        return path

    def run(self, script, *arguments, **environment):
        """Run a script and return its process; it cannot see what this machine has set."""
        return subprocess.run(
            ["bash", script, *arguments],
            env={"PATH": f"{self.folder / 'bin'}:{self.folder / 'tools'}", **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    @property
    def called(self):
        """The commands that were called, each as a list of words."""
        log = self.folder / "log"
        calls = log.read_text().split("\n\n") if log.exists() else []
        return [call.strip("\n").split("\n") for call in calls if call.strip()]

    def forget(self):
        (self.folder / "log").unlink(missing_ok=True)


@pytest.fixture
def cloud(tmp_path):
    (tmp_path / "tools").mkdir()
    for name in TOOLS:
        (tmp_path / "tools" / name).symlink_to(str(shutil.which(name)))
    return Cloud(tmp_path)


@pytest.fixture
def bundle(tmp_path):
    """The files of a bundle that install.sh reads; test_bundle.py makes a real one."""
    folder = tmp_path / "bundle"
    (folder / "conf").mkdir(parents=True)
    for name in ("requirements.txt", "constraints.txt", "spark_keyframes-0.1.0-py3-none-any.whl"):
        (folder / name).touch()
    (folder / "conf" / "discover_gpus.sh").touch(mode=0o644)
    (folder / "install.sh").write_text((EXAMPLES / "install.sh").read_text())
    return folder
