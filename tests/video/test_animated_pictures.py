"""Animated pictures are videos where FFmpeg can decode them; others are named in the error."""

from __future__ import annotations

import io
import os
from fractions import Fraction

import pytest

from spark_keyframes.errors import NotAVideoError
from spark_keyframes.video import open_video

from .clips import clip, number_in

# Pictures stay for 1, 2 and 5 units in turn.
PTS = [8 * (k // 3) + (0, 1, 3)[k % 3] for k in range(12)]
SVT = {"preset": "12", "svtav1-params": "lp=1"}


def animation(codec: str, container: str, pix_fmt: str, frames: int = 12) -> bytes:
    os.environ["SVT_LOG"] = "0"  # the encoder would write to stderr
    return clip(
        codec,
        container,
        pix_fmt=pix_fmt,
        frames=frames,
        pts=PTS,
        time_base=Fraction(1, 20),
        rate=20,
        options=SVT if codec == "libsvtav1" else {},
    )


@pytest.mark.parametrize(
    ("codec", "container", "pix_fmt"),
    [("gif", "gif", "rgb8"), ("apng", "apng", "rgb24"), ("libsvtav1", "avif", "yuv420p")],
)
def test_animations_have_frames_with_ids_and_times(
    codec: str, container: str, pix_fmt: str
) -> None:
    with open_video(io.BytesIO(animation(codec, container, pix_fmt))) as video:
        frames = list(video.candidates(20.0))
        once_a_second = [frame.frame_id for frame in video.candidates(1.0)]
    assert [frame.frame_id for frame in frames] == list(range(12))
    assert [number_in(frame.to_rgb()) for frame in frames] == list(range(12))
    assert [frame.timestamp for frame in frames] == pytest.approx([pts / 20 for pts in PTS])
    assert once_a_second == [0, 8], "frame 8 is on screen from 0.95 to 1.2 s"


def test_a_still_avif_has_one_frame() -> None:
    with open_video(io.BytesIO(animation("libsvtav1", "avif", "yuv420p", frames=1))) as video:
        assert [frame.frame_id for frame in video.candidates(1.0)] == [0]


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (
            animation("libwebp_anim", "webp", "yuv420p"),
            "^not a video but an animated WebP picture, .* cannot decode; convert it to MP4",
        ),
        (animation("libwebp", "webp", "yuv420p", frames=1), "^not a video but a WebP picture$"),
        (animation("png", "image2pipe", "rgb24", frames=1), "^not a video but a PNG picture$"),
        (
            b"\xff\x0a" + bytes(100),
            "^not a video but a JPEG XL picture or animation, .* cannot decode; .* djxl in.jxl",
        ),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(100), "^not a video but a JPEG XL picture"),
        (b"RIFF\x0c\0\0\0WEBPVP8X", "not in an allowed video format"),
    ],
    ids=["animated webp", "webp", "png", "jpeg xl", "jpeg xl container", "cut webp"],
)
def test_the_error_names_pictures_that_cannot_be_decoded(data: bytes, match: str) -> None:
    with pytest.raises(NotAVideoError, match=match):
        open_video(io.BytesIO(data))
