"""Files that store decoding times only: the frames are those of the decoder, in its order.

The same packets in a container with presentation times tell what is right.
"""

from __future__ import annotations

import io
from array import array
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest

from spark_keyframes.video.av_video import AvVideo
from spark_keyframes.video.frame import Frame
from spark_keyframes.video.frame_order import FrameOrder

from .clips import H264, H265, clip
from .reference import Reference, decode_plainly, digest
from .stored_times import (
    NOTHING_CODED,
    as_matroska_of_windows,
    decoding_times_only,
    like,
    packed,
    without_boxes,
)

CASES = Path(__file__).parents[3] / "shared" / "cases"
RATES = (1.0, 100.0)
GAP = [number + 75 * (number >= 50) for number in range(90)]
"""Frames 50 to 124 are missing: 3 s from 2.0 to 5.0 s."""
B_FRAMES = {"bf": "2"}
CODECS = {
    "libx264": H264,
    "libx265": H265,
    "mpeg4": B_FRAMES,
    "mpeg2video": B_FRAMES,
}
both_ways = pytest.mark.parametrize("threads", [1, pytest.param(3, marks=pytest.mark.slow)])


def candidates(data: bytes, fps: float, threads: int = 1) -> list[Frame]:
    with AvVideo(io.BytesIO(data), threads=threads) as video:
        frames = list(video.candidates(fps))
        some = [frame.frame_id for frame in frames[::2]]
        again = [(f.frame_id, f.timestamp, digest(f._picture)) for f in video.frames(some)]
    assert again == [(f.frame_id, f.timestamp, digest(f._picture)) for f in frames[::2]]
    return frames


def assert_equal(data: bytes, right: Reference, threads: int = 1) -> None:
    """Compare candidates at several rates with those of a decode in sequence."""
    assert decode_plainly(data).digests == right.digests, "the clips differ"
    for fps in RATES:
        frames = candidates(data, fps, threads)
        assert [frame.frame_id for frame in frames] == right.candidates(Fraction(fps))
        for frame in frames:
            assert frame.timestamp == pytest.approx(float(right.times[frame.frame_id]))
            assert digest(frame._picture) == right.digests[frame.frame_id], frame


@both_ways
@pytest.mark.parametrize("pts", [None, GAP], ids=["", "gap"])
@pytest.mark.parametrize("codec", CODECS)
def test_an_mp4_without_presentation_times(codec: str, pts: list[int] | None, threads: int) -> None:
    data = clip(codec, "mp4", options=CODECS[codec], pts=pts)
    assert_equal(without_boxes(data, b"ctts", b"edts"), decode_plainly(data), threads)


@pytest.mark.parametrize("codec", CODECS)
def test_an_edit_list_applies_to_decoding_times(codec: str) -> None:
    data = without_boxes(clip(codec, "mp4", options=CODECS[codec]), b"ctts")
    right = decode_plainly(data)
    assert len(right.digests) < 90
    frames = candidates(data, 1000.0)
    assert [digest(frame._picture) for frame in frames] == right.digests
    times = [number / 25 for number in range(len(frames))]
    assert [frame.timestamp for frame in frames] == pytest.approx(times)


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_a_fragmented_mp4_without_presentation_times(codec: str) -> None:
    right = clip(codec, "mp4", options=CODECS[codec])
    data = clip(
        codec,
        "mp4",
        options=CODECS[codec],
        container_options={"movflags": "frag_keyframe+empty_moov"},
        packet_filter=decoding_times_only,
    )
    assert_equal(data, decode_plainly(right))


@pytest.mark.parametrize("container", ["flv", "mpegts", "matroska", "nut"])
def test_decoding_times_in_the_place_of_presentation_times(container: str) -> None:
    options = {**H264, "x264-params": "bframes=3:b-adapt=0"}
    right = clip("libx264", "mp4", options=options, pts=GAP)
    data = clip("libx264", container, options=options, pts=GAP, packet_filter=decoding_times_only)
    assert_equal(data, decode_plainly(right))


@pytest.mark.parametrize("codec", ["libx264", "mpeg4", "mpeg2video"])
@pytest.mark.parametrize("container", ["avi", "asf"])
def test_time_goes_on_over_dropped_frames(codec: str, container: str) -> None:
    right = decode_plainly(clip(codec, "nut", options=CODECS[codec], pts=GAP))
    assert_equal(clip(codec, container, options=CODECS[codec], pts=GAP), right)
    assert right.candidates(Fraction(1)) == [0, 25, 49, 50, 75]
    assert right.times[50] == 5


