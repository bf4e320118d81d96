"""Image URLs are stable, distinct and safe for any file name."""

from pathlib import PurePosixPath
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spark_keyframes.images.keys import image_url, safe_stem

HASH = "0123456789abcdef" * 4


def url(output_dir: str = "tos://bucket/a", stem: str = "cooking", frame_id: int = 12) -> str:
    return image_url(output_dir, stem=stem, identity=HASH, frame_id=frame_id, img_type=".jpg")


def test_the_url_of_a_frame():
    assert url() == "tos://bucket/a/cooking-0123456789abcdef/00000012.jpg"


@pytest.mark.parametrize(
    ("output_dir", "start"),
    [
        ("tos://bucket", "tos://bucket/cooking-"),
        ("tos://bucket///", "tos://bucket/cooking-"),
        ("tos://bucket/a b/勺子/", "tos://bucket/a b/勺子/cooking-"),
        ("out", "out/cooking-"),
        ("./out/", "./out/cooking-"),
        ("/", "/cooking-"),
        ("file:///", "file:///cooking-"),
        ("file:///out/", "file:///out/cooking-"),
        ("tos://bucket/MAX", "tos://bucket/MAX/cooking-"),
    ],
)
def test_any_form_of_output_dir_is_accepted(output_dir, start):
    assert url(output_dir).startswith(start)


@pytest.mark.parametrize(
    ("stem", "safe"),
    [
        ("cooking", "cooking"),
        ("做饭 (第1集)", "做饭_第1集"),
        ("हिन्दी", "हिन्दी"),
        ("e\u0301te\u0301", "\u00e9t\u00e9"),  # decomposed, as in macOS file names
        ("../../etc/passwd", "_._etc_passwd"),
        (".hidden", "hidden"),
        ("a?b#c%41&d", "a_b_c_41_d"),
        ("v1.2-final_cut", "v1.2-final_cut"),
        ("..", "video"),
        ("", "video"),
        ("🎬", "video"),
        ("XMAX", "XMAX"),
        ("." + "a" * 100, "a" * 100),
        ("a" * 101, "a" * 100),
        ("a" * 99 + ".b", "a" * 99),
    ],
)
def test_unsafe_characters_of_a_stem_are_replaced(stem, safe):
    assert safe_stem(stem) == safe


@given(stem=st.text(st.characters(), max_size=300), frame_id=st.integers(0, 10**8 - 1))
def test_any_stem_stays_below_the_folder_and_needs_no_escaping(stem, frame_id):
    found = url(stem=stem, frame_id=frame_id)
    path = PurePosixPath(urlsplit(found).path)
    assert path.parent.parent == PurePosixPath("/a")
    assert not urlsplit(found).query
    assert not urlsplit(found).fragment
    assert len(path.parent.name.encode()) <= 117
    assert not path.parent.name.startswith(".")
    assert ".." not in path.parent.name
    assert path.name == f"{frame_id:08d}.jpg"
    assert all(c.isalnum() or c in "-_." or not c.isascii() for c in path.parent.name)
    assert path.parent.name.isprintable()


@given(stem=st.text(max_size=300))
def test_a_safe_stem_does_not_change(stem):
    assert safe_stem(safe_stem(stem)) == safe_stem(stem)


@given(st.sets(st.integers(0, 10**10), min_size=2, max_size=5))
def test_urls_are_distinct_and_sort_by_frame_id(frame_ids):
    ordered = [url(frame_id=i) for i in sorted(frame_ids)]
    assert len(set(ordered)) == len(ordered)
    below = [name for i, name in zip(sorted(frame_ids), ordered, strict=True) if i < 10**8]
    assert below == sorted(below)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"output_dir": ""}, "output_dir"),
        ({"identity": "../../../../../../../../"}, "identity"),
        ({"identity": "abc"}, "identity"),
        ({"frame_id": -1}, "frame_id"),
    ],
)
def test_invalid_arguments_are_refused(change, message):
    good = {"output_dir": "out", "stem": "a", "identity": HASH, "frame_id": 0, "img_type": ".jpg"}
    values = good | change
    with pytest.raises(ValueError, match=message):
        image_url(values.pop("output_dir"), **values)
