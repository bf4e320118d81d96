"""The page of a report in a real browser."""

import re
import time

import pyarrow as pa
import pytest

from spark_keyframes.report import write_report
from tests.report.result_tables import (
    ACCOUNT,
    CURVE,
    ENCODED,
    account,
    curve,
    failed,
    jpeg,
    video,
    write,
)

HOSTILE = '<script>window.bad=1</script>"><img src=x onerror="window.bad=2">.mp4'
SECRET = "https://user:hunter2@host/a.mp4?X-Tos-Signature=0123456789abcdef&token=hunter3"
CURVE_FIELD = pa.field("curve", CURVE)


def rows():
    def shown(name, score, text="spoon", **more):
        frames = (10, 40)
        images = [jpeg(each) for each in frames]
        scores = [score - 0.1, score]
        more = {"account": account(decode_seconds=2.0, frames_decoded=50, frames_scored=60), **more}
        return video(
            name,
            frames=frames,
            scores=scores,
            text=text,
            keyframes_images=images,
            curve=curve(60),
            **more,
        )

    return [
        shown("clip_10.mp4", 0.5),
        failed("gone.mp4", account=account(open_seconds=0.5)),
        shown("clip_9.mp4", 0.9, "a red car"),
        shown(HOSTILE, 0.7, HOSTILE),
        failed(SECRET, error={"stage": "open", "error": "HttpStatusError", "message": HOSTILE}),
        video("empty.mp4", frames=(), scores=[]),
    ]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    table = write(folder / "table", rows(), ENCODED, ACCOUNT, CURVE_FIELD)
    write_report(table, folder / "report.html")
    return folder / "report.html"


@pytest.fixture
def opened(open_page, path):
    return open_page(path, viewport={"width": 1200, "height": 800})


def names(page):
    """The titles of the videos that are shown, in order."""
    return page.locator(".video:visible .kf-title").all_text_contents()


def focused(page):
    return page.evaluate("document.activeElement.dataset.name || document.activeElement.id")


def test_all_is_shown_and_nothing_is_asked_of_a_network(opened):
    page = opened.page
    assert page.locator("h1").inner_text().endswith("/table")
    tiles = page.locator(".tile").all_inner_texts()
    assert [re.sub(r"\s+", " ", tile) for tile in tiles] == [
        "videos 6",
        "with keyframes 66.7% 4",
        "failed 33.3% 2",
        "keyframes 1.5 per video 6",
        "images stored none was stored 0",
        "minutes of video of 3 videos 3",
    ]
    stages = [row.split() for row in page.locator(".stages tbody tr").all_inner_texts()]
    assert [" ".join(row) for row in stages] == [
        "open 0.5 s 7.7%",
        "decode 6.0 s 92.3% 150 frames, 25 a second",
    ]
    assert opened.image_widths() == [160] * 6
    assert page.locator("svg.kf-curve").count() == 3
    assert len(names(page)) == 6
    opened.check()


def test_names_texts_and_errors_stay_text(opened):
    page = opened.page
    assert names(page)[3] == HOSTILE
    assert f"“{HOSTILE}”" in page.locator(".video").nth(3).inner_text()
    assert page.evaluate("window.bad") is None
    assert page.locator("script").count() == 1
    opened.check()


def test_secrets_of_urls_are_not_in_the_page(path):
    html = path.read_text()
    assert "https://host/a.mp4" in html
    for secret in ("hunter2", "hunter3", "0123456789abcdef"):
        assert secret not in html


