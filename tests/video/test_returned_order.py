"""Times that hide in which order the decoder returns frames, and which are missing."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import av
import pytest

from spark_keyframes.video.av_video import AvVideo
from spark_keyframes.video.codecs.picture_order import MISSING, UNREADABLE
from spark_keyframes.video.packet_table import SHOWN
from spark_keyframes.video.problems import Problems
from spark_keyframes.video.returned_order import ReturnedOrder
from spark_keyframes.video.stretches import OTHER_ORDER
from spark_keyframes.video.window import Window

from .clips import H264, H265, clip
from .odd_files import Coded, Stream, matroska, read
from .reference import decode_plainly, digest
from .test_oddities import check

GOP = 10


def options_of(codec: str, b_frames: int = 2, gop: int = GOP) -> dict[str, str]:
    parameters = f"bframes={b_frames}:keyint={gop}:min-keyint={gop}:scenecut=0:b-adapt=0:open-gop=0"
    known = {
        "libx264": {**H264, "x264-params": parameters},
        "libx265": {**H265, "x265-params": f"{H265['x265-params']}:{parameters}"},
        "libvpx": {"deadline": "realtime", "cpu-used": "8"},
    }
    return known.get(codec, {"bf": str(b_frames)})


def recording(codec: str, b_frames: int = 2) -> tuple[Stream, list[Coded]]:
    options = options_of(codec, b_frames)
    return read(clip(codec, "matroska", frames=120, gop=GOP, options=options))


def starts_of(packets: Sequence[Any]) -> list[int]:
    return [index for index, packet in enumerate(packets) if packet.is_keyframe]


def by_decoding(packets: list[av.Packet]) -> list[av.Packet]:
    """Let some frames of a GOP have times in the order of decoding, and the last two the same."""
    start = starts_of(packets)[2]
    start += 3 if packets[start + 1].pts < packets[start].pts else 4
    times = sorted(packet.pts for packet in packets[start : start + 6])
    for packet, time in zip(packets[start:], times, strict=False):
        packet.pts = time
    packets[-1].pts = packets[-2].pts = max(packet.pts for packet in packets[-2:])
    return packets


def joined(packets: list[Coded], later: int) -> list[Coded]:
    """Go on inside of another GOP, with the times that would follow."""
    starts = starts_of(packets)
    before, behind = packets[: starts[3] + 5], packets[starts[5] + later :]
    shift = before[-1].pts + 40 - min(packet.pts for packet in behind)
    return before + [packet.later(shift) for packet in behind]


def odd(stream: Stream, packets: list[Coded]) -> bytes:
    """Let the times of the last GOP go back by two seconds."""
    last = starts_of(packets)[-1]
    return matroska(stream, packets[:last] + [packet.later(-2000) for packet in packets[last:]])


def assert_in_sequence(data: bytes, reason: str) -> None:
    """Compare with a decode of everything, and see that not all is doubtful."""
    right = decode_plainly(data, threads=1)
    with AvVideo(io.BytesIO(data)) as video:
        found = [digest(f._picture) for f in video.frames(range(len(right.digests)))]
        assert found == right.digests
        stretches = video._table.stretches
        assert any(reason in stretch.reason for stretch in stretches)
        assert any(not stretch.reason for stretch in stretches)
    check(data, 5.0, [0, len(found) // 2, len(found) - 1])


@pytest.mark.parametrize("codec", ["mpeg1video", "mpeg2video", "mpeg4", "libx264", "libx265"])
def test_times_in_another_order_than_the_frames_come(codec: str) -> None:
    options = options_of(codec)
    data = clip(codec, "nut", frames=120, gop=GOP, options=options, packet_filter=by_decoding)
    assert_in_sequence(data, OTHER_ORDER)


@pytest.mark.parametrize(
    ("codec", "later", "reason"), [("libx264", 2, MISSING), ("libx265", 7, OTHER_ORDER)]
)
@pytest.mark.parametrize("keep", [True, False])
def test_recordings_joined_inside_of_a_gop_with_times_that_go_on(
    codec: str, later: int, reason: str, keep: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The decoder does not return the first packet behind the join."""
    if not keep:
        monkeypatch.setattr("spark_keyframes.video.packets._KEEP_BYTES", 100)
    stream, packets = recording(codec, 0)
    assert_in_sequence(odd(stream, joined(packets, later)), reason)


