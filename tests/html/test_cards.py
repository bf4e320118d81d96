"""Videos as HTML."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from spark_keyframes.errors import EncodeError
from spark_keyframes.html import Curve, Picture, cards_html, css, thumbnail, video_html
from tests.html.own_cards import HOSTILE, card, drawn
from tests.html.reading import Page


def test_a_video_has_name_text_pictures_and_curve():
    page = Page(video_html(card()))
    assert "a.mp4 “spoon” · 2 keyframes of 6 candidates" in page.text
    first, second = page.of("img")
    assert first["src"].startswith("data:image/jpeg;base64,")
    assert [first["alt"], second["alt"]] == [
        "Keyframe at 0:01.0, frame 25",
        "Keyframe at 0:04.0, frame 100",
    ]
    assert "0:01.0 0.500 frame 25" in page.text
    assert "Score curve of 6 candidates" in page.text
    assert not page.open  # all elements are closed


def test_names_texts_and_reasons_stay_text():
    picture = Picture(frame_id=0, seconds=0.0, score=0.1, missing=HOSTILE)
    html = video_html(card(title=HOSTILE, text=HOSTILE, pictures=[picture]))
    html += video_html(card(failure=HOSTILE, pictures=()))
    html += video_html(card(note=HOSTILE, pictures=(), title='" onload="alert(1)'))
    page = Page(html)
    assert page.text.count("<script>alert(1)</script> \" ' & \\u202egpj.mp4 next {{ 7 * 7 }}") == 5
    assert not page.of("script")
    assert not [attributes for _, attributes in page.elements if "onload" in attributes]
    assert "\u202e" not in html
    assert "\x00" not in html


def test_a_source_cannot_leave_its_attribute():
    picture = Picture(frame_id=0, source='x" onerror="alert(1)')
    (image,) = Page(video_html(card(pictures=[picture]))).of("img")
    assert image["src"] == 'x" onerror="alert(1)'
    assert "onerror" not in image


def test_what_is_missing_says_why():
    bare = card(pictures=[Picture(frame_id=7, missing="it was removed")], curve=None, text=None)
    assert "No image: it was removed – frame 7" in Page(video_html(bare)).text
    assert "No keyframe was selected." in video_html(card(pictures=()))
    assert "the text is null" in video_html(card(pictures=(), note="the text is null"))
    failed = Page(video_html(card(failure="decode: no frames", pictures=(), curve=None)))
    assert "✗ Failed. decode: no frames" in failed.text
    none = card(curve=Curve(seconds=[0.0], scores=[float("nan")]))
    assert "no candidate has a score that is a number" in video_html(none)


def test_keyframes_without_an_image_are_counted_listed_and_marked():
    extra = Picture(frame_id=50, seconds=2.0, score=0.2)
    page = Page(video_html(card(more=[extra])))
    assert "3 keyframes of 6 candidates" in page.text
    assert "1 keyframe more without an image 0:02.0 0.200 frame 50" in page.text
    assert len(page.of("img")) == 2
    assert len(page.of("circle")) == 3
    alone = Page(video_html(card(pictures=[], more=[extra])))
    assert "1 keyframe without an image" in " ".join(alone.text.split())
    assert "No keyframe was selected" not in alone.text


def test_a_very_long_name_is_cut():
    assert len(video_html(card(title="x" * 10**6, text="y" * 10**6))) < 20_000


def test_words_of_languages_that_need_joiners_keep_them():
    assert "می\u200cخواهم" in video_html(card(text="می\u200cخواهم"))


def test_a_title_may_be_a_heading():
    headings = [each for each in Page(video_html(card(), level=3)).of("div") if "role" in each]
    assert [each["aria-level"] for each in headings] == ["3"]
    assert not [each for each in Page(video_html(card())).of("div") if "role" in each]


def test_several_videos_bring_the_style_once():
    html = cards_html([card(), card(title="b.mp4")])
    assert html.count("<style>") == 1
    assert css() in html
    assert html.index("a.mp4") < html.index("b.mp4")


def opened(url):
    head, _, data = url.partition(",")
    assert head == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


@pytest.mark.parametrize(
    ("size", "small"),
    [
        ((720, 1280), (320, 180)),
        ((1280, 720), (101, 180)),
        ((50, 40), (40, 50)),
        ((10, 9000), (720, 1)),
    ],
)
def test_a_thumbnail_keeps_the_shape_and_is_small(size, small):
    assert opened(thumbnail(drawn(size))).size == small


def test_a_thumbnail_is_made_of_files_too():
    file = io.BytesIO()
    Image.new("RGBA", (400, 400), (255, 0, 0, 255)).save(file, "PNG")
    red = np.asarray(opened(thumbnail(file.getvalue(), height=90)))
    assert red.shape == (90, 90, 3)
    assert red[45, 45].tolist() == pytest.approx([255, 0, 0], abs=3)


NO_IMAGES = [b"", b"no image", b"\xff\xd8\xff", None, 7, {}, np.zeros((2, 2, 9), "u1")]


@pytest.mark.parametrize("image", NO_IMAGES, ids=repr)
def test_what_is_no_image_is_an_error(image):
    with pytest.raises(EncodeError):
        thumbnail(image)


def test_an_image_of_too_many_pixels_is_an_error(monkeypatch):
    file = io.BytesIO()
    Image.new("L", (100, 100)).save(file, "PNG")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(EncodeError, match="decompression bomb"):
        thumbnail(file.getvalue())