def test_the_rules_of_the_page_forbid_everything_else(opened):
    page = opened.page
    page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.bad = 3";
            document.body.append(script);
            const image = document.createElement("img");
            image.src = "http://example.invalid/a.png";
            document.body.append(image);
        }"""
    )
    page.wait_for_timeout(100)
    assert page.evaluate("window.bad") is None
    assert opened.requests == []  # forbidden before it was a request
    assert len(opened.errors) == 2
    assert all("Content Security Policy" in error for error in opened.errors)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 360])
def test_it_is_accessible_and_fits(open_page, path, scheme, width):
    opened = open_page(path, color_scheme=scheme, viewport={"width": width, "height": 800})
    sizes = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    assert len(set(opened.page.evaluate(sizes))) == 1  # nothing is beyond the right edge
    assert opened.faults() == []
    opened.page.evaluate("document.getElementById('keys').showModal()")
    assert opened.faults() == []
    opened.check()


def test_words_filter_names_texts_and_errors(opened):
    page = opened.page
    cases = {
        "CLIP": ["clip_10.mp4", "clip_9.mp4"],
        "car clip": ["clip_9.mp4"],
        "sourcenotfound": ["gone.mp4"],
        "no such": [],
    }
    for words, expected in cases.items():
        page.fill("#filter", words)
        assert names(page) == expected
        assert page.inner_text("#count") == f"{len(expected)} of 6"
        assert page.locator("#none").is_visible() == (not expected)
    page.click("#clear")
    assert len(names(page)) == 6


def test_the_slider_filters_by_the_best_score(opened):
    page = opened.page
    page.focus("#least")
    for _ in range(50):
        page.keyboard.press("ArrowRight")
    assert page.inner_text("#least-shown") == "0.700"
    assert names(page) == ["clip_9.mp4", HOSTILE]
    page.keyboard.press("Home")
    assert len(names(page)) == 6


def test_failed_videos_may_be_left_out_or_alone(opened):
    page = opened.page
    page.select_option("#show", "failed")
    assert names(page) == ["gone.mp4", "https://host/a.mp4"]
    page.select_option("#show", "done")
    assert "gone.mp4" not in names(page)
    assert len(names(page)) == 4


def test_a_kind_of_failure_is_found_in_the_gallery(opened):
    page = opened.page
    page.locator("summary", has_text="HttpStatusError").click()
    page.locator("details", has_text="HttpStatusError").locator("button").click()
    assert names(page) == ["https://host/a.mp4"]
    assert focused(page) == "https://host/a.mp4"


def test_videos_are_sorted(opened):
    page = opened.page
    order = names(page)
    page.select_option("#sort", "name")
    assert names(page)[1:4] == ["clip_9.mp4", "clip_10.mp4", "empty.mp4"]  # 9 before 10
    page.select_option("#sort", "best")
    assert names(page)[:3] == ["clip_9.mp4", HOSTILE, "clip_10.mp4"]
    page.select_option("#sort", "failed")
    assert names(page)[:3] == ["gone.mp4", "https://host/a.mp4", "clip_10.mp4"]
    page.select_option("#sort", "order")
    assert names(page) == order


def test_keys_move_between_the_filter_and_the_videos(opened):
    page = opened.page
    page.keyboard.press("/")
    assert focused(page) == "filter"
    page.keyboard.type("clip")
    page.keyboard.press("ArrowDown")
    assert focused(page) == "clip_10.mp4"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")  # the last one
    assert focused(page) == "clip_9.mp4"
    page.keyboard.press("k")
    assert focused(page) == "clip_10.mp4"
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("/")
    page.keyboard.press("Escape")
    assert len(names(page)) == 6
    page.keyboard.type("jk")  # in the filter, they are letters
    assert page.input_value("#filter") == "jk"


def test_keys_open_the_list_of_keys_and_change_the_colours(opened):
    page = opened.page

    def back():
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    light = back()
    page.keyboard.press("t")
    dark = back()
    assert light != dark
    assert page.inner_text("#theme") == "Light"
    page.click("#theme")
    assert back() == light
    page.keyboard.press("?")
    assert page.locator("#keys").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#keys").is_visible()


def test_the_system_chooses_the_colours(open_page, path):
    backs = {
        open_page(path, color_scheme=scheme).page.evaluate(
            "getComputedStyle(document.body).backgroundColor"
        )
        for scheme in ("light", "dark")
    }
    assert len(backs) == 2


def test_without_scripts_all_videos_are_shown_and_no_tools(open_page, path):
    opened = open_page(path, java_script_enabled=False)
    assert opened.page.locator(".video").count() == 6
    assert not opened.page.locator("#tools").is_visible()
    assert not opened.page.locator("#theme").is_visible()


def test_an_empty_table_has_a_page(open_page, tmp_path):
    write_report(write(tmp_path / "t", []), tmp_path / "report.html")
    opened = open_page(tmp_path / "report.html")
    assert "The table has no rows." in opened.page.inner_text("main")
    assert "The table has no account" in opened.page.inner_text("main")
    assert opened.faults() == []
    opened.check()


def test_what_is_left_out_is_said(open_page, tmp_path):
    table = write(tmp_path / "t", [video(f"{n}.mp4", frames=(1, 2, 3)) for n in range(4)])
    write_report(table, tmp_path / "report.html", max_videos=3, max_images=3)
    page = open_page(tmp_path / "report.html").page
    assert page.locator(".notes li").all_inner_texts() == [
        "The gallery shows the first 3; 1 video more is in the totals only. "
        "A larger max_videos shows more.",
        "6 keyframes are listed without an image: each video shows its best ones. "
        "A larger max_images shows more.",
        "3 keyframes have no image: the table has none, and none was stored. Sample with "
        "output_tos_dir, or with images in the table; or decode them now with open_videos.",
    ]


def test_reasons_for_missing_images_are_listed_by_kind(open_page, tmp_path):
    gone = [str(tmp_path / f"{n}.jpg") for n in range(2)]
    write_report(write(tmp_path / "t", [video("a.mp4", paths=gone)]), tmp_path / "report.html")
    page = open_page(tmp_path / "report.html").page
    (note,) = page.locator(".notes li").all_inner_texts()
    begin = "2 keyframes without an image: SourceNotFoundError: e.g. no file "
    assert note.startswith(f"{begin}{gone[0]}; check the path")
    assert page.locator(".kf-missing").all_inner_texts()[0].startswith("No image: no file ")


def test_failed_videos_of_another_table_are_in_the_page(open_page, tmp_path):
    table = write(tmp_path / "t", [video("a.mp4")])
    others = write(tmp_path / "failed", [failed("x.mp4"), failed("y.mp4")])
    done = write_report(table, tmp_path / "report.html", failed=others)
    assert (done.videos, done.failed, done.cards) == (3, 2, 3)
    page = open_page(tmp_path / "report.html").page
    assert names(page) == ["a.mp4", "x.mp4", "y.mp4"]
    assert "/failed too." in page.inner_text("main")


@pytest.mark.slow
def test_a_thousand_videos_are_quick(open_page, tmp_path):
    """Bounds that hold on a busy machine; docs/report.md has the seconds of a quiet one."""
    frames = tuple(range(8))
    images = [jpeg(number) for number in frames]
    videos = [video(f"{n}.mp4", frames=frames, keyframes_images=images) for n in range(1000)]
    done = write_report(write(tmp_path / "t", videos, ENCODED), tmp_path / "report.html")
    assert (done.cards, done.images) == (1000, 8000)
    begin = time.monotonic()
    opened = open_page(tmp_path / "report.html")
    assert time.monotonic() - begin < 30
    opened.page.fill("#filter", "999")
    assert names(opened.page) == ["999.mp4"]
    loaded = "[...document.images].filter(each => each.complete && each.naturalWidth).length"
    assert opened.page.evaluate(loaded) < 8000  # those far below wait
    opened.check()
