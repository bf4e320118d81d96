"""Files of the repository that pages link to, as pages of the site.

A page keeps its path in the repository as its source path, so that mkdocs resolves and checks all
links as they are written for readers of the repository.
"""

import ast
import posixpath
import re
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, InclusionLevel

_FENCED = re.compile(r"^( *)(```+|~~~+).*?^\1\2", flags=re.DOTALL | re.MULTILINE)
_CODE = re.compile(r"`[^`]*`")
_LINK = re.compile(r"\]\(([^()\s#]+(?:\([^()]*\))?)(?:#[^()\s]*)?\)")
_HIDDEN = {"__pycache__", ".DS_Store"}
_PICTURES = {".png", ".svg", ".jpg", ".gif", ".webp", ".html", ".ipynb"}
_LANGUAGES = {".py": "python", ".sh": "bash", ".json": "json", ".toml": "toml", ".sql": "sql"}
_LANGUAGES |= {".yml": "yaml", ".yaml": "yaml", ".conf": "properties", ".cff": "yaml"}
_LANGUAGES |= {".css": "css", ".js": "javascript"}
_LANGUAGES |= {".txt": "text", "": "text"}
_LARGEST = 100_000  # bytes of a file that is shown


class SourcePage(File):
    """A file or folder of the repository, shown as a page."""

    def is_documentation_page(self) -> bool:  # noqa: D102
        return True


class Alias(File):
    """A second source path of a page that has another one."""

    def is_documentation_page(self) -> bool:  # noqa: D102
        return False

    def copy_file(self, dirty: bool = False) -> None:  # noqa: D102
        pass


def links_of(path: str, text: str) -> Iterator[str]:
    """The repository's paths that a page of Markdown links to."""
    for link in _LINK.findall(_CODE.sub("", _FENCED.sub("", text))):
        if not re.match(r"[a-z]+:", link):
            yield posixpath.normpath(posixpath.join(posixpath.dirname(path), link))


def dest_of(path: str) -> str:
    """Where a page of Markdown lies in the site."""
    # docs/index.md is about an index, and README.md is the first page.
    special = {"README.md": "index", "docs/README.md": "pages", "docs/index.md": "asking-again"}
    special["docs/site/README.md"] = "site"
    name = special.get(path) or path.removeprefix("docs/").removesuffix(".md")
    return f"{name}.html"


def repository_files(root: Path, pages: list[str], config: MkDocsConfig) -> list[File]:
    """The given pages, and all files and folders that they link to, and so on.

    Args:
        root: The repository.
        pages: Paths of Markdown pages, relative to it.
        config: That of mkdocs.
    """
    files: dict[str, File] = {}
    waiting = list(pages)
    while waiting:
        path = waiting.pop()
        place = root / path
        # A target that is missing is reported by mkdocs, with the page that links to it.
        if path in files or not place.exists() or path.startswith(".."):
            continue
        if path.endswith(".md"):
            files[path] = _file(path, root, config, dest_of(path))
            # Each page of docs/ must have its place in the order of pages.
            if not path.startswith("docs/") and path not in pages:
                files[path].inclusion = InclusionLevel.NOT_IN_NAV
            waiting += links_of(path, place.read_text())
        elif place.suffix in _PICTURES:
            files[path] = _file(path, root, config, path.removeprefix("docs/"))
        elif (place / "README.md").is_file():
            readme = f"{path}/README.md"
            files[path] = Alias(path, None, config.site_dir, False, dest_uri=dest_of(readme))
            files[path].inclusion = InclusionLevel.NOT_IN_NAV
            waiting.append(readme)
        elif place.is_dir():
            files[path] = _source_page(path, _folder(place, path), config)
            waiting += [f"{path}/{name}" for name in _names(place) if _has_page(path)]
        else:
            files[path] = _source_page(path, _source(place, path), config)
    return list(files.values())


def _file(path: str, root: Path, config: MkDocsConfig, dest: str) -> File:
    # Otherwise mkdocs hides paths with a name that begins with a dot.
    included = InclusionLevel.INCLUDED
    return File(path, str(root), config.site_dir, False, dest_uri=dest, inclusion=included)


def _source_page(path: str, text: str, config: MkDocsConfig) -> File:
    page = SourcePage(path, None, config.site_dir, False, dest_uri=f"source/{path}.html")
    page.generated_by = "docs/site"
    page.content_string = text
    page.inclusion = InclusionLevel.NOT_IN_NAV
    return page


def _source(place: Path, path: str) -> str:
    """A page that shows a file."""
    text = place.read_text()
    fence = "~" * 8
    language = _LANGUAGES.get(place.suffix, "text")
    return f"# {place.name}\n\n`{path}`\n\n{fence}{language}\n{text.rstrip()}\n{fence}\n"


def _folder(place: Path, path: str) -> str:
    """A page that lists a folder, with the first line of each file's docstring."""
    rows = []
    for name in _names(place):
        shown = f"[`{name}`]({place.name}/{name})" if _has_page(path) else f"`{name}`"
        rows.append(f"| {shown} | {_purpose(place / name)} |\n")
    return f"# {place.name}/\n\n`{path}`\n\n| file | |\n| --- | --- |\n{''.join(rows)}"


def _has_page(folder: str) -> bool:
    """Whether the files of a folder are shown even where no page links to them."""
    return folder.partition("/")[0] not in {"tests", "benchmarks"}


def _names(place: Path) -> list[str]:
    """What is in a folder, folders first, without what git would not have."""
    found = [each for each in place.iterdir() if each.name not in _HIDDEN]
    shown = [each for each in found if each.is_dir() or each.suffix in {*_LANGUAGES, ".md"}]
    shown = [each for each in shown if each.stat().st_size < _LARGEST]
    return [each.name for each in sorted(shown, key=lambda each: (each.is_file(), each.name))]


def _purpose(place: Path) -> str:
    """The first line of the docstring of a module or package."""
    module = place / "__init__.py" if place.is_dir() else place
    if module.suffix != ".py" or not module.is_file():
        return ""
    line = (ast.get_docstring(ast.parse(module.read_text())) or "").partition("\n")[0]
    return line.replace("|", "\\|").replace("<", "&lt;")
