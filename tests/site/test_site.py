"""The site as its readers find it: no dead link, no request to a network, a search that finds."""

import functools
import http.server
import re
import shutil
import threading

import pytest

from tests.conftest import REPO
from tests.site.conftest import build
from tests.site.crawler import crawl, read
from tests.test_links import anchors

pytestmark = pytest.mark.slow


def test_no_link_is_dead_and_every_page_can_be_reached(site):
    found = crawl(site)
    assert found.faults == []
    pages = {path.relative_to(site).as_posix() for path in site.rglob("*.html")}
    assert pages - set(found.pages) == {"404.html"}
    assert {"index.html", "asking-again.html", "reference/sampling.html"} < pages


def test_no_style_of_the_site_loads_from_elsewhere(site):
    styles = list(site.rglob("*.css"))
    assert styles
    for style in styles:
        assert not re.search(r"url\(['\"]?(https?:)?//|@import", style.read_text()), style


def test_headings_have_the_anchors_of_github(site):
    """Links are written for GitHub, and a reader may copy one from here."""
    for page in sorted((REPO / "docs").glob("*.md")):
        built = {"README": "pages", "index": "asking-again"}.get(page.stem, page.stem)
        found = set(re.findall(r'<h\d id="([^"]+)"', (site / f"{built}.html").read_text()))
        # A repeated heading has another number than on GitHub; no page has one.
        assert found == anchors(page), page.name


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_have_no_errors_and_no_serious_faults(site, open_page, scheme):
    for name in ("index", "jobs", "reference/errors"):
        watched = open_page(site / f"{name}.html", color_scheme=scheme)
        watched.check()
        assert watched.faults() == []


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        ("[a](docs/nothing.md)", "'docs/nothing.md'"),
        ("[a](#nothing)", "no such anchor"),
        ("![a](nothing.png)", "'nothing.png'"),
        ("[a](nothing)", "'nothing'"),
    ],
)
def test_a_mistake_in_a_page_is_an_error(tmp_path, mistake, message):
    settings = (REPO / "mkdocs.yml").read_text()
    without_docstrings = re.sub(r"  - mkdocstrings:.*?(?=^\w)", "", settings, flags=re.M | re.S)
    (tmp_path / "mkdocs.yml").write_text(without_docstrings.partition("watch:")[0])
    shutil.copytree(REPO / "docs" / "site", tmp_path / "docs" / "site")
    (tmp_path / "README.md").write_text(f"# Page\n\n{mistake}\n")
    (tmp_path / "docs" / "README.md").write_text("# All pages\n")
    (tmp_path / "docs" / "site" / "README.md").unlink()
    done = build(tmp_path / "mkdocs.yml", tmp_path / "built")
    assert done.returncode != 0
    assert message in done.stderr


@pytest.fixture(scope="module")
def served(site):
    """The address of a server of the site."""
    handler = functools.partial(Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format, *args):
        pass


def open_result(page, title):
    """Click by script: results are drawn anew for each letter, also between mouse down and up."""
    link = page.locator(".md-search-result__link", has_text=title).first
    link.wait_for()
    link.evaluate("link => link.click()")


@pytest.mark.parametrize("how", ["as files", "from a server"])
def test_the_search_finds_a_page_and_opens_it(site, served, open_page, how):
    first = str(site / "index.html") if how == "as files" else f"{served}/index.html"
    watched = open_page(first, allowed=(served,))
    page = watched.page
    page.get_by_role("textbox", name="Search").click()
    page.keyboard.type("something is killed")
    open_result(page, "With spark-submit")
    page.wait_for_url("**/jobs.html*")
    assert page.locator("h1").inner_text().startswith("With spark-submit")
    watched.check()


def test_the_search_finds_words_of_chinese(site, open_page):
    watched = open_page(site / "index.html")
    page = watched.page
    page.get_by_role("textbox", name="Search").click()
    page.keyboard.type("时间戳的跳变")
    open_result(page, "结果")
    page.wait_for_url("**/zh/result.html*")
    watched.check()


def test_code_has_a_button_that_copies_it(site, open_page):
    watched = open_page(site / "jobs.html", permissions=["clipboard-read", "clipboard-write"])
    page = watched.page
    page.locator(".highlight").first.hover()
    page.locator(".highlight button").first.click()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("spark-submit jobs/sample.py \\\n    --input videos/")
    watched.check()


def test_a_phone_shows_no_page_wider_than_itself(site, open_page):
    watched = open_page(site / "parameters.html", viewport={"width": 390, "height": 800})
    page = watched.page
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator("label.md-header__button[for=__drawer]").click()
    assert page.locator(".md-nav--primary").is_visible()
    watched.check()


def test_no_markdown_is_left_in_the_text(site):
    """GitHub takes some Markdown that mkdocs does not, such as lists that are indented less."""
    left = re.compile(r"```|\*\*|\]\(|\|-+\||`|^ *\| |~~|<!--|-->|^ *[-*] \S|^#+ |\\[<|*_]", re.M)
    for path in sorted(site.rglob("*.html")):
        if "source" not in path.relative_to(site).parts:
            text = read(path).text
            found = left.search(text)
            assert not found, f"{path.name}: {text[found.start() - 60 : found.end() + 60]!r}"
