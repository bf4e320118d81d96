"""A GPU that decodes: by a stand-in which decodes on the CPU, and by the real one, which is absent.

What FFmpeg says where there is no card is real here.
"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import ColorRange, Colorspace, VideoReformatter

from spark_keyframes import video as video_package
from spark_keyframes.errors import AcceleratorError, LimitError
from spark_keyframes.limits import Limits
from spark_keyframes.video import Ahead, RgbFrame, make_decoder
from spark_keyframes.video.card import Card, CardError, as_planar, decode_sample
from spark_keyframes.video.conversion import converted
from spark_keyframes.video.process import ProcessDecoder, process_lender, process_pool
from spark_keyframes.video.thread_decoder import ThreadDecoder

from .clips import clip_named, picture
from .decode_processes import process_of

KINDS = ("h264 mp4", "h264 open GOP ts", "h264 turned", "hevc 10 bit", "vp9 webm", "mpeg4 avi")

StandIn = Callable[..., ProcessDecoder]


def has_card() -> bool:
    try:
        Card(0)
    except AcceleratorError:
        return False
    return True


without_card = pytest.mark.skipif(has_card(), reason="there is a GPU that decodes")


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """Return what makes a decoder with a stand-in for the card."""
    decoders: list[ProcessDecoder] = []

    def make(how: str = "", at: int = 0, *, only_card: bool = True, **options: Any) -> Any:
        monkeypatch.setattr(
            "spark_keyframes.video.process.decode_process._PROGRAM",
            ("-m", "tests.video.card_child", json.dumps([how, at])),
        )
        decoders.append(ProcessDecoder(2, card=0, only_card=only_card, **options))
        return decoders[-1]

    monkeypatch.setattr("spark_keyframes.video.process.process_pool._pool", None)
    yield make
    for decoder in decoders:
        decoder.close()
    for process in process_pool.process_pool()._processes:
        process.end()


def seen(frame: RgbFrame) -> tuple[int, float, bytes, bool]:
    """Return all but the bytes of memory, whose rows are padded in other ways."""
    return frame.frame_id, frame.timestamp, frame.rgb.tobytes(), frame.is_keyframe_packet


def all_of(decoder: ThreadDecoder | ProcessDecoder, data: bytes) -> list[object]:
    with decoder.open(io.BytesIO(data), ahead=Ahead(5.0, hold=True)) as video:
        candidates = [seen(frame) for frame in video.candidates(5.0, hold=True)]
        ids = [candidate[0] for candidate in candidates]
        video.release(ids[::2])
        held = [seen(frame) for frame in video.frames_by_id(ids)]
        again = [seen(frame) for frame in video.frames_by_id([1, 2, 30])]
        return [candidates, held, again, video.candidate_count(5.0), video.duration]


@pytest.mark.parametrize("name", KINDS)
def test_frames_are_those_of_the_cpu(stand_in: StandIn, name: str) -> None:
    data = clip_named(name)
    decoder = stand_in()
    assert all_of(decoder, data) == all_of(ThreadDecoder(2), data)
    cards = {process.card for process in process_pool.process_pool()._processes}
    assert 0 in cards


@pytest.mark.parametrize("at", [0, 1, 7])
@pytest.mark.parametrize("how", ["no codec", "refuse", "exit"])
@pytest.mark.parametrize("at_once", [1, 64])
def test_what_the_card_does_not_decode_goes_to_the_cpu(
    stand_in: StandIn, how: str, at: int, at_once: int
) -> None:
    data = clip_named("h264 mp4")
    decoder = stand_in(how, at)
    decoder.pictures_at_once = at_once
    assert all_of(decoder, data) == all_of(ThreadDecoder(2), data)
    assert decoder._on_card == 0, "its place on the card is free again"


def test_a_card_that_hangs_costs_its_row_the_time_limit(stand_in: StandIn) -> None:
    decoder = stand_in("hang", 3, limits=Limits(max_decode_seconds=1.0))
    with pytest.raises(LimitError, match="max_decode_seconds"):
        all_of(decoder, clip_named("h264 mp4"))
    assert decoder._on_card == 0, "its place on the card is free again"
    cards = {process.card for process in process_pool.process_pool()._processes}
    assert 0 not in cards, "the process that hung is gone"


def test_a_card_that_hangs_at_the_start_is_an_error_of_the_task(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_lender, "_CARD_SECONDS", 1.0)
    with pytest.raises(AcceleratorError, match="did not begin to decode within 1 s"):
        stand_in("hang at the start")
    assert not process_pool.process_pool()._processes, "the process that hung is gone"


def test_a_card_that_refuses_a_video_keeps_its_process(
    stand_in: StandIn, caplog: pytest.LogCaptureFixture
) -> None:
    decoder = stand_in("no codec")
    files = set()
    with caplog.at_level(logging.INFO, logger="spark_keyframes"):
        for _ in range(3):
            all_of(decoder, clip_named("h264 mp4"))
            idle = process_pool.process_pool()._idle
            pid = next(process.pid for process in idle if process.card == 0)
            files.add(len(list(Path(f"/proc/{pid}/fd").iterdir())))
    assert len(files) == 1, "it has closed the videos"
    processes = process_pool.process_pool()._processes
    assert sorted(process.card is None for process in processes) == [False, True]
    said = [record.message for record in caplog.records if "because of the GPU" in record.message]
    assert len(said) == 3
    assert "it does not decode h264" in said[0]


def test_a_video_without_a_timeline_goes_to_the_cpu(stand_in: StandIn) -> None:
    data = clip_named("msmpeg4v3 avi")
    decoder = stand_in()
    with decoder.open(io.BytesIO(data)) as video:
        found = [seen(frame) for frame in video.candidates(5.0, hold=False)]
        assert process_of(video).card is None
    with ThreadDecoder(1) as threads, threads.open(io.BytesIO(data)) as video:
        assert found == [seen(frame) for frame in video.candidates(5.0, hold=False)]


def test_a_card_that_was_there_and_is_not_leaves_its_videos_to_the_cpu(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_lender, "_check_card", lambda card: None)
    decoder = stand_in("no card")
    data = clip_named("h264 mp4")
    assert all_of(decoder, data) == all_of(ThreadDecoder(2), data)


def test_the_card_has_few_videos_at_a_time_and_cpus_the_others(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_lender, "_VIDEOS_PER_CARD", 2)
    decoder = stand_in(only_card=False)
    assert decoder.videos_at_once == 2 + 2
    files = [io.BytesIO(clip_named("h264 mp4")) for _ in range(4)]
    videos = [decoder.open(file) for file in files[:3]]
    assert [process_of(video).card for video in videos] == [0, 0, None]
    videos[0].close()
    with decoder.open(files[3]) as fourth:
        assert process_of(fourth).card == 0
    for video in videos[1:]:
        video.close()
    only = stand_in(only_card=True)
    videos = [only.open(io.BytesIO(clip_named("h264 mp4"))) for _ in range(3)]
    assert [process_of(video).card for video in videos] == [0, 0, 0]
    for video in videos:
        video.close()


def test_only_processes_of_the_cpu_have_a_limit_of_memory(stand_in: StandIn) -> None:
    limits = Limits(max_decode_bytes=300 * 2**20)
    for only_card, limited in ((True, False), (False, True)):
        decoder = stand_in(only_card=only_card, limits=limits)
        decoder._card_videos = 0
        with decoder.open(io.BytesIO(clip_named("h264 mp4"))) as video:
            pid = process_of(video).pid
            with open(f"/proc/{pid}/limits") as file:  # noqa: PTH123
                line = next(line for line in file if line.startswith("Max address space"))
            assert line.split()[3].isdecimal() == limited


@pytest.mark.parametrize("colour_range", [ColorRange.MPEG, ColorRange.JPEG])
@pytest.mark.parametrize("matrix", [Colorspace.ITU709, Colorspace.ITU601, None])
@pytest.mark.parametrize(
    ("size", "planar", "interleaved"),
    [
        ((96, 64), "yuv420p", "nv12"),
        ((98, 66), "yuv420p", "nv12"),
        ((99, 67), "yuv420p", "nv12"),
        ((1280, 720), "yuv420p", "nv12"),
        ((96, 64), "yuv420p10le", "p010le"),
    ],
)
def test_pictures_of_the_card_become_those_of_the_cpu(
    size: tuple[int, int],
    planar: str,
    interleaved: str,
    matrix: Colorspace | None,
    colour_range: ColorRange,
) -> None:
    width, height = size
    if colour_range == ColorRange.JPEG and planar == "yuv420p":
        planar = "yuvj420p"
    decoded = av.VideoFrame.from_ndarray(picture(77, width, height), format="rgb24")
    decoded = decoded.reformat(format=planar)
    decoded.color_range = colour_range
    if matrix is not None:
        decoded.colorspace = matrix
    decoded.pts = 5
    of_card = decoded.reformat(format=interleaved)
    for each in (decoded, of_card):  # as a decoder tags them, whatever the conversion wrote
        each.color_range = colour_range
        if matrix is not None:
            each.colorspace = matrix
    found = as_planar(of_card, VideoReformatter())
    assert found.format.name == planar
    assert found.pts == 5
    assert np.array_equal(converted(found), converted(decoded))


def test_the_sample_that_a_card_is_asked_for_is_a_grey_picture() -> None:
    codec = av.CodecContext.create("h264", "r")
    assert isinstance(codec, VideoCodecContext)
    for _ in range(2):
        decoded = decode_sample(codec)
        assert (decoded.width, decoded.height) == (128, 128)
        assert set(decoded.to_ndarray().flat) == {128}
        codec.flush_buffers()
    empty = av.CodecContext.create("hevc", "r")
    assert isinstance(empty, VideoCodecContext)
    with pytest.raises((RuntimeError, av.error.FFmpegError)):
        decode_sample(empty)


def test_other_formats_are_left_to_the_cpu() -> None:
    decoded = av.VideoFrame.from_ndarray(picture(7, 96, 64), format="rgb24")
    with pytest.raises(CardError, match="pictures in yuv444p"):
        as_planar(decoded.reformat(format="yuv444p"), VideoReformatter())


@without_card
def test_without_a_card_gpu_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(AcceleratorError, match="GPU 0 does not decode videos: .*libnvcuvid.*auto"):
        make_decoder("gpu", 1)


@without_card
def test_without_a_card_auto_is_the_cpu(caplog: pytest.LogCaptureFixture) -> None:
    video_package._warn_of_card.cache_clear()
    for _ in range(2):
        with make_decoder("auto", 1, card=0) as decoder:
            assert decoder.videos_at_once == 1
            found = all_of(decoder, clip_named("h264 mp4"))  # type: ignore[arg-type]
    assert found == all_of(ThreadDecoder(2), clip_named("h264 mp4"))
    warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert len([each for each in warnings if "decoded on CPUs only" in each]) == 1
    with make_decoder("auto", 1) as decoder:
        assert decoder.videos_at_once == 1


@pytest.mark.gpu
@pytest.mark.parametrize("name", KINDS)
def test_a_card_decodes_the_pixels_of_the_cpu(name: str) -> None:
    data = clip_named(name)
    with make_decoder("gpu", 2) as decoder:
        found = all_of(decoder, data)  # type: ignore[arg-type]
    assert found == all_of(ThreadDecoder(2), data)