@pytest.mark.parametrize("container", ["avi", "asf"])
@pytest.mark.parametrize("parameters", ["nal-hrd=vbr:vbv-maxrate=500:vbv-bufsize=500", "bframes=0"])
def test_h264_with_stated_delays_or_without_b_frames(parameters: str, container: str) -> None:
    """FFmpeg invents presentation times for these, which are wrong beside the gap."""
    options = {**H264, "x264-params": parameters}
    right = decode_plainly(clip("libx264", "nut", options=options, pts=GAP))
    assert_equal(clip("libx264", container, options=options, pts=GAP), right)


@pytest.mark.parametrize(
    ("codec", "fourcc"), [("libx264", b"H264"), ("mpeg4", b"FMP4"), ("mpeg2video", b"mpg2")]
)
def test_matroska_in_its_mode_for_video_for_windows(codec: str, fourcc: bytes) -> None:
    right = decode_plainly(clip(codec, "nut", options=CODECS[codec], pts=GAP))
    avi = clip(codec, "avi", options=CODECS[codec], pts=GAP)
    assert_equal(as_matroska_of_windows(avi, fourcc), right)


@pytest.mark.parametrize("pts", [None, GAP], ids=["", "gap"])
def test_a_packed_bitstream(pts: list[int] | None) -> None:
    right = decode_plainly(clip("mpeg4", "nut", options={"bf": "1"}, pts=pts))
    data = clip("mpeg4", "avi", options={"bf": "1"}, pts=pts, packet_filter=packed)
    assert data.count(NOTHING_CODED) > 40
    assert_equal(data, right)


@pytest.mark.parametrize("b_frames", ["0", "2"])
def test_frames_that_are_coded_as_nothing_leave_a_gap(b_frames: str) -> None:
    at = 48

    def dropped(packets: list[av.Packet]) -> list[av.Packet]:
        last = packets[at]
        empty = [like(last, NOTHING_CODED, later=1 + number) for number in range(75)]
        later = [like(packet, bytes(packet), later=75) for packet in packets[at + 1 :]]
        return [*packets[: at + 1], *empty, *later]

    data = clip("mpeg4", "avi", options={"bf": b_frames}, packet_filter=dropped)
    frames = candidates(data, 100.0)
    gaps = {round(b.timestamp - a.timestamp, 3) for a, b in pairwise(frames)}
    assert gaps == {0.04, 3.04}
    assert frames[-1].timestamp == pytest.approx((len(frames) - 1 + 75) / 25)


def test_b_frames_that_begin_late() -> None:
    """The check looks into every GOP, not only into the first."""
    numbers = iter(range(90))

    def as_p_frame(frame: av.VideoFrame) -> av.VideoFrame:
        if next(numbers) < 60:
            frame.pict_type = 2
        return frame

    options = {**H264, "x264-params": "bframes=3:b-adapt=0:b-pyramid=none"}
    data = clip("libx264", "mp4", options=options, prepare=as_p_frame)
    with av.open(io.BytesIO(data)) as container:
        kinds = "".join("?IPB"[frame.pict_type] for frame in container.decode(video=0))
    assert kinds.find("B") >= 60
    assert_equal(without_boxes(data, b"ctts", b"edts"), decode_plainly(data))


@pytest.mark.parametrize(
    ("codec", "container", "options"),
    [
        ("libx264", "mp4", {**H264, "x264-params": "bframes=0"}),
        ("libx264", "mpegts", {**H264, "x264-params": "bframes=0"}),
        ("libx265", "mp4", {**H265, "x265-params": H265["x265-params"] + ":bframes=0"}),
        ("libx265", "mpegts", {**H265, "x265-params": H265["x265-params"] + ":bframes=0"}),
        ("mpeg2video", "mp4", {"bf": "0"}),
        ("mpeg2video", "mxf", {"bf": "0"}),
        ("mpeg1video", "mpeg", {"bf": "0"}),
        ("mpeg2video", "avi", B_FRAMES),
    ],
)
def test_single_gops_are_still_decoded_where_the_times_are_right(
    codec: str, container: str, options: dict[str, str]
) -> None:
    data = clip(codec, container, options=options)
    with AvVideo(io.BytesIO(data)) as video:
        assert video.sequential_reason == ""
    assert_equal(data, decode_plainly(data))


