"""MPEG-4 part 2, FLV1 and WMV: what is skipped changes no frame, and the rest is refused."""

from __future__ import annotations

import io
from collections.abc import Callable

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_keyframes.video.av_video import AvVideo

from .clips import clip, clip_named
from .comparison import assert_any_frames, assert_exact
from .reference import decode_plainly, digest
from .stored_times import NOTHING_CODED, like, packed

B_FRAMES = {"bf": "2"}
VOP = b"\0\0\1\xb6"
NAMES = [
    *("mpeg4 raw", "mpeg4 mp4", "mpeg4 avi", "mpeg4 mkv, quarter samples", "mpeg4 interlaced"),
    *("mpeg4 ts, video packets", "flv1", "wmv1", "wmv2", "msmpeg4v2 avi"),
]
PacketFilter = Callable[[list[av.Packet]], list[av.Packet]]


def changed(*changes: tuple[int, Callable[[bytes], bytes]]) -> PacketFilter:
    """Return a filter that changes the bytes of single packets."""

    def change(packets: list[av.Packet]) -> list[av.Packet]:
        for index, function in changes:
            packets[index] = like(packets[index], function(bytes(packets[index])))
        return packets

    return change


def kind_of_vop(packet: av.Packet) -> str:
    data = bytes(packet)
    return "IPBS"[data[data.index(VOP) + 4] >> 6]


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=15, deadline=None)
@given(ids=st.sets(st.integers(0, 89), min_size=1, max_size=8))
def test_any_set_of_frames_equals_a_full_decode(name: str, ids: set[int]) -> None:
    assert_any_frames(name, ids)


@pytest.mark.parametrize(("name", "most"), [("mpeg4 avi", 12), ("flv1", 22), ("wmv2", 22)])
def test_only_the_needed_packets_are_decoded(name: str, most: int) -> None:
    with AvVideo(io.BytesIO(clip_named(name))) as video:
        assert [frame.frame_id for frame in video.candidates(0.5)] == [0, 50]
        assert video.counters.decoded <= most


@pytest.mark.parametrize("encoder", [b"XviD0050", b"XviD0001", b"DivX503b1393"])
def test_the_mistakes_of_old_encoders_are_corrected_alike(encoder: bytes) -> None:
    """FFmpeg knows their versions from the user data in front of the first frame."""
    data = clip("mpeg4", "avi", options={**B_FRAMES, "flags": "+qpel"}, size=(90, 70))
    start = data.index(b"Lavc")
    stop = data.index(b"\0", start)
    assert data.count(data[start:stop]) > 1
    user_data = encoder + b"\0" * (stop - start - len(encoder))
    if len(user_data) > stop - start:
        pytest.skip("the name of this version of libavcodec is too short")
    other = data.replace(data[start:stop], user_data)
    assert assert_exact(other, threads=2).digests != decode_plainly(data).digests


def not_coded(data: bytes) -> bytes:
    """Return the VOP's header up to vop_coded, which becomes 0; at 25 Hz, a time has 5 bits."""
    start = data.index(VOP) + 4
    bits = f"{int.from_bytes(data[start : start + 4], 'big'):032b}"
    coded = bits.index("0", 2) + 8
    assert bits[coded] == "1"
    return VOP + int(bits[:coded].ljust(32, "0"), 2).to_bytes(4, "big")


def with_some_not_coded(
    kind: str, numbers: slice, container: str, options: dict[str, str]
) -> bytes:
    def change(packets: list[av.Packet]) -> list[av.Packet]:
        every = [index for index, packet in enumerate(packets) if kind_of_vop(packet) == kind]
        return changed(*((index, not_coded) for index in every[numbers]))(packets)

    return clip("mpeg4", container, options=options, packet_filter=change)


@pytest.mark.parametrize(("kind", "b_frames"), [("P", "0"), ("B", "2")])
@pytest.mark.parametrize("container", ["avi", "mp4", "matroska"])
def test_frames_that_are_coded_as_nothing(container: str, b_frames: str, kind: str) -> None:
    data = with_some_not_coded(kind, slice(6, 50, 5), container, {"bf": b_frames})
    assert len(assert_exact(data, threads=2).digests) == 90 - 9


