"""All frames of a video are cropped as its container states, and turned as its first frame is."""

from __future__ import annotations

import functools
import io
import os
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from spark_keyframes.errors import DecodeError
from spark_keyframes.video import Frame, make_decoder, open_video
from spark_keyframes.video.header_parts import Crop
from spark_keyframes.video.process import ProcessDecoder
from spark_keyframes.video.view import View

from .boxes import box, element, in_sample_entry, in_track
from .clips import H264, clip, number_in
from .decode_processes import decoder, kill, seen
from .test_frame import first_frame

__all__ = ["decoder"]  # a fixture

CASES = Path(__file__).parents[3] / "shared" / "cases"

# MP4's clean aperture of 64×32 pixels of 96×64, with its centre 4 to the right and 2 down.
CLAP = box(b"clap", struct.pack(">IIIIiIiI", 64, 1, 32, 1, 4, 1, 2, 1))
CROPPED = (slice(18, 50), slice(20, 84))

Pixels = NDArray[np.uint8]


def matroska_crop(top: int, bottom: int, left: int, right: int) -> bytes:
    """Return a second Video element for a track, with a crop."""
    sides = zip(
        (b"\x54\xbb", b"\x54\xaa", b"\x54\xcc", b"\x54\xdd"),
        (top, bottom, left, right),
        strict=True,
    )
    size = element(b"\xb0", b"\x60"), element(b"\xba", b"\x40")
    return element(b"\xe0", *size, *(element(kind, bytes([side])) for kind, side in sides))


@functools.cache
def h264(container: str = "mp4", rotation: int | None = None, codec: str = "libx264") -> bytes:
    options = {"live": "1"} if container == "matroska" else {}
    return clip(
        codec, container, options=H264, frames=30, rotation=rotation, container_options=options
    )


def all_pixels(data: bytes) -> list[Pixels]:
    with open_video(io.BytesIO(data)) as video:
        return [frame.to_rgb() for frame in video.candidates(5.0)]


@pytest.mark.parametrize(
    ("data", "cropped"),
    [
        (h264(), in_sample_entry(h264(), CLAP)),
        (h264("mov"), in_sample_entry(h264("mov"), CLAP)),
        (h264("matroska"), in_track(h264("matroska"), matroska_crop(18, 14, 20, 12))),
    ],
    ids=["mp4", "mov", "matroska"],
)
def test_the_crop_that_the_container_states_is_applied(data: bytes, cropped: bytes) -> None:
    with open_video(io.BytesIO(cropped)) as video:
        frames = list(video.candidates(5.0))
    for frame, whole in zip(frames, all_pixels(data), strict=True):
        assert (frame.width, frame.height) == (64, 32)
        rgb = frame.to_rgb()
        np.testing.assert_array_equal(rgb, whole[CROPPED])
        out = np.empty_like(rgb)
        np.testing.assert_array_equal(frame.to_rgb(out=out), rgb)