@pytest.mark.shared
@pytest.mark.skipif(not (CASES / "bgap.avi").exists(), reason="no ../shared/cases")
def test_bgap_avi() -> None:
    data = (CASES / "bgap.avi").read_bytes()
    assert_equal(data, decode_plainly(data))
    frames = candidates(data, 1.0)
    assert [frame.timestamp for frame in frames] == pytest.approx([0, 1, 1.96, 5, 6, 7, 8, 9])


def test_one_gop_with_decoding_times_is_enough() -> None:
    """As in two recordings that a tool joined, which lost the presentation times of the second."""

    def of_last_gop(packets: list[av.Packet]) -> list[av.Packet]:
        for packet in packets[60:]:
            packet.pts = packet.dts
        return packets

    options = {**H264, "x264-params": "bframes=3:b-adapt=0:scenecut=0"}
    true = decode_plainly(clip("libx264", "matroska", options=options))
    data = clip("libx264", "matroska", options=options, packet_filter=of_last_gop)
    with AvVideo(io.BytesIO(data)) as video:
        frames = list(video.frames(range(90)))
    assert [digest(frame._picture) for frame in frames] == true.digests
    times = [frame.timestamp for frame in frames]
    assert times == sorted(times)


H264_IN_AVI = {"name": "h264", "extradata": None, "has_b_frames": True, "reorder_depth": 1}


def order_of(codec: str, stamps: list[tuple[int | None, int | None]], **more: Any) -> Any:
    """Return what is found for packets of a codec without a parser, the first a keyframe."""
    properties = {"name": codec, "extradata": None, "has_b_frames": True, "reorder_depth": 1}
    order = FrameOrder(SimpleNamespace(**properties | more), "mp4")  # type: ignore[arg-type]
    for number, (pts, dts) in enumerate(stamps):
        packet = SimpleNamespace(pts=pts, dts=dts)
        order.add(packet, begins_gop=not number)  # type: ignore[arg-type]
    every = np.arange(len(stamps))
    return order.decoding_times(array("q", [pts or 0 for pts, _ in stamps]), every)


@pytest.mark.parametrize(
    ("stamps", "more", "times"),
    [
        ([(0, 0), (4, 4), (8, 8)], {}, [0, 4, 8]),
        ([(0, 0), (4, 4), (8, 8)], {"has_b_frames": False}, None),
        ([(0, 0), (4, 4), (9, 8)], {}, None),
        ([(0, 0), (None, None), (8, 8)], {}, None),
        ([(0, 0)], {}, None),
    ],
)
def test_of_other_codecs_equal_times_are_in_doubt(
    stamps: list[tuple[int | None, int | None]], more: dict[str, Any], times: list[int] | None
) -> None:
    """VC-1 and Sorenson 3, for example, which FFmpeg cannot encode."""
    found = order_of("vc1", stamps, **more)
    assert (found and list(found.times)) == times


def test_without_a_shown_packet_or_a_time_of_each_there_are_no_times() -> None:
    avi = FrameOrder(SimpleNamespace(**H264_IN_AVI), "avi")  # type: ignore[arg-type]
    for stamp in (0, 1, None):
        packet = av.Packet(b"data")
        packet.pts = packet.dts = stamp
        if stamp is None:
            found = avi.decoding_times(array("q", [0, 1]), np.arange(2))
            assert found is not None
            assert list(found.times) == [0, 1]
            assert avi.decoding_times(array("q", [0, 1]), np.arange(0)) is None
        avi.add(packet, begins_gop=True)
    assert avi.decoding_times(array("q", [0, 1, 0]), np.arange(3)) is None


@pytest.mark.parametrize("seed", range(20))
def test_damaged_hevc_parameters_raise_nothing(seed: int) -> None:
    data = clip("libx265", "mp4", options=H265, frames=12)
    start = data.index(b"hvcC") + 4
    noise = np.random.default_rng(seed).integers(0, 256, 60, dtype=np.uint8).tobytes()
    at = start + 20 + seed * 3
    with av.open(io.BytesIO(data[:at] + noise + data[at + 60 :])) as container:
        stream = container.streams.video[0]
        order = FrameOrder(stream.codec_context, "mp4")
        for packet in container.demux(stream):
            if packet.size:
                order.add(packet, begins_gop=packet.is_keyframe)