@pytest.mark.parametrize("codec", ["mpeg1video", "libx264"])
def test_packets_that_hold_no_picture(codec: str) -> None:
    """As behind a hole in the data. FFmpeg returns no frame for them."""
    stream, packets = recording(codec, 0)
    size = len(packets[44].data)
    packets[44] = replace(packets[44], data=(b"\0\0\1\xba" + b"U" * size)[:size])
    assert_in_sequence(odd(stream, packets), UNREADABLE)


@pytest.mark.parametrize("codec", ["mpeg2video", "mpeg4", "libx264", "libx265", "libvpx"])
def test_the_order_of_sound_gops_leaves_no_doubt(codec: str) -> None:
    stream, packets = recording(codec)
    with AvVideo(io.BytesIO(odd(stream, packets))) as video:
        assert "timestamps go backwards" in video.sequential_reason
        stretches = video._table.stretches
        assert len(stretches) > 8
        doubtful = [stretch.start for stretch in stretches if stretch.reason]
        assert min(doubtful, default=len(packets)) >= len(packets) - 3 * GOP


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_numbers_that_begin_again_inside_of_a_long_gop(codec: str) -> None:
    """Of the number of a picture, 4 to 8 bits are coded here."""
    options = options_of(codec, 2, 290)
    data = odd(*read(clip(codec, "matroska", frames=310, gop=290, options=options)))
    with AvVideo(io.BytesIO(data)) as video:
        assert "timestamps go backwards" in video.sequential_reason
        assert [stretch.reason for stretch in video._table.stretches][:1] == [""]


def test_frames_that_an_edit_list_hides_are_not_missing() -> None:
    """Packets that are not shown have numbers, too."""
    data = clip("libx264", "mp4", frames=120, gop=GOP, options=options_of("libx264", 0))
    with AvVideo(io.BytesIO(data)) as video:
        table, codec = video._table, video._source.stream.codec_context
        table.flags[13] &= ~SHOWN
        problems = Problems()
        ReturnedOrder(codec, table, table.kept or (), problems)
        assert not problems


def test_keyframes_that_are_damaged_are_decoded_behind_those_before() -> None:
    """Frames of another size without a header of their own: all of them are damaged."""
    stream, packets = read(clip("mpeg4", "matroska", frames=30, gop=1))
    _, smaller = read(clip("mpeg4", "matroska", frames=30, gop=1, size=(64, 48)))
    end = packets[-1].pts + 40
    data = matroska(stream, packets + [packet.later(end) for packet in smaller])
    right = decode_plainly(data, threads=1)
    assert right.digests == decode_plainly(data, threads=1).digests
    with AvVideo(io.BytesIO(data)) as video:
        for number in (55, 58, 42, 33):
            (frame,) = video.frames([number])
            assert digest(frame._picture) == right.digests[number]


def frames_in(data: bytes, window: Window = Window()) -> list[tuple[int, float, bytes]]:
    with AvVideo(io.BytesIO(data), window=window) as video:
        return [(f.frame_id, f.timestamp, digest(f._picture)) for f in video.candidates(25.0)]


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
@pytest.mark.parametrize("keep", [True, False])
def test_a_window_behind_a_lost_keyframe_and_before_an_odd_place(
    codec: str, keep: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The odd place is behind all that is read for the window."""
    if not keep:
        monkeypatch.setattr("spark_keyframes.video.packets._KEEP_BYTES", 100)
    stream, packets = recording(codec, 0)
    del packets[2 * GOP]
    data = odd(stream, packets)
    whole = frames_in(data)
    assert len(whole) < len(packets)
    window = Window(1.6, 2.5)
    assert frames_in(data, window) == [each for each in whole if 1.6 <= each[1] < 2.5]


@pytest.mark.parametrize("codec", ["libx264", "libx265"])
def test_a_window_over_frames_that_stay_longer_is_read_alone(codec: str) -> None:
    """Frames of a variable rate, of which none is missing."""
    stream, packets = recording(codec)
    half = len(packets) // 4
    later = packets[:half] + [packet.later(400) for packet in packets[half:]]
    with AvVideo(io.BytesIO(matroska(stream, later)), window=Window(0.5, 2.0)) as video:
        assert video._table.reach == "window"
        assert video.timeline is not None