def test_codecs_of_quicktime_are_cropped_too() -> None:
    data = clip("v210", "mov", pix_fmt="yuv422p10le", frames=3)
    np.testing.assert_array_equal(
        all_pixels(in_sample_entry(data, CLAP))[0], all_pixels(data)[0][CROPPED]
    )


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_frame_is_cropped_before_it_is_turned(rotation: int) -> None:
    """A container states the crop of the frames as they are coded."""
    cropped = all_pixels(in_sample_entry(h264(rotation=rotation), CLAP))
    for whole, rgb in zip(all_pixels(h264()), cropped, strict=True):
        np.testing.assert_array_equal(rgb, np.rot90(whole[CROPPED], rotation // 90))


@pytest.mark.parametrize("decoder", ["process", "thread"])
def test_scored_and_stored_frames_are_cropped_alike(decoder: str) -> None:
    data = in_sample_entry(h264(rotation=90), CLAP)
    expected = all_pixels(data)
    with make_decoder(decoder, 2) as decoders, decoders.open(io.BytesIO(data)) as video:
        scored = {each.frame_id: each.rgb.copy() for each in video.candidates(5.0, hold=False)}
        stored = {each.frame_id: each.rgb.copy() for each in video.frames_by_id(list(scored))}
    for pixels in (scored, stored):
        np.testing.assert_array_equal(list(pixels.values()), expected)


@pytest.mark.parametrize(
    "numbers",
    [
        (0, 1, 32, 1, 0, 1, 0, 1),
        (64, 0, 32, 1, 0, 1, 0, 1),
        (200, 1, 32, 1, 0, 1, 0, 1),
        (64, 1, 32, 1, 40, 1, 0, 1),
        (96, 1, 64, 1, 0, 1, 0, 1),
    ],
)
def test_a_crop_that_cannot_be_is_left_out(numbers: tuple[int, ...]) -> None:
    data = in_sample_entry(h264(), box(b"clap", struct.pack(">IIIIiIiI", *numbers)))
    assert all_pixels(data)[0].shape == (64, 96, 3)
    assert all_pixels(in_sample_entry(h264(), box(b"clap", b"\0\0")))[0].shape == (64, 96, 3)


def test_a_crop_of_the_whole_frame_is_left_out() -> None:
    picture = av.VideoFrame(96, 64, "yuv420p")
    for crop in (Crop(32, 32, 0, 0), Crop(0, 0, 100, 0)):
        assert View(crop).size(picture) == (96, 64)


@pytest.mark.skipif(not CASES.is_dir(), reason="needs ../shared/cases")
def test_files_from_the_field() -> None:
    assert [rgb.shape for rgb in all_pixels((CASES / "crop.mkv").read_bytes())[:1]] == [
        (240, 320, 3)
    ]
    assert [rgb.shape for rgb in all_pixels((CASES / "stereo_spatial.mp4").read_bytes())[:1]] == [
        (120, 160, 3)
    ]


# H.264's message that a frame must be turned by 90 degrees, counterclockwise.
TURN = b"\0\0\0\1" + bytes.fromhex("062f0308001480")


def with_data(packet: av.Packet, data: bytes) -> av.Packet:
    new = av.Packet(data)
    new.stream, new.time_base = packet.stream, packet.time_base
    new.pts, new.dts, new.is_keyframe = packet.pts, packet.dts, packet.is_keyframe
    return new


@functools.cache
def turning(container: str, keyframe: int) -> bytes:
    """Return a clip of two GOPs; one of its two keyframes states a quarter turn, no other frame."""

    def turn(packets: list[av.Packet]) -> list[av.Packet]:
        at = [n for n, packet in enumerate(packets) if packet.is_keyframe][keyframe]
        packets[at] = with_data(packets[at], TURN + bytes(packets[at]))
        return packets

    return clip("libx264", container, options=H264, frames=60, gop=30, packet_filter=turn)


@pytest.mark.parametrize(
    "container",
    ["mp4", "h264", *(pytest.param(each, marks=pytest.mark.slow) for each in ("mpegts", "avi"))],
)
@pytest.mark.parametrize("keyframe", [0, 1])
@pytest.mark.parametrize("threads", [1, 2])
def test_the_orientation_is_that_of_the_first_frame(
    container: str, keyframe: int, threads: int
) -> None:
    data = turning(container, keyframe)
    is_upright = keyframe == 1
    with av.open(io.BytesIO(data)) as plain:
        stated = {frame.rotation for frame in plain.decode(video=0)}
    assert len(stated) == 2, "the frames of the clip state two orientations"
    size = (96, 64) if is_upright else (64, 96)
    with open_video(io.BytesIO(data), threads=threads) as video:
        for frame in [*video.candidates(25.0), *video.frames([0, 31, 59])]:
            assert (frame.width, frame.height) == size
            rgb = frame.to_rgb()
            assert number_in(rgb if is_upright else np.rot90(rgb, -1)) == frame.frame_id
    # Frames that are asked for first.
    with open_video(io.BytesIO(data), threads=threads) as video:
        assert [(frame.width, frame.height) for frame in video.frames([45, 3])] == [size] * 2


def test_another_process_keeps_the_orientation(decoder: ProcessDecoder) -> None:
    """The second process decodes no candidate, so it does not come across the first frame."""
    with decoder.open(io.BytesIO(turning("mp4", 0))) as video:
        expected = [seen(picture) for picture in video.candidates(5.0, hold=False)]
        kill(video)
        again = [seen(picture) for picture in video.frames_by_id([40, 45])]
    assert again == expected[8:10]


def with_exif(orientation: int) -> bytes:
    """Return an MJPEG clip whose pictures have Exif data, as those of cameras do."""
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    exif = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 1) + entry + bytes(4)
    segment = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif

    def add(packets: list[av.Packet]) -> list[av.Packet]:
        return [with_data(each, bytes(each)[:2] + segment + bytes(each)[2:]) for each in packets]

    return clip("mjpeg", "avi", pix_fmt="yuvj420p", frames=5, packet_filter=add)


@pytest.mark.parametrize(("orientation", "size"), [(1, (96, 64)), (3, (96, 64)), (6, (64, 96))])
def test_side_data_that_pyav_does_not_know_breaks_no_frame(
    orientation: int, size: tuple[int, int]
) -> None:
    frame = first_frame(with_exif(orientation))
    assert (frame.width, frame.height) == size
    assert frame.to_rgb().shape == (size[1], size[0], 3)


@pytest.mark.parametrize("height", [480, 720])
@pytest.mark.parametrize("tag", [3, 18, 99, 255])
def test_an_unknown_colour_matrix_is_that_of_an_untagged_video(height: int, tag: int) -> None:
    shown = []
    for each in (2, tag):
        picture = av.VideoFrame.from_ndarray(
            np.full((height, 64, 3), (220, 30, 40), dtype=np.uint8), format="rgb24"
        ).reformat(format="yuv420p")
        picture.colorspace = each
        shown.append(Frame(0, 0.0, picture).to_rgb())
    np.testing.assert_allclose(shown[1].astype(int), shown[0], atol=1)


@pytest.mark.parametrize("tag", [8, 14, 16])
def test_a_colour_matrix_that_cannot_be_converted_is_named(tag: int) -> None:
    picture = av.VideoFrame(64, 48, "yuv420p")
    picture.colorspace = tag
    with pytest.raises(DecodeError, match=rf"colour matrix {tag}\) to RGB: .*; convert the video"):
        Frame(0, 0.0, picture).to_rgb()


def test_a_reserved_colour_matrix_in_a_file_breaks_no_row() -> None:
    def tag(stream: av.VideoStream) -> None:
        stream.codec_context.colorspace = 3

    os.environ["SVT_LOG"] = "0"  # the encoder would write to stderr
    options = {"preset": "12", "svtav1-params": "lp=1"}
    data = clip("libsvtav1", "mp4", options=options, frames=2, setup=tag)
    with av.open(io.BytesIO(data)) as container:
        assert next(container.decode(video=0)).colorspace == 3
    assert number_in(first_frame(data).to_rgb()) == 0


def test_unknown_dispositions_break_no_row() -> None:
    """PyAV takes every bit."""
    assert av.stream.Disposition(1 << 30 | 1) & av.stream.Disposition.default


def test_times_of_cropped_frames_stay() -> None:
    with open_video(io.BytesIO(in_sample_entry(h264(), CLAP))) as video:
        times = [Fraction(frame.timestamp).limit_denominator(100) for frame in video.candidates(5)]
    assert times == [Fraction(k, 5) for k in range(6)]
