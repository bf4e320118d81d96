"""Reads the HTML of a site that lies in a folder, from one page to the next."""

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import unquote, urldefrag, urlsplit

LOADED = {("img", "src"), ("script", "src"), ("link", "href"), ("iframe", "src"), ("source", "src")}
"""What a browser asks for when it shows a page."""
CODE = {"code", "pre", "script", "style", "svg"}
UNUSED = {"canonical", "next", "prev"}
"""Values of `rel` that a browser does not load; next and prev are links."""


@dataclass
class Document(HTMLParser):
    """The links, resources and anchors of a page."""

    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)
    text: str = ""
    """without code"""
    _code: int = 0
    """elements of code that are open"""

    def __post_init__(self):
        super().__init__()

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self._code += tag in CODE
        self.anchors.update(values[name] for name in ("id", "name") if values.get(name))
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        for name, value in attrs:
            if (tag, name) in LOADED and values.get("rel") not in UNUSED:
                self.loaded.append(value)
            elif name == "srcset":
                self.loaded += [part.split()[0] for part in value.split(",")]

    def handle_endtag(self, tag):
        self._code -= tag in CODE

    def handle_data(self, data):
        if not self._code:
            self.text += data


def read(path):
    document = Document()
    document.feed(path.read_text())
    return document


@dataclass
class Crawl:
    """What there is behind the links of a site's first page."""

    pages: dict[str, Document] = field(default_factory=dict)
    """by its path in the site"""
    faults: list[str] = field(default_factory=list)


def crawl(site, first="index.html"):
    """Follow all links of a site, from its first page on."""
    found = Crawl()
    waiting = [first]
    while waiting:
        name = waiting.pop()
        if name in found.pages:
            continue
        path = site / name
        document = found.pages[name] = read(path)
        for url in document.loaded:
            if is_elsewhere(url):
                found.faults.append(f"{name} loads {url}")
            elif not target_of(path, url).is_file():
                found.faults.append(f"{name}: nothing at {url}")
        for url in document.links:
            if is_elsewhere(url):
                continue
            target = target_of(path, url)
            if not target.is_relative_to(site) or not target.is_file():
                found.faults.append(f"{name}: nothing at {url}")
            elif target.suffix == ".html":
                waiting.append(target.relative_to(site).as_posix())
    for name, document in found.pages.items():
        found.faults += missing_anchors(site, name, document, found.pages)
    return found


def missing_anchors(site, name, document, pages):
    for url in document.links:
        anchor = unquote(urldefrag(url).fragment)
        if is_elsewhere(url) or not anchor:
            continue
        target = target_of(site / name, url)
        linked = pages.get(target.relative_to(site).as_posix()) if target.is_file() else None
        # mkdocs-material gives lines of code, and the top of a page, names of its own.
        if linked and anchor not in linked.anchors and not re.match(r"__", anchor):
            yield f"{name}: no anchor {url}"


def is_elsewhere(url):
    return bool(urlsplit(url).scheme or urlsplit(url).netloc)


def target_of(path, url):
    place = unquote(urlsplit(url).path)
    return (path.parent / place).resolve() if place else path
