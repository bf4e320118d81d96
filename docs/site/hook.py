"""Makes a site of mkdocs from the repository's pages, which stay where its readers find them.

mkdocs calls these functions by name. mkdocs.yml names this file.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page
from site_nav import nav_of, paths_of
from site_sources import SourcePage, repository_files

INDEX = "docs/README.md"
_NAMED = re.compile(r"\[[\w./-]+(?:\.md|/)\]\((?P<path>[^()#]+\.md)(?P<anchor>#[^()]*)?\)")
_SEARCH = 'data-md-component="search" role="dialog" aria-label="Search"'


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Take the order of the pages from their list."""
    start: dict[str, Any] = {"Start": [{"First steps": "README.md"}, INDEX]}
    config.nav = [start, *nav_of((_root(config) / INDEX).read_text(), "docs")]
    return config


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Find the pages, and what they link to."""
    root = _root(config)
    of_theme = [file for file in files if file.src_dir != config.docs_dir]
    pages = {path.relative_to(root).as_posix() for path in (root / "docs").rglob("*.md")}
    pages.update(paths_of(config.nav))
    return Files([*of_theme, *repository_files(root, sorted(pages), config)])


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, **_: Any) -> str:
    """Leave source code out of the search, and give pages their titles in tables of pages."""
    if isinstance(page.file, SourcePage):
        page.meta["search"] = {"exclude": True}  # it would hide the pages
        return markdown
    if page.file.src_uri.startswith("benchmarks/"):
        page.meta["search"] = {"boost": 0.2}  # tables that have many words
    folder = _root(config) / posixpath.dirname(page.file.src_uri)
    lines = markdown.splitlines(keepends=True)
    return "".join(with_titles(line, folder) if line.startswith("|") else line for line in lines)


def on_post_page(output: str, **_: Any) -> str:
    """Give the search a name for screen readers, which the theme forgets."""
    return output.replace('data-md-component="search" role="dialog"', _SEARCH)


def with_titles(line: str, folder: Path) -> str:
    """Replace names of files by titles: `[jobs.md](jobs.md)` by `[With spark-submit](jobs.md)`."""

    def titled(link: re.Match[str]) -> str:
        target = folder / link["path"]
        title = target.is_file() and re.match("# (.*)", target.read_text())
        return f"[{title[1]}]({link['path']}{link['anchor'] or ''})" if title else link[0]

    return _NAMED.sub(titled, line)


def _root(config: MkDocsConfig) -> Path:
    return Path(config.config_file_path).parent
