"""The score curve as SVG."""

import math
import re
from xml.etree import ElementTree

import pytest

from spark_keyframes.html import Curve, Picture, curve_svg
from spark_keyframes.html.chart import chart_of
from spark_keyframes.selection import Part
from tests.html.own_cards import HOSTILE, card

SVG = "{http://www.w3.org/2000/svg}"


def parsed(curve, pictures=(), root=None):
    return ElementTree.fromstring(curve_svg(curve, pictures, root))


def texts(svg):
    return ["".join(each.itertext()) for each in svg.iter(f"{SVG}text")]


def test_the_picture_has_a_name_a_description_axes_and_marks():
    svg = parsed(card().curve, card().pictures)
    assert svg.get("role") == "img"
    assert svg.find(f"{SVG}title").text == "Score curve of 6 candidates"
    described = svg.find(f"{SVG}desc").text
    assert described.startswith("Scores from 0.100 to 0.600, from 0:00.0 to 0:05.0. 2 keyframes: ")
    assert {"0:00", "0:01", "0.2", "0.6"} <= set(texts(svg))
    marks = [each for each in svg.iter(f"{SVG}g") if each.get("class") == "kf-mark"]
    tips = [mark.find(f"{SVG}title").text for mark in marks]
    assert tips == ["0:01.0, score 0.500, frame 25", "0:04.0, score 0.600, frame 100"]
    assert [mark.find(f"{SVG}circle").get("cx") for mark in marks] == ["20%", "80%"]


def test_a_keyframe_is_marked_on_the_curve_also_where_its_score_is_of_another_model():
    curve = card().curve
    own = Picture(frame_id=25, seconds=1.0, score=0.5)
    other = Picture(frame_id=25, seconds=1.0, score=0.97)
    (first,), (second,) = (chart_of(curve, [each]).marks for each in (own, other))
    assert (first.x, first.y) == (second.x, second.y)
    assert "0.970" in second.tip


def test_ten_thousand_candidates_are_few_points_with_the_peak():
    scores = [0.2] * 10_000
    scores[4321] = 0.9
    curve = Curve(seconds=[float(at) for at in range(10_000)], scores=scores)
    chart = chart_of(curve, ())
    assert chart.points < 1500
    assert len(curve_svg(curve, ())) < 30_000
    points = re.findall(r"(\d+\.?\d*) (\d+)", chart.path)
    (peak,) = [x for x, y in points if int(y) < 500]
    assert float(peak) == pytest.approx(432.1, abs=0.1)


def test_scores_that_are_not_numbers_are_gaps():
    nan = math.nan
    curve = Curve(seconds=list(range(6)), scores=[0.1, 0.2, nan, 0.3, math.inf, 0.4])
    chart = chart_of(curve, [Picture(frame_id=50, seconds=2.0, score=nan)])
    assert chart.left_out == 2
    assert chart.path.count("M") == 1
    assert [dot.x for dot in chart.dots] == ["60%", "100%"]
    assert chart.marks[0].y == "150.0"  # on the axis of the time
    assert "not a number (nan)" in chart.marks[0].tip
    assert "nan" not in curve_svg(curve, ()).lower()


@pytest.mark.parametrize("scores", [[], [math.nan], [math.inf, -math.inf]])
def test_there_is_no_picture_without_a_score(scores):
    assert curve_svg(Curve(seconds=[0.0] * len(scores), scores=scores), ()) == ""


@pytest.mark.parametrize("scores", [[0.2], [0.2, 0.2], [0.0, 0.0], [-1e9, 1e9], [1e-9, 2e-9]])
def test_single_equal_and_huge_scores_have_axes(scores):
    svg = parsed(Curve(seconds=[float(at) for at in range(len(scores))], scores=scores))
    assert len(texts(svg)) >= 3


def test_times_without_a_score_each_are_refused():
    with pytest.raises(ValueError, match="got 2 times and 1 score"):
        curve_svg(Curve(seconds=[0.0, 1.0], scores=[0.5]), ())


def test_the_parts_of_the_selector_are_bars_under_the_curve():
    left = Part(0, 3, 1, "it has one place", times=(0.0, 2.0))
    right = Part(3, 6, 0, HOSTILE, times=(3.0, 5.0))
    root = Part(0, 6, 1, "halved", top=0.9, mean=0.4, parts=(left, right), times=(0.0, 5.0))
    svg = parsed(card().curve, card().pictures, root)
    bars = [each for each in svg.iter(f"{SVG}g") if each.get("class") == "kf-bar"]
    rects = [bar.find(f"{SVG}rect") for bar in bars]
    shapes = [(rect.get("x"), rect.get("width"), rect.get("fill")) for rect in rects]
    assert shapes == [
        ("0%", "100%", "currentColor"),
        ("0%", "60%", "#0e807a"),
        ("60%", "40%", "currentColor"),
    ]
    tip = bars[0].find(f"{SVG}title").text
    assert tip == "0:00.0 – 0:05.0: 1 keyframe of 6 candidates, top 0.900, mean 0.400: halved"
    assert "<script>" in bars[2].find(f"{SVG}title").text  # as text: the parser found no element
    assert svg.find(f".//{SVG}script") is None
