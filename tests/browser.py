"""A real Chromium for the tests of pages: what a page asked for, its errors, axe's faults."""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@dataclass
class Watched:
    """A page, and what went wrong on it."""

    page: object
    """of Playwright"""
    requests: list[str] = field(default_factory=list)
    """URLs that were asked for and may not be; none of them was sent"""
    errors: list[str] = field(default_factory=list)
    """errors and warnings of the console, and exceptions of scripts"""

    def check(self):
        """Fail where the page used the network or had an error."""
        assert self.requests == []
        assert self.errors == []

    def image_widths(self):
        """The width of each image's own pixels, 0 for one that shows nothing; all are loaded."""
        return self.page.evaluate(
            """Promise.all([...document.images].map(async (each) => {
                each.loading = "eager";
                await each.decode().catch(() => {});
                return each.naturalWidth;
            }))"""
        )

    def faults(self):
        """What axe-core finds, as lines: only what is serious or critical."""
        base = pytest.importorskip("axe_playwright_python.base", reason="needs axe-core")
        self.page.evaluate(base.AXE_SCRIPT)
        found = self.page.evaluate("axe.run({resultTypes: ['violations']})")
        return [
            f"{fault['id']} ({fault['impact']}): {node['target']} {node['html'][:300]}"
            for fault in found["violations"]
            if fault["impact"] in ("serious", "critical")
            for node in fault["nodes"]
        ]


def chromium_path():
    """The Chromium to launch: `CHROMIUM` in the environment, or the first in PATH; or None."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


# Of a module, not of the session: while Playwright is open, asyncio.run() fails in this thread.
@pytest.fixture(scope="module")
def browser():
    """A headless Chromium; skips where it, or Playwright, is missing."""
    api = pytest.importorskip("playwright.sync_api", reason="needs Playwright")
    path = chromium_path()
    if path is None:
        pytest.skip("needs Chromium: apt-get install chromium")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path)
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser):
    """A function that opens a page: `open_page(path_or_url, allowed=(), **context)`.

    Args:
        allowed: what URLs may begin with, other than those of files and of data.
        context: options of Playwright's `new_context`: `color_scheme="dark"`, `viewport=…`.
    """
    contexts = []

    def opened(place, *, allowed=(), **options):
        context = browser.new_context(service_workers="block", **options)
        contexts.append(context)
        watched = Watched(context.new_page())
        watch(watched, ("file:", "data:", "blob:", "about:", *allowed))
        url = str(place)
        watched.page.goto(url if "://" in url else Path(url).absolute().as_uri())
        return watched

    yield opened
    for context in contexts:
        context.close()


def watch(watched, allowed):
    """Record, and do not send, what may not be asked for; record the errors of the page."""

    def route(asked):
        url = asked.request.url
        if url.startswith(allowed):
            asked.continue_()
        else:
            watched.requests.append(url)
            asked.abort()

    watched.page.route("**/*", route)
    watched.page.on("pageerror", lambda error: watched.errors.append(str(error)))
    watched.page.on(
        "console",
        lambda line: line.type in ("error", "warning") and watched.errors.append(line.text),
    )
