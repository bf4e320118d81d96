"""Each block of a page is run, or says why not; what is data can be read."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.conftest import REPO
from tests.pages.snippets import blocks_of
from tests.test_links import PAGES
from tests.test_readme import first_words, words_of

BLOCKS = [block for page in PAGES for block in blocks_of(page)]
SHELL = [block for block in BLOCKS if block.language in ("sh", "bash", "shell")]
RUN = [block for block in SHELL if block.reason is None]


def test_what_runs_a_block_exists():
    """A block is run here, unless a comment before it says why not: `<!-- not run: why -->`."""
    for block in SHELL:
        for path in re.findall(r"\btests/[\w/.]+", block.reason or ""):
            assert (REPO / path).is_file(), f"{block}: no {path}"
    assert {block.page.name for block in RUN} >= {"index.md"}


@pytest.fixture(scope="module")
def reader(cooking, tmp_path_factory):
    """A clone of the repository, as far as commands need one, after `make sample`."""
    folder = tmp_path_factory.mktemp("reader")
    for name in ("conf", "examples", "jobs", "spark_keyframes"):
        (folder / name).symlink_to(REPO / name)
    shutil.copytree(cooking, folder / "out")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted({block.page for block in RUN}), ids=lambda page: page.name)
def test_commands_run_and_print_what_the_page_shows(reader, page):
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for block in RUN:
        if block.page != page:
            continue
        done = subprocess.run(
            ["bash", "-eu", "-o", "pipefail", "-c", block.code],
            cwd=reader,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, f"{block}: {done.stderr}"
        if block.output is not None:
            compared = first_words if block.varies else words_of
            shown = compared(block.output)  # all that is printed, or the end of it
            assert compared(done.stdout)[-len(shown) :] == shown, f"{block}: {done.stdout}"


READERS = {
    "json": json.loads,
    "toml": tomllib.loads,
    "yaml": lambda text: list(yaml.safe_load_all(text)),
    "yml": lambda text: list(yaml.safe_load_all(text)),
}


def test_data_can_be_read():
    for block in BLOCKS:
        if block.language in READERS:
            assert READERS[block.language](block.code), block


def test_statements_can_be_parsed(spark):
    """By Spark's own parser, which needs no table."""
    parser = spark._jsparkSession.sessionState().sqlParser()
    statements = [block.code for block in BLOCKS if block.language == "sql"]
    assert statements
    for statement in ";".join(statements).split(";"):
        if statement.strip():
            parser.parsePlan(statement)  # raises what is wrong with it


def test_every_language_of_a_block_is_known():
    """So that a mistyped one is no block that nothing checks."""
    others = {"python", "sql", "text", "sh", "bash", "console", "properties", "dockerfile", "xml"}
    assert {block.language for block in BLOCKS} <= {*READERS, *others}
