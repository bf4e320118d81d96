"""Takes the pictures of docs/site/README.md from a site that is built.

make docs && .venv/bin/python docs/site/screenshots.py
"""

import io
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

HERE = Path(__file__).parent
SITE = HERE.parent.parent / "site"
SIZE = {"width": 1240, "height": 760}


def main() -> None:
    """Write start.png, reference.png and search.png beside this file."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
        start = browser.new_page(viewport=SIZE)
        start.goto((SITE / "index.html").as_uri())
        save(start, "start")
        start.get_by_role("textbox", name="Search").click()
        start.keyboard.type("credentials")
        start.locator(".md-search-result__link").first.wait_for()
        save(start, "search")
        dark = browser.new_page(viewport=SIZE, color_scheme="dark")
        dark.goto((SITE / "reference" / "sampling.html").as_uri())
        save(dark, "reference")
        browser.close()


def save(page: Any, name: str) -> None:
    """Write what a page shows, in 128 colours."""
    page.wait_for_timeout(500)  # until transitions end
    shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    shot.quantize(128).save(HERE / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
