"""Frames are upright and have the right colours."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from spark_keyframes.video import Frame, open_video

from .clips import H264, clip, clip_named, number_in, picture

BT709, UNSPECIFIED, BT601 = 1, 2, 6
LIMITED, FULL = 1, 2
RED = (220, 30, 40)


def first_frame(data: bytes) -> Frame:
    with open_video(io.BytesIO(data)) as video:
        return next(video.candidates(1.0))


def flat(number: int, width: int, height: int) -> NDArray[np.uint8]:
    return np.full((height, width, 3), RED, dtype=np.uint8)


def red_frame(height: int, *, made_as: int, tagged: int, full_range: bool = False) -> Frame:
    """Return a red frame with the YUV matrix `made_as`, tagged as `tagged`."""
    rgb = av.VideoFrame.from_ndarray(flat(0, 64, height), format="rgb24")
    picture = rgb.reformat(
        format="yuv444p",
        dst_colorspace=1 if made_as == BT709 else 5,
        dst_color_range=FULL if full_range else LIMITED,
        interpolation="ACCURATE_RND",
    )
    picture.colorspace = tagged
    picture.color_range = FULL if full_range else LIMITED
    return Frame(0, 0.0, picture)


@pytest.mark.parametrize(
    ("height", "made_as", "tagged"),
    [
        (720, BT709, UNSPECIFIED),
        (1080, BT709, UNSPECIFIED),
        (718, BT601, UNSPECIFIED),
        (480, BT601, UNSPECIFIED),
        (480, BT709, BT709),
        (1080, BT601, BT601),
        (1080, BT601, 5),
    ],
)
@pytest.mark.parametrize("full_range", [False, True])
def test_colours_follow_the_tags_or_without_tags_the_size(
    height: int, made_as: int, tagged: int, full_range: bool
) -> None:
    frame = red_frame(height, made_as=made_as, tagged=tagged, full_range=full_range)
    np.testing.assert_allclose(frame.to_rgb()[10, 10].astype(int), RED, atol=3)


def test_a_wrong_matrix_changes_the_colours() -> None:
    frame = red_frame(720, made_as=BT601, tagged=UNSPECIFIED)
    assert abs(frame.to_rgb()[10, 10].astype(int) - RED).max() > 8


@pytest.mark.parametrize("lines", [480, 720])
def test_colours_of_an_untagged_video_follow_its_size(lines: int) -> None:
    def prepare(rgb: av.VideoFrame) -> av.VideoFrame:
        picture = rgb.reformat(
            format="yuv420p", dst_colorspace=1 if lines == 720 else 5, dst_color_range=LIMITED
        )
        picture.colorspace, picture.color_range = UNSPECIFIED, LIMITED
        return picture

    data = clip(
        "libx264", "mp4", frames=3, size=(64, lines), options=H264, draw=flat, prepare=prepare
    )
    np.testing.assert_allclose(first_frame(data).to_rgb()[9, 9].astype(int), RED, atol=5)


def test_full_range_yuvj_keeps_black_and_white() -> None:
    def halves(number: int, width: int, height: int) -> NDArray[np.uint8]:
        image = np.zeros((height, width, 3), dtype=np.uint8)
        image[:, width // 2 :] = 255
        return image

    data = clip("mjpeg", "avi", pix_fmt="yuvj420p", frames=2, draw=halves)
    rgb = first_frame(data).to_rgb()
    assert rgb[10, 10].max() <= 3
    assert rgb[10, -10].min() >= 252


def test_ten_bit_video_becomes_eight_bit_rgb() -> None:
    ten = first_frame(clip_named("hevc 10 bit")).to_rgb()
    eight = first_frame(clip_named("hevc mp4")).to_rgb()
    assert ten.dtype == np.uint8
    assert abs(ten.astype(int) - eight).mean() < 6


@pytest.mark.parametrize(
    "name",
    ["h264 mp4", "h264 odd size", "mjpeg odd size", "vp9 webm", "gif", "prores mov", "av1 mp4"],
)
def test_pixels_equal_pyavs_own_conversion(name: str) -> None:
    """For tagged or small video, to_rgb() equals PyAV's own conversion, at any size."""
    data = clip_named(name)
    with av.open(io.BytesIO(data)) as container:
        expected = next(container.decode(video=0)).to_ndarray(format="rgb24")
    frame = first_frame(data)
    rgb = frame.to_rgb()
    assert rgb.shape == (frame.height, frame.width, 3)
    assert rgb.dtype == np.uint8
    assert rgb.flags.c_contiguous
    np.testing.assert_array_equal(rgb, expected)


@pytest.mark.parametrize("angle", [0, 90, 180, 270])
def test_frames_are_upright(angle: int) -> None:
    """A camera held sideways stores rotated frames, and the angle to rotate them back."""
    turns = angle // 90

    def lying(number: int, width: int, height: int) -> NDArray[np.uint8]:
        upright = (height, width) if turns % 2 else (width, height)
        return np.rot90(picture(77, *upright), -turns)

    data = clip(
        "libx264", "mp4", size=(128, 96), options=H264, frames=2, draw=lying, rotation=angle
    )
    frame = first_frame(data)
    assert (frame.width, frame.height) == ((96, 128) if turns % 2 else (128, 96))
    rgb = frame.to_rgb()
    assert rgb.shape == (frame.height, frame.width, 3)
    assert rgb.flags.c_contiguous
    assert number_in(rgb) == 77


def test_mirrored_frames_are_mirrored_back() -> None:
    def mirrored(number: int, width: int, height: int) -> NDArray[np.uint8]:
        return np.ascontiguousarray(picture(77, width, height)[:, ::-1])

    data = clip(
        "libx264",
        "mp4",
        options=H264,
        frames=2,
        draw=mirrored,
        setup=lambda stream: stream.set_display_rotation(0, hflip=True),
    )
    assert number_in(first_frame(data).to_rgb()) == 77


def test_nbytes_is_the_size_of_the_planes() -> None:
    frame = first_frame(clip_named("h264 mp4"))
    assert 96 * 64 * 1.5 <= frame.nbytes <= 96 * 64 * 3
