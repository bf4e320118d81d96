"""Frames that the decoder returns late, loses while it learns their order, or does not return."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from typing import Any

import pytest

from spark_keyframes.video.av_video import AvVideo
from spark_keyframes.video.codecs.facts import LOST_KEYFRAME
from spark_keyframes.video.replacement import LostFrameError
from spark_keyframes.video.replacement import replaced as replaced_in

from .clips import H264, H265, clip
from .odd_files import Coded, Stream, matroska, read
from .reference import decode_plainly, digest

GOP = 10


def facts(frames: Any) -> list[tuple[int, float, bytes]]:
    return [(f.frame_id, f.timestamp, digest(f._picture)) for f in frames]


def replaced(
    order: list[int], wanted: list[int], *, exactly: bool = False
) -> list[tuple[int, int]]:
    """Of frames that the decoder returns in this order; every tenth resets it."""
    pictures: Any = ((number, None) for number in order)
    found = replaced_in(pictures, wanted, lambda number: number % 10 == 0, exactly=exactly)
    return [(number, shown) for number, shown, _ in found]


def test_a_frame_that_comes_late_is_not_replaced() -> None:
    assert replaced([0, 1, 3, 4, 2, 5], [1, 2, 4]) == [(1, 1), (2, 2), (4, 4)]
    assert replaced([0, 1, 3, 4, 2, 5], [2], exactly=True) == [(2, 2)]
    assert replaced([0, 1, 3, 4, 5], [2, 4]) == [(2, 1), (4, 4)]
    with pytest.raises(LostFrameError, match="2"):
        replaced([0, 1, 3, 4, 5], [2], exactly=True)


def test_a_keyframe_that_comes_late_is_not_replaced() -> None:
    """As the one that a decoder of MPEG-2 holds back, behind frames with later times."""
    assert replaced([8, 9, 11, 10, 12], [9, 10, 11, 12]) == [(9, 9), (10, 10), (11, 11), (12, 12)]


def test_frames_with_earlier_times_than_their_keyframe_come_behind_it() -> None:
    """Of another order than H.264 tells; the times look sound."""

    def earlier(packets: list[Any]) -> list[Any]:
        start = [i for i, packet in enumerate(packets) if packet.is_keyframe][2]
        for packet in packets:
            packet.pts += 2
        packets[start].pts, packets[start + 1].pts = packets[start + 1].pts, packets[start].pts
        return packets

    options = {**H264, "x264-params": "bframes=0:keyint=10:min-keyint=10:scenecut=0"}
    data = clip("libx264", "mp4", frames=60, gop=GOP, options=options, packet_filter=earlier)
    right = decode_plainly(data, threads=1)
    assert len(set(right.pts)) == 60
    assert right.pts != sorted(right.pts, key=lambda each: each or 0)
    with AvVideo(io.BytesIO(data)) as video:
        assert video.timeline is not None
        found = facts(video.candidates(1000.0))
        assert [number for number, *_ in found] == list(range(60))
        by_time = dict(zip(right.pts, right.digests, strict=True))
        for number in (20, 21, 22, 25):
            assert facts(video.frames([number])) == [found[number]]
            assert found[number][2] == by_time[sorted(by_time)[number]]


def test_no_frame_is_awaited_behind_a_reset() -> None:
    taken = []

    def pictures() -> Any:
        for number in [0, 1, 3, 9, 10, 11, 12]:
            taken.append(number)
            yield number, None

    assert len(list(replaced_in(pictures(), [2, 9], lambda n: n % 10 == 0, exactly=False))) == 2
    assert taken[-1] == 10


def test_frames_that_come_late_are_candidates() -> None:
    """The frame that waits for the next keyframe comes behind the leading frames of that one."""

    def cut(packets: list[Any]) -> list[Any]:
        second = [i for i, packet in enumerate(packets) if packet.is_keyframe][1]
        return packets[:second] + packets[second + 1 :]

    options = {"bf": "2"}
    data = clip("mpeg2video", "mp4", frames=60, gop=20, options=options, packet_filter=cut)
    pts = decode_plainly(data, threads=1).pts
    assert pts != sorted(pts, key=lambda each: each or 0)
    with AvVideo(io.BytesIO(data)) as video:
        assert video.timeline is not None
        found = facts(video.candidates(1000.0))
        assert [number for number, *_ in found] == list(range(len(pts)))
        assert facts(video.frames(range(len(pts)))) == found


def unrestricted(sps: bytes) -> bytes:
    """Return an SPS of x264 that does not tell how far frames are reordered."""
    bits = "".join(f"{byte:08b}" for byte in sps.replace(b"\0\0\3", b"\0\0"))
    told = r"1111(0001[01]{3}){2}(1|01[01]|001[01]{2}){2}10*$"
    bits, count = re.subn(told, "01", bits)
    assert count == 1
    bits += "0" * (-len(bits) % 8)
    plain = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))
    return re.sub(b"\0\0(?=[\0-\3])", b"\0\0\3", plain)


def recording(gops: int, b_frames: int) -> tuple[Stream, list[Coded]]:
    parameters = f"bframes={b_frames}:b-adapt=0:scenecut=0:repeat-headers=1:b-pyramid=normal"
    options = {**H264, "x264-params": parameters}
    stream, packets = read(clip("libx264", "matroska", frames=gops * GOP, gop=GOP, options=options))

    def without(data: bytes) -> bytes:
        found, at = b"", 0
        while at < len(data):
            size = int.from_bytes(data[at : at + 4], "big")
            unit = data[at + 4 : at + 4 + size]
            unit = unrestricted(unit) if unit[0] & 31 == 7 else unit
            found += len(unit).to_bytes(4, "big") + unit
            at += 4 + size
        return found

    head = stream.extradata
    size = int.from_bytes(head[6:8], "big")
    sps = unrestricted(head[8 : 8 + size])
    extradata = head[:6] + len(sps).to_bytes(2, "big") + sps + head[8 + size :]
    return replace(stream, extradata=extradata), [
        replace(packet, data=without(packet.data)) for packet in packets
    ]


def test_frames_by_id_where_the_decoder_has_learned_the_order_of_frames() -> None:
    """It loses a frame of the first part with B-frames, and none of the second one."""
    stream, simple = recording(4, 0)
    _, reordered = recording(2, 3)
    packets: list[Coded] = []
    for part in (simple, reordered, simple, reordered):
        end = packets[-1].pts + 1000 if packets else 0
        packets += [packet.later(end - min(p.pts for p in part)) for packet in part]
    data = matroska(stream, packets)
    with AvVideo(io.BytesIO(data)) as video:
        found = facts(video.candidates(1000.0))
        assert 0 < video.frames_doubtful < len(packets)
        assert len(found) == len(decode_plainly(data, threads=1).pts) < len(packets)
        for number in (len(found) - 1, len(found) - 15, len(found) - 2 * GOP, 45):
            assert facts(video.frames([number])) == [found[number]]


def lost_keyframe(number: int) -> bytes:
    """A recording of HEVC with open GOPs, without one of its keyframes."""
    parameters = f"{H265['x265-params']}:bframes=3:keyint={GOP}:min-keyint={GOP}:open-gop=1"
    options = {**H265, "x265-params": parameters + ":scenecut=0:b-adapt=0"}
    stream, packets = read(clip("libx265", "matroska", frames=80, gop=GOP, options=options))
    assert packets[number * GOP - 1].pts == number * GOP * 40
    del packets[number * GOP - 1]
    return matroska(stream, packets)


@pytest.mark.parametrize("number", [1, 3])
def test_leading_frames_of_a_lost_keyframe_are_doubtful(number: int) -> None:
    """The decoder does not return them, so that ids count less."""
    data = lost_keyframe(number)
    right = decode_plainly(data, threads=1)
    with AvVideo(io.BytesIO(data)) as video:
        assert LOST_KEYFRAME in video.sequential_reason
        found = facts(video.candidates(1000.0))
        assert [digest for *_, digest in found] == right.digests
        assert [number for number, *_ in found] == list(range(len(right.pts)))
        assert video.frames_doubtful < len(right.pts)


def without_frame(data: bytes) -> bytes:
    """Give the slice of a packet a type that is none; its other numbers stay."""
    at = 0
    while data[at + 4] & 31 not in {1, 5}:
        at += 4 + int.from_bytes(data[at : at + 4], "big")
    bits = f"{int.from_bytes(data[at + 5 : at + 21], 'big'):0128b}"
    found = re.fullmatch("1((0*)1.*)", bits)
    assert found
    rest = found[1][2 * len(found[2]) + 1 :]
    head = int(f"10001011{rest}".ljust(152, "1"), 2).to_bytes(19, "big")
    return data[:at] + (len(head) + 1).to_bytes(4, "big") + data[at + 4 : at + 5] + head


def test_nothing_is_skipped_where_only_decoding_told_that_packets_hold_no_frame() -> None:
    options = {**H264, "x264-params": "bframes=0"}
    stream, packets = read(clip("libx264", "matroska", frames=60, gop=GOP, options=options))
    noise = [replace(p, data=without_frame(p.data)) for p in packets[40:]]
    data = matroska(stream, packets[:35] + packets[34:40] + noise)
    with AvVideo(io.BytesIO(data)) as video:
        assert [part.stop for part in video._table.stretches if part.reason] == [41]
        # The repeated frame has no time of its own.
        right = set(decode_plainly(data, threads=1).pts)
        assert len(facts(video.candidates(1000.0))) == len(right) == 40
        assert video.frames_skipped == 0
