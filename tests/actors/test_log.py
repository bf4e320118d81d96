"""Log lines of a child process come to the log of its parent."""

import logging
import subprocess
import sys

from spark_keyframes.actors import log_address
from tests.conftest import REPO

CHILD = """
import logging, sys
from spark_keyframes.actors import log_to
log_to(sys.argv[1], logging.INFO)
logger = logging.getLogger("spark_keyframes")
logger.debug("not shown")
logger.info("slow")
try:
    raise OSError("lost")
except OSError:
    logger.exception("a\\nb" + "x" * 300_000)
"""
PARENT = """
import logging, subprocess, sys
from spark_keyframes.actors import log_address
logging.basicConfig(format="%(levelname)s of %(name)s: %(message).20s")
child = subprocess.Popen([sys.executable, "-c", sys.argv[1], log_address()])
child.wait()
"""


def run(*command, **environment):
    done = subprocess.run(
        [sys.executable, "-c", *command],
        env={"PYTHONPATH": str(REPO), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout + done.stderr


def test_lines_come_with_their_level_and_are_cut():
    said = run(PARENT, CHILD)
    assert "ERROR of spark_keyframes: a\nb" in said
    assert "not shown" not in said
    assert "slow" not in said  # below the parent's own level


def test_the_folder_of_temporary_files_may_have_a_long_name(tmp_path):
    """The address of a Unix socket is short."""
    folder = tmp_path / ("n" * 100)
    folder.mkdir()
    assert "ERROR of spark_keyframes: a" in run(PARENT, CHILD, TMPDIR=str(folder))
    assert list(folder.iterdir()) == []


def test_lines_that_nobody_receives_go_to_stderr(tmp_path):
    said = run(CHILD, str(tmp_path / "socket"))
    assert "Logging error" in said
    assert "slow" in said


def test_a_traceback_is_part_of_the_line(caplog):
    child = CHILD.replace('"x" * 300_000', '"c"')
    with caplog.at_level(logging.INFO, "spark_keyframes"):
        run(child, log_address())
        while len(caplog.messages) < 2:
            pass
    assert caplog.messages[0] == "slow"
    assert caplog.messages[1].startswith("a\nbc\nTraceback")
    assert caplog.messages[1].endswith("OSError: lost")
