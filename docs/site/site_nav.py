"""Reads the order of the site's pages from docs/README.md, which readers of the repository see."""

import posixpath
import re
from collections.abc import Iterator
from typing import Any

_LINE = re.compile(
    r"^(?P<level>##+) (?P<title>.*)$|^\| \[[^\]]*\]\((?P<page>[^)#]+)\)", flags=re.MULTILINE
)


def nav_of(index: str, folder: str) -> list[Any]:
    """Sections of mkdocs from the headings of a page, and their pages from the tables below them.

    Args:
        index: The text of the page. Each row of its tables begins with a link to a page.
        folder: The folder of the page, to which its links are relative.
    """
    nav: list[Any] = []
    levels = [nav]
    for found in _LINE.finditer(index):
        if found["page"]:
            levels[-1].append(posixpath.normpath(posixpath.join(folder, found["page"])))
            continue
        depth = len(found["level"]) - 2
        if depth >= len(levels):
            raise ValueError(f"the heading {found['title']!r} has no heading one level above it")
        section: list[Any] = []
        levels[depth].append({found["title"]: section})
        levels[depth + 1 :] = [section]
    return nav


def paths_of(nav: Any) -> Iterator[str]:
    """The pages of a navigation, in order."""
    if isinstance(nav, str):
        yield nav
        return
    for part in nav.values() if isinstance(nav, dict) else nav:
        yield from paths_of(part)
