"""The HTML of a video in a real browser."""

import pytest

from spark_keyframes import Limits, VideoAdaptiveKeyframesSampling
from spark_keyframes.html import Picture, cards_html
from tests.html.own_cards import HOSTILE, card

PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>t</title>
<meta name="viewport" content="width=device-width">
<style>html {{ color-scheme: light dark; }}</style></head><body><main>{}</main></body></html>"""


@pytest.fixture
def page(tmp_path):
    hostile = card(
        title=HOSTILE,
        text=HOSTILE,
        pictures=[*card().pictures, Picture(frame_id=9, seconds=5.0, missing=HOSTILE)],
    )
    failed = card(failure=HOSTILE, pictures=(), curve=None)
    explained = card(explanation="AKS chose 2 of 6 candidates.\n  " + 20 * "a long line ")
    sampler = VideoAdaptiveKeyframesSampling(text=HOSTILE, fps=2, limits=Limits(max_frames=5))
    path = tmp_path / "page.html"
    html = cards_html([explained, hostile, failed]) + sampler._repr_html_()
    path.write_text(PAGE.format(html))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 360])
def test_it_shows_all_and_is_accessible(open_page, page, scheme, width):
    opened = open_page(page, color_scheme=scheme, viewport={"width": width, "height": 800})
    assert opened.image_widths() == [160] * 4
    sizes = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    assert len(set(opened.page.evaluate(sizes))) == 1  # nothing is beyond the right edge
    assert opened.page.locator("svg.kf-curve").count() == 2
    assert "<script>alert(1)</script>" in opened.page.locator(".kf-title").nth(1).inner_text()
    opened.check()
    assert opened.faults() == []
