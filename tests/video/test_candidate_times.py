"""The candidates of a video without their pixels: as with them, and nothing is decoded."""

from __future__ import annotations

import io
from itertools import pairwise
from typing import Any

import av
import pytest

from spark_keyframes.limits import Limits
from spark_keyframes.video import needed_packets
from spark_keyframes.video.interface import Decoder, FrameTime
from spark_keyframes.video.process import ProcessDecoder
from spark_keyframes.video.process.answers import Fields, InvalidAnswerError
from spark_keyframes.video.process.expected_times import TIMES_AT_ONCE, ExpectedTimes
from spark_keyframes.video.thread_decoder import ThreadDecoder
from spark_keyframes.video.window import Window

from .clips import H264, SEQUENTIAL, clip, clip_named, number_in
from .decode_processes import decoder, kill

__all__ = ["decoder"]  # a fixture

NAMES = [
    *("h264 mp4", "h264 open GOP ts", "h264 variable rate", "hevc mkv", "vp9 webm", "mpeg2 ps"),
    *("h264 one keyframe", "h264 ts from 10 s", "h264 edit list", "h264 29.97", "h264 fragmented"),
    *("h264 open GOP mp4", "h264 intra refresh", "h264 every frame a keyframe", "av1 mp4"),
]


@pytest.fixture(autouse=True)
def _small_files_are_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needed_packets, "LEAST_BYTES", 0)


def times_of(opened: Decoder, data: bytes, fps: float, window: Window) -> list[FrameTime]:
    with opened.open(io.BytesIO(data), window=window) as video:
        times = list(video.candidate_times(fps))
        video.close()
        assert video.frames_decoded == 0
        return times


def decoded_of(opened: Decoder, data: bytes, fps: float, window: Window) -> list[FrameTime]:
    with opened.open(io.BytesIO(data), window=window) as video:
        return [
            FrameTime(frame.frame_id, frame.timestamp, frame.is_keyframe_packet)
            for frame in video.candidates(fps, hold=False)
        ]


@pytest.mark.parametrize("name", NAMES)
def test_times_are_those_of_the_decoded_frames(name: str) -> None:
    data = clip_named(name)
    opened = ThreadDecoder(2)
    whole = times_of(opened, data, 12.5, Window())
    assert whole == decoded_of(opened, data, 12.5, Window())
    # The first keyframe of "h264 edit list" is not shown.
    assert any(each.is_keyframe_packet for each in whole)
    # Whatever is read of the file, a frame's packet has the same flag.
    for window in (Window(0.0, 1.1), Window(1.1)):
        inside = [each for each in whole if window.start <= each.timestamp < window.end]
        assert decoded_of(opened, data, 12.5, window) == inside


@pytest.mark.parametrize("name", ["h264 mp4", "mpeg2 ps"])
def test_a_process_gives_the_same_times(name: str, decoder: ProcessDecoder) -> None:
    data = clip_named(name)
    assert times_of(decoder, data, 12.5, Window()) == times_of(
        ThreadDecoder(1), data, 12.5, Window()
    )


@pytest.mark.parametrize("name", sorted(SEQUENTIAL))
def test_where_only_decoding_tells_the_frames_are_decoded(name: str) -> None:
    data = SEQUENTIAL[name]()
    with ThreadDecoder(1).open(io.BytesIO(data)) as video:
        times = list(video.candidate_times(4.0))
    assert times == decoded_of(ThreadDecoder(1), data, 4.0, Window())


def test_keyframe_packets_are_those_of_the_container() -> None:
    data = clip("libx264", "mp4", frames=60, gop=24)
    with av.open(io.BytesIO(data)) as container:
        packets = [p for p in container.demux(video=0) if p.pts is not None]
    flags = [p.is_keyframe for p in sorted(packets, key=lambda p: p.pts or 0)]
    times = times_of(ThreadDecoder(1), data, 1000, Window())
    assert [each.is_keyframe_packet for each in times] == flags
    assert [each.frame_id for each in times if each.is_keyframe_packet] == [0, 24, 48]


