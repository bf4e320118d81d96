"""The part of a picture on which the centre crop of a model depends."""

from __future__ import annotations

import pytest

from spark_keyframes.video import CentreCrop

CLIP = CentreCrop(224, 224, 2)


@pytest.mark.parametrize(
    ("height", "width", "box"),
    [
        # 1920 pixels become 398: the centre is at 87 to 311, and the filter reaches 2 further.
        (1080, 1920, (0, 1080, 409, 1511)),
        (1920, 1080, (409, 1511, 0, 1080)),
        (500, 500, (0, 500, 0, 500)),
        # A small picture becomes larger: the filter reaches 2 pixels of it.
        (64, 96, (0, 64, 13, 83)),
        (1, 1, (0, 1, 0, 1)),
    ],
)
def test_the_box_is_the_centre_and_what_the_filter_reaches(
    height: int, width: int, box: tuple[int, ...]
) -> None:
    assert CLIP.box(height, width) == box


def test_a_smaller_square_needs_less() -> None:
    assert CentreCrop(256, 224, 2).box(256, 256) == (13, 243, 13, 243)


def test_a_longer_filter_needs_more() -> None:
    assert CentreCrop(224, 224, 1).box(1080, 1920).left == 409 + 4
    assert CentreCrop(224, 224, 3).box(1080, 1920).left == 409 - 5


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ((0, 1, 1), "shortest_edge must be a whole number from 1 to 65536, got 0"),
        ((224, 224.0, 1), "side must be a whole number from 1 to 65536, got 224.0"),
        ((224, 256, 2), "side must be at most shortest_edge, got 256 and 224"),
    ],
)
def test_what_cannot_be_is_refused(numbers: tuple[int, int, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CentreCrop(*numbers)
