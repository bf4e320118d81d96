"""A contact sheet shows the frames in order, their times, and the score curve."""

import re

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from spark_keyframes.images import Bar, SheetFrame, contact_sheet
from spark_keyframes.images import sheet as sheet_module
from spark_keyframes.images import text as text_module
from spark_keyframes.images.bars import draw_bars
from spark_keyframes.images.curve import Curve, axes_for, draw_curve
from spark_keyframes.images.sheet import WIDTH
from spark_keyframes.images.text import (
    ACCENT,
    INK,
    LINE,
    PAPER,
    SHADE,
    draw_text,
    format_score,
    format_time,
    text_width,
)

COLOURS = [(200, 30, 30), (30, 160, 30), (30, 30, 200), (200, 160, 0), (160, 0, 160)]


def frame(index: int, *, height: int = 180, width: int = 320, score: float = 0.25) -> SheetFrame:
    rgb = np.full((height, width, 3), COLOURS[index % len(COLOURS)], np.uint8)
    return SheetFrame(rgb=rgb, frame_id=index * 25, timestamp=float(index), score=score)


def sheet(count: int, *, candidates: int = 100, **size: int) -> np.ndarray:
    times = [float(t) for t in range(candidates)]
    scores = [0.2 + 0.1 * (t % 7) / 7 for t in range(candidates)]
    picture = contact_sheet(
        [frame(i, score=scores[i], **size) for i in range(count)],
        curve_times=times,
        curve_scores=scores,
        text="spoon",
        video="cooking.mp4",
    )
    return np.asarray(picture)


def bounds_of(picture: np.ndarray, colour: tuple[int, int, int]) -> tuple[slice, slice]:
    """Return the rows and columns that hold pixels of exactly this colour."""
    rows, columns = np.nonzero(np.all(picture == colour, axis=2))
    assert len(rows), f"nothing of colour {colour}"
    return slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)


def test_frames_are_in_order_and_keep_their_aspect_ratio():
    picture = sheet(4)
    places = [bounds_of(picture, colour) for colour in COLOURS[:4]]
    assert [left.start for _, left in places] == sorted(left.start for _, left in places)
    for rows, columns in places:
        height, width = rows.stop - rows.start, columns.stop - columns.start
        assert width / height == pytest.approx(320 / 180, rel=0.02)
        assert np.all(picture[rows, columns] == picture[rows.start, columns.start])


@pytest.mark.parametrize("count", [1, 2, 3, 5, 7, 16, 33, 64])
@pytest.mark.parametrize(("height", "width"), [(180, 320), (320, 180), (100, 1000), (40, 40)])
def test_any_number_of_frames_of_any_shape_fits(count, height, width):
    picture = sheet(count, height=height, width=width)
    assert picture.shape[1] == WIDTH
    assert picture.shape[0] < 3500
    for edge in (picture[:20], picture[-8:], picture[:, :30], picture[:, -30:]):
        assert np.all(edge == PAPER)
    for colour in COLOURS[: min(count, 5)]:
        bounds_of(picture, colour)


def test_frames_of_different_shapes_do_not_overlap():
    frames = [frame(0), frame(1, height=320, width=180), frame(2, height=20, width=320)]
    picture = np.asarray(
        contact_sheet(frames, curve_times=[0, 1, 2], curve_scores=[1, 2, 3], text="", video="")
    )
    places = [bounds_of(picture, colour)[1] for colour in COLOURS[:3]]
    assert places[0].stop < places[1].start
    assert places[1].stop < places[2].start


def curve_picture(curve: Curve):
    axes = axes_for(curve, 1100, 300)
    return axes, np.asarray(draw_curve(curve, axes))


def near(picture: np.ndarray, x: float, y: float) -> tuple[int, int, int]:
    return tuple(int(value) for value in picture[round(y), round(x)])


def test_a_dot_marks_each_selected_frame_on_the_curve():
    times = [float(t) for t in range(60)]
    scores = [0.25 + 0.05 * np.sin(t / 9) for t in times]
    marks = [(times[i], scores[i]) for i in (0, 14, 40, 59)]
    axes, picture = curve_picture(Curve(times, scores, marks, spans=[]))
    for time, score in marks:
        x, y = axes.x(time), axes.y(score)
        assert near(picture, x, y) == ACCENT
        assert near(picture, x, y - 3) == ACCENT
        assert near(picture, x, y - 9) != ACCENT  # above it: the dot ends
        assert near(picture, x, (y + axes.y(axes.low)) / 2) != PAPER  # below it: a line
    assert near(picture, axes.x(30), axes.y(scores[30])) not in (ACCENT, PAPER)  # not selected