def test_the_next_process_goes_on_after_a_crash(
    decoder: ProcessDecoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = clip("libx264", "mp4", frames=TIMES_AT_ONCE + 100, size=(32, 32))
    whole = times_of(decoder, data, 1000, Window())
    assert len(whole) == TIMES_AT_ONCE + 100
    with decoder.open(io.BytesIO(data)) as video:
        times = video.candidate_times(1000)
        first = next(times)
        kill(video)  # type: ignore[arg-type]
        assert [first, *times] == whole


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ({}, "no frame_ids"),
        ({"frame_ids": 5}, "is no list"),
        ({"frame_ids": [0] * 2001}, "is no list of up to 2000"),
        ({"frame_ids": [0, 0], "timestamps": [0.0, 0.5]}, "frame_ids 0, which is not 1 to"),
        ({"frame_ids": [0, 100], "timestamps": [0.0, 0.5]}, "frame_ids 100, which is not 1 to 99"),
        ({"frame_ids": [0, 1], "timestamps": [0.5, 0.0]}, "timestamps 0.0, which is not 0.5 to"),
        ({"frame_ids": [0], "timestamps": [9.0]}, "timestamps 9.0"),
        ({"frame_ids": [True], "timestamps": [0.0]}, "frame_ids True"),
        ({"frame_ids": [0], "timestamps": [0.0], "keyframe_packets": [1]}, "keyframe_packets 1"),
        ({"frame_ids": [0, 1], "timestamps": [0.0]}, "different lengths"),
        ({"frame_ids": [], "timestamps": [], "keyframe_packets": []}, "no candidates"),
    ],
)
def test_a_process_that_lies_is_found_out(answer: dict[str, Any], message: str) -> None:
    window = Window() if "no c" in message else Window(0.0, 9.0)
    expected = ExpectedTimes(Limits(max_frames=100), window, least=int(window.is_whole))
    filled = {"timestamps": [0.0], "keyframe_packets": [True, False]} | answer
    if answer.get("keyframe_packets") is None and "lengths" not in message:
        filled["keyframe_packets"] = [False] * len(filled["timestamps"])
    if not answer:
        filled = {}
    with pytest.raises(InvalidAnswerError, match=message):
        expected.parse(Fields(filled))


def test_an_empty_answer_is_the_end() -> None:
    expected = ExpectedTimes(Limits(), Window(0.0, 9.0), least=0)
    nothing: dict[str, Any] = {"frame_ids": [], "timestamps": [], "keyframe_packets": []}
    assert expected.parse(Fields(nothing)).frames == []
    assert expected.complete


def gops_of(opened: Decoder, data: bytes, fps: float, window: Window = Window()) -> list[FrameTime]:
    with opened.open(io.BytesIO(data), window=window) as video:
        times = list(video.gop_times(fps))
        video.close()
        assert video.frames_decoded == 0
        return times


def test_gops_begin_with_the_keyframe_before_their_first_candidate() -> None:
    data = clip("libx264", "mp4", gop=12, options=H264 | {"sc_threshold": "0"})
    gops = gops_of(ThreadDecoder(1), data, 5)
    assert [each.frame_id for each in gops] == list(range(0, 90, 12))
    assert [each.timestamp for each in gops] == [each.frame_id / 25 for each in gops]
    assert all(each.is_keyframe_packet for each in gops)
    # Of one candidate per second, which are 0, 25, 50 and 75.
    assert [each.frame_id for each in gops_of(ThreadDecoder(1), data, 1)] == [0, 24, 48, 72]
    # The first candidate in the window is frame 30, and its GOP begins before the window.
    inside = gops_of(ThreadDecoder(1), data, 5, Window(1.1, 2.0))
    assert [each.frame_id for each in inside] == [24, 36]


@pytest.mark.parametrize("name", NAMES)
def test_no_candidate_lies_before_its_gop(name: str, decoder: ProcessDecoder) -> None:
    data = clip_named(name)
    gops = gops_of(ThreadDecoder(2), data, 12.5)
    assert gops_of(decoder, data, 12.5) == gops
    ids = [each.frame_id for each in gops]
    assert ids == sorted(set(ids))
    candidates = [each.frame_id for each in times_of(ThreadDecoder(2), data, 12.5, Window())]
    assert ids[0] <= candidates[0]
    for start, end in pairwise([*ids, 10**9]):
        assert any(start <= each < end for each in candidates), "a GOP without a candidate"


@pytest.mark.parametrize("name", [*SEQUENTIAL][:3])
def test_where_only_decoding_tells_there_are_no_gops(name: str, decoder: ProcessDecoder) -> None:
    data = clip_named(name)
    assert gops_of(ThreadDecoder(1), data, 5) == gops_of(decoder, data, 5) == []


@pytest.mark.parametrize("kind", ["thread", "process"])
def test_frames_that_are_looked_at_are_those_of_the_ids(kind: str, decoder: ProcessDecoder) -> None:
    data = clip("libx264", "mp4", gop=12)
    opened: Decoder = decoder if kind == "process" else ThreadDecoder(2)
    with opened.open(io.BytesIO(data)) as video:
        for ids in ([60, 61, 80], [0, 12, 24], [3]):
            found = [
                (frame.frame_id, number_in(frame.rgb), frame.timestamp)
                for frame in video.candidates_by_id(ids, hold=True)
            ]
            assert found == [(i, i, i / 25) for i in ids]
        video.release([61])
        assert [number_in(frame.rgb) for frame in video.frames_by_id([3, 60, 61])] == [3, 60, 61]
        video.close()
        assert video.decoded_again == 1, "only the one that is no longer held"


def test_a_new_process_goes_on_with_the_frames_that_are_looked_at(decoder: ProcessDecoder) -> None:
    with decoder.open(io.BytesIO(clip("libx264", "mp4", gop=12))) as video:
        frames = video.candidates_by_id([5, 25, 45, 65, 85], hold=True)
        seen = [next(frames).frame_id]
        kill(video)
        assert [*seen, *(frame.frame_id for frame in frames)] == [5, 25, 45, 65, 85]
