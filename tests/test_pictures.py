"""The pictures of docs/ are what docs/pictures draws, and what it draws was measured."""

import json
import re
from xml.etree import ElementTree

import pytest

from docs.pictures import choice, packets
from docs.pictures.__main__ import MEASURED, drawn
from docs.pictures.measuring import CASES, curve
from docs.pictures.measuring import packets as measured_packets
from spark_keyframes.selection import AKS
from tests.conftest import REPO

PICTURES = dict(drawn())
KEPT = json.loads(MEASURED.read_text())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Keeps the clip that all cases are encoded from."""
    return tmp_path_factory.mktemp("clips")


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
def test_committed_pictures_are_what_the_script_draws(path):
    assert path.read_text() == PICTURES[path], "run: make pictures"


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
def test_pictures_are_small_and_have_a_dark_face(path):
    text = path.read_text()
    root = ElementTree.fromstring(text)
    assert root.find("{http://www.w3.org/2000/svg}title").text
    assert len(text) < 30_000
    assert "prefers-color-scheme:dark" in text
    # Every colour is one of the style's, so that it changes with the theme.
    assert not re.search(r'(fill|stroke)="(?!none)', text)
    classes = set(re.findall(r"\b[fs]-[a-z]+\b", " ".join(re.findall(r'class="(.*?)"', text))))
    assert all(f".{name}{{" in text for name in classes)


@pytest.mark.parametrize("path", PICTURES, ids=lambda path: path.name)
def test_each_picture_is_on_a_page_with_a_text_for_those_who_cannot_see_it(path):
    pages = "".join(page.read_text() for page in (REPO / "docs").glob("*.md"))
    (said,) = re.findall(rf"!\[([^\]]+)\]\({re.escape(path.name)}\)", pages)
    assert len(said.split()) >= 15


def test_the_page_says_what_the_picture_of_packets_shows():
    page = (REPO / "docs" / "decoding.md").read_text()
    for case in KEPT["packets"]:
        count = packets.decoded(case["states"])
        assert f"{count} of {len(case['states'])}" in page, case["name"]


def test_the_page_says_what_the_selectors_choose():
    """docs/choosing.md: all with a spoon for top, none of them of the second scene."""
    start, end = KEPT["curve"]["spans"][1]
    found = {
        name: choice.trace(KEPT["curve"], selector).keyframes for name, selector in choice.SELECTORS
    }
    fitting = {name: choice.matching(KEPT["curve"], chosen) for name, chosen in found.items()}
    assert fitting == {"aks, t1=0.6": 7, "aks": 7, "top": 8, "bin": 7, "uniform": 2}
    times = KEPT["curve"]["times"]
    assert not [index for index in found["top"] if start <= times[index] < end]
    assert found["aks"] == found["bin"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_packets_are_decoded_as_the_picture_shows(case, folder):
    (kept,) = [each for each in KEPT["packets"] if each["name"] == case["name"]]
    assert measured_packets(folder, **case) == kept


@pytest.mark.slow
def test_the_curve_is_that_of_the_demo_s_video(tmp_path):
    found, kept = curve(tmp_path), KEPT["curve"]
    assert found["scores"] == pytest.approx(kept["scores"], abs=0.01)
    assert {**found, "scores": None} == {**kept, "scores": None}
    again, before = (choice.trace(each, AKS(t1=choice.T1)) for each in (found, kept))
    assert [part.why.partition(",")[0] for part in again.parts] == [
        part.why.partition(",")[0] for part in before.parts
    ]
