"""Of several video streams, the one is decoded that FFmpeg takes, or the one that was asked for."""

from __future__ import annotations

import io
import re
from contextlib import closing
from pathlib import Path
from typing import Any

import av
import pytest

from spark_keyframes.errors import (
    DecodeError,
    KeyframesError,
    LimitError,
    NoFramesError,
    NoVideoStreamError,
    ParameterError,
)
from spark_keyframes.limits import Limits
from spark_keyframes.video import candidate_frames, make_decoder, open_video

from .clips import H264, clip, number_in
from .tracks import COVER, DEFAULT, Track, joined, large, small

CASES = Path(__file__).parents[3] / "shared" / "cases"


def shown(data: bytes, video_stream: int | None = None) -> int:
    """Return the number in the first frame of the stream that is decoded."""
    with open_video(io.BytesIO(data), video_stream=video_stream) as video:
        return number_in(next(video.candidates(1.0)).to_rgb())


def of_unknown_codec(data: bytes, number: int) -> bytes:
    """Make the codec of one stream of a Matroska file unknown."""
    at = [found.start() for found in re.finditer(b"V_MPEG4/ISO/AVC", data)][number]
    return data[:at] + b"V_NOBODY/KNOWS." + data[at + 15 :]


@pytest.mark.parametrize("container", ["mp4", "mov", "matroska", "mpegts"])
@pytest.mark.parametrize("is_preview_first", [True, False])
def test_a_preview_is_not_taken_for_the_video(container: str, is_preview_first: bool) -> None:
    tracks = [Track(small()), Track(large(), DEFAULT)]
    data = joined(container, *(tracks if is_preview_first else tracks[::-1]))
    assert shown(data) == 100


def test_the_default_stream_is_taken_before_a_filler() -> None:
    data = joined("matroska", Track(large(1)), Track(large(100), DEFAULT), Track(large(50)))
    assert shown(data) == 100


@pytest.mark.parametrize("container", ["mp4", "matroska"])
@pytest.mark.parametrize("disposition", [0, DEFAULT])
def test_a_stream_without_packets_is_passed_over(container: str, disposition: int) -> None:
    """Even if it is the default one, which FFmpeg itself would take."""
    empty = Track(small(), disposition, is_empty=True)
    assert shown(joined(container, empty, Track(large()))) == 100