def test_b_frames_after_one_that_is_coded_as_nothing_come_too_early() -> None:
    data = with_some_not_coded("P", slice(6, 7), "mp4", B_FRAMES)
    right = decode_plainly(data, threads=1)
    assert right.pts != sorted(right.pts, key=lambda pts: pts or 0)
    with AvVideo(io.BytesIO(data)) as video:
        assert "coded as nothing" in video.sequential_reason
        assert [digest(frame._picture) for frame in video.frames(range(89))] == right.digests


def test_a_video_that_ends_with_one_that_is_coded_as_nothing() -> None:
    """FFmpeg returns the last frame once more. Only the last GOP is decoded in sequence."""
    data = with_some_not_coded("P", slice(-1, None), "mp4", {})
    with AvVideo(io.BytesIO(data)) as video:
        assert "ends with a packet that holds no frame" in video.sequential_reason
        frames = [(frame.frame_id, digest(frame._picture)) for frame in video.candidates(100.0)]
    assert frames == list(enumerate(decode_plainly(data, threads=1).digests))
    assert len(frames) == 90


def test_frames_that_are_coded_as_nothing_at_no_time_are_not_trusted() -> None:
    """`NOTHING_CODED` lacks a marker, so FFmpeg guesses the length of times from then on."""
    data = clip("mpeg4", "avi", packet_filter=changed((20, lambda _: NOTHING_CODED)))
    assert_exact(data, reason="cannot be read")


def test_a_packet_without_a_frame() -> None:
    """DivX and XviD write a byte for a frame that repeats the one before it."""
    data = clip("mpeg4", "avi", packet_filter=changed((20, lambda _: b"\x7f")))
    assert len(assert_exact(data).digests) == 89


def test_a_packed_bitstream_is_decoded_in_sequence() -> None:
    data = clip("mpeg4", "avi", options={"bf": "1"}, packet_filter=packed)
    with AvVideo(io.BytesIO(data)) as video:
        assert "packed bitstream" in video.sequential_reason


def test_headers_that_change_are_not_trusted() -> None:
    def another_layer(packet: bytes) -> bytes:
        start = packet.index(b"\0\0\1\x20")
        return packet[: start + 5] + b"\x01" + packet[start + 6 :]

    def another_encoder(packet: bytes) -> bytes:
        return b"\0\0\1\xb2XviD0001" + packet

    for change in (another_layer, another_encoder):
        data = clip("mpeg4", "avi", packet_filter=changed((30, change)))
        assert_exact(data, reason="parameters change")


def test_b_frames_whose_times_begin_anew_are_not_trusted() -> None:
    """The first group of pictures after a keyframe without one gives times from another zero."""

    def without_group(packet: bytes) -> bytes:
        start = packet.index(b"\0\0\1\xb3")
        return packet[:start] + packet[packet.index(VOP) :]

    def of_one(packets: list[av.Packet]) -> list[av.Packet]:
        second = [i for i, packet in enumerate(packets) if kind_of_vop(packet) == "I"][1]
        return changed((second, without_group))(packets)

    data = clip("mpeg4", "mp4", options=B_FRAMES, packet_filter=of_one)
    assert_exact(data, reason="no place for them")
    data = clip("mpeg4", "mp4", packet_filter=changed((30, without_group)))
    assert_exact(data)


def test_comments_may_differ() -> None:
    data = clip("mpeg4", "avi", packet_filter=changed((30, lambda p: b"\0\0\1\xb2hello" + p)))
    assert_exact(data)


def test_a_b_frame_outside_of_its_references_is_dropped_by_ffmpeg() -> None:
    """Its time is that of the frame after it, so the ids of later frames differ."""

    def with_time(packets: list[av.Packet]) -> list[av.Packet]:
        at = next(i for i in range(40, 90) if kind_of_vop(packets[i]) == "B")
        one = bytes(packets[at])
        start = one.index(VOP) + 4
        bits = f"{int.from_bytes(one[start : start + 4], 'big'):032b}"
        marker = bits.index("0", 2) + 1  # behind the seconds
        changed = bits[: marker + 1] + "00000" + bits[marker + 6 :]
        data = one[:start] + int(changed, 2).to_bytes(4, "big") + one[start + 4 :]
        return [*packets[:at], like(packets[at], data), *packets[at + 1 :]]

    data = clip("mpeg4", "mp4", options=B_FRAMES, packet_filter=with_time)
    assert len(assert_exact(data, reason="no place for them").digests) == 89