def test_higher_scores_are_higher_and_later_times_further_right():
    axes, _ = curve_picture(Curve([0, 1, 2], [0.1, 0.2, 0.3], [], []))
    assert axes.y(0.3) < axes.y(0.2) < axes.y(0.1)
    assert axes.x(0) < axes.x(1) < axes.x(2)


def test_spans_are_shaded_and_clipped_at_the_axes():
    curve = Curve([0, 100], [0.2, 0.2], [], spans=[(-50, 10), (40, 60), (200, 300)])
    axes, picture = curve_picture(curve)
    y = (axes.y(axes.high) + axes.y(0.2)) / 2 + 3  # between the grid lines
    shaded = [t for t in range(1, 100) if near(picture, axes.x(t), y) == SHADE]
    assert shaded == pytest.approx([*range(1, 10), *range(41, 60)], abs=1)
    assert np.any(np.all(picture[:30] == SHADE, axis=2))  # the legend explains it


def test_without_spans_nothing_is_shaded():
    _, picture = curve_picture(Curve([0, 100], [0.2, 0.3], [(0, 0.2)], []))
    assert not np.any(np.all(picture == SHADE, axis=2))


def test_bars_show_each_part_at_its_time_and_those_of_it_below():
    axes = axes_for(Curve([0, 100], [0.2, 0.3], [], []), 1100, 300)
    bars = [
        Bar(0, 100, 0, 3, divided=True),
        Bar(0, 50, 1, 3, divided=False),
        Bar(50, 99.999, 1, 0, divided=False),
        Bar(99.999, 100, 2, 1, divided=False),  # narrower than its number
    ]
    picture = np.asarray(draw_bars(bars, axes))
    rows = [bounds_of(picture[:, : int(axes.x(40))], colour)[0] for colour in (LINE, ACCENT)]
    assert rows[0].stop <= rows[1].start
    for time in (1, 25, 49):
        assert near(picture, axes.x(time), rows[0].start + 2) == LINE
        assert near(picture, axes.x(time), rows[1].start + 2) == ACCENT
    assert near(picture, axes.x(51), rows[1].start + 2) == PAPER, "it gives no keyframe"
    assert near(picture, axes.x(25), rows[1].stop + 2) == PAPER, "it has no parts"
    narrow = picture[rows[1].stop + 3 :]
    assert bounds_of(narrow, ACCENT)[1].stop - bounds_of(narrow, ACCENT)[1].start <= 3


def test_bars_make_the_sheet_higher_and_change_nothing_else():
    given = {"curve_times": [0, 9], "curve_scores": [0.1, 0.2], "text": "", "video": ""}
    plain = np.asarray(contact_sheet([frame(0)], **given))
    bars = [Bar(0, 9, row, 2 - row, divided=not row) for row in range(2)]
    explained = np.asarray(contact_sheet([frame(0)], bars=bars, **given))
    assert np.array_equal(explained[: len(plain) - 24], plain[:-24])
    assert len(explained) > len(plain)
    assert np.all(explained[-8:] == PAPER)
    bounds_of(explained[len(plain) :], ACCENT)


@pytest.mark.parametrize("scores", [[0.25], [0.25] * 50, [0.0] * 50, [-0.3] * 2])
def test_a_single_or_constant_score_is_drawn_in_the_middle(scores):
    times = [float(t) for t in range(len(scores))]
    axes, picture = curve_picture(Curve(times, scores, [(0.0, scores[0])], []))
    assert near(picture, axes.x(0), axes.y(scores[0])) == ACCENT
    assert axes.y(axes.high) < axes.y(scores[0]) < axes.y(axes.low)


def test_the_same_input_gives_the_same_picture():
    assert np.array_equal(sheet(5), sheet(5))


