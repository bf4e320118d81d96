"""A part of a picture has the same pixels in RGB, however its format and its tags are."""

from __future__ import annotations

import itertools

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from spark_keyframes.video import CentreCrop, Frame
from spark_keyframes.video.centre import Box
from spark_keyframes.video.conversion import converted, converted_part
from spark_keyframes.video.header_parts import Crop
from spark_keyframes.video.view import Matrix, View

from .clips import H264, clip
from .test_frame import first_frame

EXACT = [
    *("yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le"),
    *("yuv420p12le", "yuv422p12le", "yuv444p12le", "yuvj420p", "yuvj422p", "yuvj444p"),
    *("gray", "gray10le", "gray12le"),
]
OTHERS = ["nv12", "yuv411p", "yuv410p", "yuv440p", "gbrp", "yuva420p", "rgb24", "yuyv422", "monob"]
BOXES = [Box(0, 120, 60, 200), Box(40, 90, 0, 250), Box(33, 77, 51, 103), Box(60, 61, 100, 101)]


def noise(height: int = 120, width: int = 250, pixel_format: str = "yuv420p") -> av.VideoFrame:
    rgb = np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(format=pixel_format)


def check(picture: av.VideoFrame, boxes: list[Box] = BOXES) -> None:
    whole = converted(picture)
    for box in boxes:
        part = converted_part(picture, box)
        expected = whole[box.top : box.bottom, box.left : box.right]
        np.testing.assert_array_equal(part, expected, err_msg=f"{picture} {box}")


@pytest.mark.parametrize("pixel_format", EXACT + OTHERS)
def test_a_part_is_that_of_the_whole_picture(pixel_format: str) -> None:
    check(noise(pixel_format=pixel_format))


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv422p", "yuv420p10le", "nv12"])
@pytest.mark.parametrize(("height", "width"), [(121, 250), (120, 251), (121, 251)])
def test_odd_sizes(height: int, width: int, pixel_format: str) -> None:
    check(noise(height, width, pixel_format))


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv444p10le", "yuvj420p"])
def test_the_matrix_and_the_range_stay(pixel_format: str) -> None:
    picture = noise(pixel_format=pixel_format)
    for matrix, colour_range in itertools.product((1, 2, 3, 5, 6, 9, 18), (0, 1, 2)):
        picture.colorspace, picture.color_range = matrix, colour_range
        check(picture, BOXES[:1])


def test_the_matrix_of_an_untagged_picture_is_that_of_its_whole_height() -> None:
    check(noise(720, 64), [Box(200, 500, 0, 64)])


@pytest.mark.parametrize("place", range(6))
def test_chroma_stays_in_its_place(place: int) -> None:
    """Of a picture of 10 bits, swscale interpolates it, from where the stream says that it is."""
    options = {**H264, "x264-params": f"chromaloc={place}"}
    data = clip("libx264", "mp4", options=options, frames=1, size=(250, 120), pix_fmt="yuv420p10le")
    check(first_frame(data)._picture)


@pytest.mark.parametrize("pixel_format", ["yuv420p", "yuv420p10le"])
def test_interlaced_pictures(pixel_format: str) -> None:
    options = {**H264, "x264-params": "interlaced=1"}
    data = clip("libx264", "mp4", options=options, frames=1, size=(250, 120), pix_fmt=pixel_format)
    picture = first_frame(data)._picture
    assert picture.interlaced_frame
    check(picture)


def test_the_next_picture_may_be_another() -> None:
    """What a thread keeps for the next picture is right for that one too."""
    deep = clip("libx264", "mp4", options=H264, frames=1, size=(250, 120), pix_fmt="yuv420p10le")
    pictures = [noise(), noise(pixel_format="yuv422p"), noise(240, 500), first_frame(deep)._picture]
    for first, second in itertools.permutations(pictures, 2):
        check(first, BOXES[:1])
        check(second, BOXES[:2])


def test_a_cut_shares_the_memory_of_its_picture() -> None:
    """It stays right when the picture is gone, and changes nothing of it."""
    picture = noise()
    before = converted(picture).copy()
    part = converted_part(picture, BOXES[0]).copy()
    del picture
    np.testing.assert_array_equal(part, before[0:120, 60:200])


TURNS: list[Matrix | None] = [
    None,
    *((a, 0, 0, d) for a in (-1, 1) for d in (-1, 1)),
    *((0, b, c, 0) for b in (-1, 1) for c in (-1, 1)),
]


@pytest.mark.parametrize("matrix", TURNS)
@pytest.mark.parametrize("crop", [Crop(0, 0, 0, 0), Crop(6, 20, 31, 4), Crop(100, 100, 0, 0)])
@pytest.mark.parametrize(("height", "width"), [(120, 250), (250, 120)])
def test_a_shown_frame_has_its_centre_where_the_whole_one_has_it(
    height: int, width: int, crop: Crop, matrix: Matrix | None
) -> None:
    frame = Frame(0, 0.0, noise(height, width))
    frame.view = View(crop, matrix)
    whole, looks_at = frame.to_rgb(), CentreCrop(32, 24, 2)
    box = looks_at.box(*whole.shape[:2])
    inside = np.s_[box.top : box.bottom, box.left : box.right]
    assert whole[inside].size < whole.size
    out: NDArray[np.uint8] = np.full_like(whole, 7)
    expected = out.copy()
    expected[inside] = whole[inside]
    assert frame.to_rgb(looks_at=looks_at, out=out) is out
    np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(frame.to_rgb(looks_at=looks_at)[inside], whole[inside])