def flv_kind(data: bytes, kind: int) -> bytes:
    """Return a packet of FLV1 of 96×64 with another kind of picture: 0 intra, 1 inter, 2 not kept.

    The start code has 17 bits, the version 5, the time 8, the format of the size 3, the size 16.
    """
    assert int.from_bytes(data[:5], "big") >> 7 & 7 == 0, "the size has a byte for each side"
    bits = int.from_bytes(data[:8], "big")
    shift = 64 - (17 + 5 + 8 + 3 + 16) - 2
    return (bits & ~(3 << shift) | kind << shift).to_bytes(8, "big") + data[8:]


@pytest.mark.parametrize("container", ["flv", "avi"])
def test_disposable_frames_are_skipped(container: str) -> None:
    odd = [index for index in range(90) if index % 2 and (index % 30) > 1]
    change = changed(*((index, lambda packet: flv_kind(packet, 2)) for index in odd))
    data = clip("flv", container, packet_filter=change)
    right = assert_exact(data, threads=2)
    assert right.digests != decode_plainly(clip("flv", container)).digests
    with AvVideo(io.BytesIO(data)) as video:
        list(video.frames([28]))
        assert video.counters.decoded == 16


def test_a_disposable_frame_right_after_a_keyframe_is_not_always_returned() -> None:
    for at, count in ((1, 89), (31, 90)):
        change = changed((at, lambda packet: flv_kind(packet, 3)))
        data = clip("flv", "flv", packet_filter=change)
        assert len(assert_exact(data, reason="disposable frames").digests) == count


def test_wmv2_frames_that_repeat_the_one_before_are_no_frames() -> None:
    """A P-frame whose macroblocks are all skipped, row by row or column by column."""
    rows = int("1" + "00101" + "10" + "1" * 4 + "0000", 2).to_bytes(2, "big")
    columns = int("1" + "00101" + "11" + "1" * 6 + "00", 2).to_bytes(2, "big")
    change = changed((10, lambda _: rows), (40, lambda _: columns), (89, lambda _: columns))
    data = clip("wmv2", "asf", packet_filter=change)
    assert len(assert_exact(data).digests) == 87


def test_interlaced_b_frames_are_decoded_in_sequence() -> None:
    with AvVideo(io.BytesIO(clip_named("mpeg4 interlaced with B-frames"))) as video:
        assert video.sequential_reason == "B-frames of interlaced MPEG-4"


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    codec=st.sampled_from(["mpeg4", "mpeg4", "flv", "wmv1", "wmv2", "msmpeg4v2"]),
    container=st.sampled_from(["mp4", "matroska", "avi", "mpegts", "nut", "asf", "flv"]),
    b_frames=st.integers(0, 4),
    gop=st.sampled_from([1, 2, 5, 12, 100]),
    flags=st.sets(st.sampled_from(["qpel", "mv4", "aic", "cgop", "ilme", "ildct", "gray"])),
    gaps=st.dictionaries(st.integers(1, 36), st.integers(1, 200), max_size=3),
)
def test_any_structure(
    codec: str, container: str, b_frames: int, gop: int, flags: set[str], gaps: dict[int, int]
) -> None:
    options = {"bf": str(b_frames), "flags": "".join(f"+{flag}" for flag in sorted(flags))}
    options = options if codec == "mpeg4" else {}
    pts = [i + sum(gap for at, gap in gaps.items() if i >= at) for i in range(40)]
    try:
        data = clip(codec, container, frames=40, gop=gop, options=options, pts=pts)
        decode_plainly(data)
    except (ValueError, IndexError, av.error.FFmpegError):
        return  # the container cannot hold the codec, or the encoder not do this
    is_refused = codec == "mpeg4" and flags & {"ilme", "ildct"} and b_frames
    with AvVideo(io.BytesIO(data)) as video:
        reason = video.sequential_reason
    assert bool(reason) == bool(is_refused and "B-frames of interlaced" in reason), reason
    assert_exact(data, reason=reason, threads=2)
