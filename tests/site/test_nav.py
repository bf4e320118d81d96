"""The order of the site's pages is that of docs/README.md."""

import importlib.util

import pytest

from tests.conftest import REPO


def load(name):
    path = REPO / "docs" / "site" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


site_nav = load("site_nav")
NAV = site_nav.nav_of((REPO / "docs" / "README.md").read_text(), "docs")


def test_sections_and_tables_become_sections_and_pages():
    page = (
        "# All\n\n## A\n\n### B\n\n| page | |\n|---|---|\n| [x](x.md) | [y](y.md) |\n"
        "| [z](../z.md) | |\n\n## C\n\n| [w](w.md) | |\n"
    )
    assert site_nav.nav_of(page, "docs") == [
        {"A": [{"B": ["docs/x.md", "z.md"]}]},
        {"C": ["docs/w.md"]},
    ]


def test_a_heading_without_its_parent_is_refused():
    with pytest.raises(ValueError, match="'B' has no heading"):
        site_nav.nav_of("# All\n\n### B\n", "docs")


def test_the_sections_are_in_their_order():
    order = ["Tutorial", "How-to", "Explanation", "Reference", "中文", "Project"]
    sections = [next(iter(section)) for section in NAV]
    assert sections == [name for name in order if name in sections]
    assert {"How-to", "Explanation", "Reference", "Project"} <= set(sections)


def test_every_page_is_listed_once():
    listed = list(site_nav.paths_of(NAV))
    assert sorted(listed) == sorted(set(listed))
    pages = {path.relative_to(REPO).as_posix() for path in (REPO / "docs").rglob("*.md")}
    assert pages - set(listed) == {"docs/README.md"}
