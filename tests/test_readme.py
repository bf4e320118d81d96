"""The Python examples of the README and of docs/ run as they stand, and print what is shown."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from tests.conftest import REPO
from tests.run_examples import EXAMPLE

PAGES = [
    page
    for page in (REPO / "README.md", *sorted((REPO / "docs").glob("*.md")))
    if any(not example["skip"] for example in EXAMPLE.finditer(page.read_text()))
]


@pytest.fixture(scope="module")
def examples(cooking, tmp_path_factory):
    """What became of the examples of each page: all of them in one process, with one session."""
    folder = tmp_path_factory.mktemp("reader")
    shutil.copytree(cooking, folder / "out")
    environment = {
        **os.environ,
        "PYTHONPATH": str(REPO),
        "PYSPARK_SUBMIT_ARGS": "--driver-memory 1g --conf spark.ui.enabled=false "
        "--conf spark.ui.showConsoleProgress=false pyspark-shell",
    }
    program = [sys.executable, str(REPO / "tests" / "run_examples.py"), "ran.json", *PAGES]
    subprocess.run(program, cwd=folder, env=environment, check=True, timeout=1200)
    return json.loads((folder / "ran.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_examples_run_and_print_what_the_page_shows(examples, page):
    for example in examples[str(page)]:
        assert not example["error"], example["error"]
        if example["output"] is None:
            continue
        place = f"{page.name}:{example['line']}"
        shown, printed = example["output"], example["printed"]
        if example["varies"]:
            assert first_words(printed) == first_words(shown), place
        else:
            assert words_of(printed) == words_of(shown), f"{place} printed:\n{printed}"


def test_every_page_that_should_have_examples_has_some():
    names = {page.name for page in PAGES}
    assert names >= {
        "README.md",
        "programs.md",
        "sql.md",
        "ml.md",
        "result.md",
        "extending.md",
        "index.md",
        "pandas.md",
    }


def test_an_output_is_compared_by_words_and_close_numbers():
    table = "+---+\n|ids|\n+---+\n|[26, 37] 0.699|\n"
    assert words_of(table) == words_of("+-----+\n|ids  |\n+-----+\n|[26, 37] 0.700|\n")
    assert words_of(table) != words_of(table.replace("37", "38"))
    assert words_of(table) != words_of(table.replace("0.699", "0.66"))
    assert words_of(table) != words_of("")


def test_an_example_is_skipped_only_with_a_reason():
    page = (
        "<!-- not run: needs a cluster -->\n```python\na\n```\n\n```python\nb\n```\n\n```\n1\n```\n"
    )
    first, second = EXAMPLE.finditer(page)
    assert first["skip"]
    assert first["output"] is None
    assert not second["skip"]
    assert second["output"] == "1\n"


def words_of(output):
    """Words, signs and numbers; a fraction is equal to one that is within 0.01 of it."""
    rows = [line for line in output.splitlines() if not line.startswith("+-")]
    words = re.findall(r"\d+\.\d+|\w+|[^\w\s]", "\n".join(rows))
    return [pytest.approx(float(word), abs=0.01) if "." in word[1:] else word for word in words]


def first_words(output):
    return [line.split()[0] for line in output.splitlines() if line.strip()]