@pytest.mark.parametrize("has_video", [True, False])
def test_a_file_with_many_empty_streams_is_opened_few_times(
    has_video: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = [Track(small(), is_empty=True)] * 60
    data = joined("matroska", *empty, Track(small(7)))
    if not has_video:
        data = data[: data.index(b"\x1f\x43\xb6\x75") + 4]  # up to the id of the first cluster
    opened: list[object] = []
    open_it = av.open

    def counted(*arguments: Any, **options: Any) -> object:
        opened.append(arguments)
        return open_it(*arguments, **options)

    monkeypatch.setattr(av, "open", counted)
    if has_video:
        assert shown(data) == 7
    else:
        with pytest.raises(NoFramesError, match="holds no packet"):
            shown(data)
    assert len(opened) <= 3


def test_a_stream_of_an_unknown_codec_is_passed_over() -> None:
    data = joined("matroska", Track(large(1), DEFAULT), Track(small(100)), Track(large(100)))
    with closing(open_video(io.BytesIO(of_unknown_codec(data, 0)))) as video:
        frame = next(video.candidates(1.0))
        assert number_in(frame.to_rgb()) == 100
        assert frame.width == 128, "the larger of the other two"
        assert "0 (unknown codec" in video.stream_choice


def test_a_stream_whose_packets_cannot_be_decoded_is_passed_over() -> None:
    data = bytearray(joined("mp4", Track(small(1), DEFAULT), Track(small(100))))
    with av.open(io.BytesIO(data)) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    for packet in packets:
        assert packet.pos is not None
        data[packet.pos : packet.pos + packet.size] = b"\xa5" * packet.size
    assert shown(bytes(data)) == 100


def test_a_cover_picture_is_never_a_video() -> None:
    cover = clip("mjpeg", "avi", pix_fmt="yuvj420p", frames=1, size=(640, 480))
    data = joined("mp4", Track(small(100)), Track(cover, COVER))
    assert shown(data) == 100
    with pytest.raises(NoVideoStreamError, match="video stream 1 is a picture, .*, a picture"):
        shown(data, 1)


@pytest.mark.parametrize(
    ("codec", "container", "options"),
    [
        ("libx264", "mov", H264),
        ("mpeg2video", "mov", {}),
        ("mpeg2video", "mpegts", {}),
        ("libvpx-vp9", "matroska", {}),
        ("ffv1", "matroska", {}),
        ("wmv2", "asf", {}),
        ("mjpeg", "mov", {}),
    ],
)
def test_a_stream_is_not_passed_over_for_its_size(
    codec: str, container: str, options: dict[str, str]
) -> None:
    """FFmpeg does not say how large the frames are if it may not decode them."""
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    big = clip(codec, container, options=options, size=(640, 480), frames=20, pix_fmt=pixels)
    data = joined(container, Track(big, DEFAULT), Track(small(100)))
    limits = Limits(max_pixels=320 * 240)
    with pytest.raises((LimitError, DecodeError), match="max_pixels"):
        list(open_video(io.BytesIO(data), limits=limits).candidates(1.0))
    with open_video(io.BytesIO(data), limits=limits, video_stream=1) as video:
        assert number_in(next(video.candidates(1.0)).to_rgb()) == 100


def test_the_size_is_in_the_message_if_another_stream_would_be_taken() -> None:
    sizes = [(640, 480), (160, 128)]
    clips = [clip("mpeg2video", "mpegts", size=size, frames=20) for size in sizes]
    data = joined("mpegts", *map(Track, clips))
    with pytest.raises(LimitError, match="too large: 640×480, max_pixels of limits is 76800"):
        open_video(io.BytesIO(data), limits=Limits(max_pixels=320 * 240))
    with open_video(io.BytesIO(data), limits=Limits(max_pixels=640 * 480)) as video:
        assert next(video.candidates(1.0)).width == 640


def test_an_empty_stream_is_passed_over_even_if_it_is_large() -> None:
    big = clip("ffv1", "matroska", size=(640, 480), frames=5)
    data = joined("matroska", Track(big, DEFAULT, is_empty=True), Track(large()))
    assert shown(data) == 100


@pytest.mark.parametrize("decoder", ["process", "thread"])
def test_video_stream_takes_the_stream_of_that_number(decoder: str) -> None:
    data = joined("mp4", Track(small(7)), Track(large(100), DEFAULT), Track(small(33)))
    for number, first in ((0, 7), (1, 100), (2, 33), (None, 100)):
        decoders = make_decoder(decoder, 1, video_stream=number)
        with decoders, decoders.open(io.BytesIO(data)) as video:
            picture = next(video.candidates(1.0, hold=False))
            assert number_in(picture.rgb) == first
            assert bool(video.stream_choice) is (number is None)


@pytest.mark.parametrize("decoder", ["process", "thread"])
def test_the_choice_tells_what_there_was(decoder: str) -> None:
    data = joined("mp4", Track(small()), Track(large(), DEFAULT))
    with make_decoder(decoder, 1) as decoders, decoders.open(io.BytesIO(data)) as video:
        assert video.stream_choice == (
            "video stream 1 was taken of 0 (h264 64×48), 1 (h264 128×96, default); "
            "video_stream sets another"
        )
    with make_decoder(decoder, 1) as decoders, decoders.open(io.BytesIO(small())) as video:
        assert video.stream_choice == ""


@pytest.mark.parametrize("decoder", ["process", "thread"])
def test_a_number_that_is_not_there_lists_the_streams(decoder: str) -> None:
    data = joined("mp4", Track(small()), Track(large(), DEFAULT))
    match = r"no video stream 2; set video_stream to one of 0 \(h264 64×48\), 1 \(h264 128×96, de"
    with (
        make_decoder(decoder, 1, video_stream=2) as decoders,
        pytest.raises(NoVideoStreamError, match=match),
    ):
        decoders.open(io.BytesIO(data))


@pytest.mark.parametrize("number", [-1, True, 1.0, "0"])
def test_what_is_no_number_of_a_stream_is_refused(number: Any) -> None:
    """Python would count -1 from the end, and True is 1."""
    with pytest.raises(ParameterError, match="video_stream must be .*; video streams are numbered"):
        open_video(io.BytesIO(small()), video_stream=number)
    for decoder in ("process", "thread"):
        with pytest.raises(ParameterError, match="video_stream"):
            make_decoder(decoder, 1, video_stream=number)
    with pytest.raises(ParameterError, match="video_stream"):
        candidate_frames(small(), video_stream=number)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (joined("matroska", Track(small(), is_empty=True), Track(large())), NoFramesError),
        (of_unknown_codec(joined("matroska", Track(small()), Track(large())), 0), DecodeError),
    ],
)
def test_no_other_stream_replaces_the_one_that_was_asked_for(
    data: bytes, error: type[KeyframesError]
) -> None:
    with pytest.raises(error, match="empty: it holds no packet|codec is unknown"):
        open_video(io.BytesIO(data), video_stream=0)


def test_the_same_stream_is_read_again() -> None:
    """Frames by id come from the container that is opened a second time."""
    data = joined("matroska", Track(small(), DEFAULT, is_empty=True), Track(large(100)))
    with open_video(io.BytesIO(data), threads=2) as video:
        for frame in [*video.candidates(1.0), *video.frames([3, 70])]:
            assert number_in(frame.to_rgb()) == 100 + frame.frame_id


@pytest.mark.skipif(not CASES.is_dir(), reason="needs ../shared/cases")
@pytest.mark.parametrize("name", ["two.mov", "emptyfirst.mkv"])
def test_files_from_the_field(name: str) -> None:
    with (CASES / name).open("rb") as file, open_video(file) as video:
        frames = list(video.candidates(1.0))
    assert [frame.width for frame in frames] == [320] * 10