def test_long_titles_are_cut_at_the_margin():
    picture = contact_sheet(
        [frame(0)],
        curve_times=[0],
        curve_scores=[0],
        text="勺子 spoon\n" * 50,
        video="cooking.mp4",
        subtitle="s" * 999,
    )
    assert np.all(np.asarray(picture)[:, -38:] == PAPER)


@pytest.mark.parametrize(
    ("text", "video", "shown"),
    [
        ("spoon", "cooking.mp4", "“spoon” in cooking.mp4"),
        ("a spoon " * 100, "cooking.mp4", r"“a spoon a .*…” in cooking\.mp4"),
        ("spoon", "cooking " * 100 + "1.mp4", r"“spoon” in ….*cooking 1\.mp4"),
        ("a spoon " * 10_000, "cooking " * 10_000 + "1.mp4", r"“a spoon .*…” in ….* 1\.mp4"),
        ("", "", "“” in "),
    ],
)
def test_a_long_text_is_cut_so_that_the_name_of_the_video_stays(text, video, shown):
    title = sheet_module._title(text, video, 1120)
    assert re.fullmatch(shown, title)
    assert text_width(title, 32) <= 1120 + 1


@pytest.mark.parametrize(
    "text", ["勺子，一把", "ложка", "cuillère", "κουτάλι", "スプーン", "−0.3 €"]
)
def test_the_package_has_fonts_for_what_is_common(text, monkeypatch, caplog):
    """Pillow's own font draws the same box for each of these characters."""
    without_fonts_of_the_system(monkeypatch)
    characters = set(text) - {" "}
    assert len({drawn_text(each).tobytes() for each in characters}) == len(characters)
    assert not caplog.records


def test_what_no_font_has_is_said_once(monkeypatch, caplog):
    without_fonts_of_the_system(monkeypatch)
    for _ in range(2):
        drawn_text("숟가락 숟")
    assert [record.args[1] for record in caplog.records] == [0xC21F, 0xAC00, 0xB77D]


def without_fonts_of_the_system(monkeypatch):
    monkeypatch.setattr(text_module, "_SYSTEM", ())
    text_module._font_of.cache_clear()


@pytest.mark.parametrize("anchor", ["ls", "rs", "rm", "mt", "mb", "lm"])
def test_anchors_are_those_of_pillow(anchor):
    theirs = Image.new("RGB", (200, 60), PAPER)
    font = ImageFont.load_default(16)
    ImageDraw.Draw(theirs).text((100, 30), "0.123", fill=INK, font=font, anchor=anchor)
    ours = Image.new("RGB", (200, 60), PAPER)
    draw_text(ImageDraw.Draw(ours), (100, 30), "0.123", 16, anchor=anchor)
    places = (bounds_of(np.asarray(picture), INK) for picture in (ours, theirs))
    for mine, other in zip(*places, strict=True):
        assert abs(mine.start - other.start) <= 1


def test_a_negative_score_has_a_minus_sign():
    assert format_score(-0.12345) == "−0.123"
    assert format_score(0.5, 1) == "0.5"


def drawn_text(text: str) -> np.ndarray:
    picture = Image.new("RGB", (200, 60), PAPER)
    draw_text(ImageDraw.Draw(picture), (20, 40), text, 32)
    return np.asarray(picture)


@pytest.mark.parametrize(
    ("seconds", "tenths", "shown"),
    [
        (0, True, "0:00.0"),
        (12.34, True, "0:12.3"),
        (59.96, True, "1:00.0"),
        (754.5, True, "12:34.5"),
        (3600, True, "1:00:00.0"),
        (90, False, "1:30"),
        (-0.5, True, "−0:00.5"),
    ],
)
def test_times_are_shown_as_minutes_and_seconds(seconds, tenths, shown):
    assert format_time(seconds, tenths=tenths) == shown


def test_missing_frames_or_scores_are_refused():
    with pytest.raises(ValueError, match="at least one keyframe"):
        contact_sheet([], curve_times=[0], curve_scores=[0], text="", video="")
    with pytest.raises(ValueError, match="got 2 and 1"):
        contact_sheet([frame(0)], curve_times=[0, 1], curve_scores=[0], text="", video="")
    with pytest.raises(ValueError, match="got 0 and 0"):
        contact_sheet([frame(0)], curve_times=[], curve_scores=[], text="", video="")
