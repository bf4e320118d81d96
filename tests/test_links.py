"""Every relative link of every page leads to a file, and its anchor to a heading."""

import re
import subprocess
from collections import Counter
from functools import cache

import pytest

from tests.conftest import REPO

PAGES = sorted(
    REPO / name
    for name in subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
        cwd=REPO,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
)
FENCED = re.compile(r"^```.*?^```", flags=re.DOTALL | re.MULTILINE)
CODE = re.compile(r"`[^`]*`")
LINK = re.compile(r"\]\(([^()\s]+(?:\([^()]*\))?)\)")


def links(text):
    """The targets of a page's links, without those in code."""
    return LINK.findall(CODE.sub("", FENCED.sub("", text)))


@cache
def anchors(page):
    """The names that GitHub gives to a page's headings."""
    names = []
    for heading in re.findall(r"^#+ (.*)$", FENCED.sub("", page.read_text()), flags=re.MULTILINE):
        title = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading.strip().lower())
        names.append(re.sub(r"[^\w\- ]", "", title).replace(" ", "-"))
    repeated = Counter()
    for index, name in enumerate(names):
        repeated[name] += 1
        if repeated[name] > 1:
            names[index] = f"{name}-{repeated[name] - 1}"
    return set(names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPO)))
def test_every_relative_link_leads_somewhere(page):
    for link in links(page.read_text()):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(REPO), link
        if anchor:
            assert anchor in anchors(target), link


def test_every_page_of_docs_is_in_its_index():
    folder = REPO / "docs"
    index = {(folder / link).resolve() for link in links((folder / "README.md").read_text())}
    pages = {page.resolve() for page in PAGES if page.parent == folder}
    assert pages - {(folder / "README.md").resolve()} <= index


def test_anchors_are_those_of_github(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A `b`: --c, [d](e)\n\n## Again\n\n```sh\n# no heading\n```\n\n## Again\n")
    assert anchors(page) == {"a-b---c-d", "again", "again-1"}
