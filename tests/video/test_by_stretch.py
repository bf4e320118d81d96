"""Of a video with an odd place, only what is around it is decoded in sequence."""

from __future__ import annotations

import io
import logging
from types import SimpleNamespace
from typing import Any

import av
import pytest

from spark_keyframes.video import make_decoder
from spark_keyframes.video.av_video import AvVideo
from spark_keyframes.video.codecs.facts import SEQUENCES
from spark_keyframes.video.codecs.mpeg12 import Mpeg12
from spark_keyframes.video.packet_reader import PacketReader
from spark_keyframes.video.packet_table import PacketTable
from spark_keyframes.video.window import Window

from .clips import clip
from .odd_files import matroska, read
from .reference import digest

GOP = 10
FAST = {"crf": "30", "preset": "ultrafast", "threads": "1"}


def film(gops: int = 9) -> tuple[Any, list[Any]]:
    """Return a film of H.264 without B-frames, 25 frames per second."""
    frames = gops * GOP
    return read(clip("libx264", "matroska", frames=frames, gop=GOP, options=FAST))


def ending_repeated() -> bytes:
    """The last 4 packets once more, in the middle of the last GOP."""
    stream, packets = film()
    return matroska(stream, packets + packets[-4:])


def joined() -> bytes:
    """The same recording twice."""
    stream, packets = film()
    return matroska(stream, packets * 2)


def damaged(*numbers: int) -> bytes:
    """Packets of this number hold noise; nothing says so."""
    stream, packets = film(30)
    noise = bytes(range(1, 200))
    for number in numbers:
        data = packets[number].data
        broken = data[:5] + noise[: max(0, len(data) - 5)]
        packets[number] = type(packets[number])(
            broken, packets[number].pts, packets[number].dts, packets[number].is_keyframe
        )
    return matroska(stream, packets)


def candidates(video: Any, fps: float) -> list[tuple[int, float, bytes]]:
    return [(f.frame_id, f.timestamp, digest(f._picture)) for f in video.candidates(fps)]


@pytest.mark.parametrize("keep", [True, False])
def test_only_the_odd_gop_is_decoded_in_sequence(
    keep: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """And three GOPs before it, whose frames the decoder may use to hide damage."""
    if not keep:
        monkeypatch.setattr("spark_keyframes.video.packets._KEEP_BYTES", 100)
    with AvVideo(io.BytesIO(ending_repeated())) as video, caplog.at_level(logging.INFO):
        found = candidates(video, 1.0)
        assert [frame_id for frame_id, *_ in found] == [0, 25, 50, 75]
        # FFmpeg does not return all packets that come once more.
        assert 4 * GOP <= video.frames_doubtful <= 4 * GOP + 4
        assert video.frames_decoded < 60
        # Those of the odd GOP are not known before they are decoded.
        assert 0 < video.frames_skipped <= 80 - (video.frames_decoded - video.frames_doubtful)
        assert video.duration == pytest.approx(3.6)
        by_id = [(f.frame_id, f.timestamp) for f in video.frames([30, 85])]
        assert by_id == [(30, pytest.approx(1.2)), (85, pytest.approx(3.4))]
    assert "decoding packets 80 to 93 of 94 in sequence: a timestamp is repeated" in caplog.text


def test_recordings_joined_at_a_keyframe_leave_no_doubt() -> None:
    with AvVideo(io.BytesIO(joined())) as video:
        found = candidates(video, 0.5)
        assert [frame_id for frame_id, *_ in found] == [0, 50, 100, 150]
        assert [round(time, 2) for _, time, _ in found] == [0.0, 2.0, 4.0, 6.0]
        assert video.frames_doubtful == 0
        assert video.frames_decoded + video.frames_skipped == 180
        assert video.frames_skipped > 150


def test_a_part_of_an_odd_video_begins_where_it_is_needed() -> None:
    with AvVideo(io.BytesIO(joined()), window=Window(4.5, 6.5)) as video:
        found = candidates(video, 1.0)
        assert [frame_id for frame_id, *_ in found] == [125, 150]
        assert video.frames_doubtful == 0
        assert video.frames_decoded < 20


def in_sequence(data: bytes, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, float, bytes]]:
    """Return all frames as a decode from the first packet to the last gives them."""
    with monkeypatch.context() as patch:
        patch.setattr("spark_keyframes.video.packets.find_stretches", lambda *_: [])
        with AvVideo(io.BytesIO(data)) as video:
            return candidates(video, 1000.0)


def test_a_keyframe_at_a_joins_end_has_no_leading_frames_behind_the_join(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All times of what follows are earlier than those of the last keyframe."""
    stream, packets = film()
    second = [*packets[:GOP], *packets[GOP - 4 : GOP]]
    data = matroska(stream, packets[: 8 * GOP + 1] + second)
    with AvVideo(io.BytesIO(data)) as video:
        found = candidates(video, 1000.0)
        assert 0 < video.frames_doubtful < 5 * GOP
    assert found == in_sequence(data, monkeypatch)
    assert found[-1][0] >= 9 * GOP


@pytest.mark.parametrize("back", [0, -40])
def test_a_leading_frame_is_not_sought_in_the_recording_before(
    back: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last frames before the join have the same times as the first ones behind it."""

    def recording(frames: int, gop: int, is_open: int) -> tuple[Any, list[Any]]:
        params = f"keyint={gop}:open-gop={is_open}:bframes=1:b-adapt=0:scenecut=0:min-keyint=1"
        options = {**FAST, "x264-params": f"{params}:repeat-headers=1"}
        return read(clip("libx264", "matroska", frames=frames, gop=gop, options=options))

    stream, packets = recording(40, GOP, 0)
    _, second = recording(20, 2, 1)
    last = max(packet.pts for packet in packets)
    joined = packets + [packet.later(last + back - second[0].pts) for packet in second]
    data = matroska(stream, joined)
    with AvVideo(io.BytesIO(data)) as video:
        found = candidates(video, 1000.0)
        assert video.frames_doubtful == 0
    assert found == in_sequence(data, monkeypatch)


def test_packets_without_a_frame_are_decoded_again(caplog: pytest.LogCaptureFixture) -> None:
    """Without what FFmpeg learned from them, it may lose frames of a later doubtful place."""
    stream, packets = film()
    with AvVideo(io.BytesIO(matroska(stream, packets[GOP - 2 :]))) as video:
        found = candidates(video, 1000.0)
        assert len(found) == 8 * GOP
        with caplog.at_level(logging.INFO):
            assert [frame.frame_id for frame in video.frames([75])] == [75]
    assert "decoding packets 0 to 1 of 82 in sequence" in caplog.text


def of_other_sizes(codec: str, container: str, *, restarts: bool) -> bytes:
    """Three recordings, the second one with larger frames."""
    vp8 = {"lag-in-frames": "0", "deadline": "realtime", "cpu-used": "8"}
    options = {"bf": "2"} if codec.startswith("mpeg") else vp8

    def recording(size: tuple[int, int]) -> tuple[Any, list[Any]]:
        return read(clip(codec, container, frames=48, gop=8, options=options, size=size))

    stream, packets = recording((96, 64))
    _, second = recording((128, 64))
    length = 0 if restarts else 48 * 40
    return matroska(
        stream,
        packets
        + [packet.later(length) for packet in second]
        + [packet.later(2 * length) for packet in packets],
    )


@pytest.mark.parametrize("restarts", [True, False])
@pytest.mark.parametrize("codec", ["mpeg1video", "mpeg2video", "mpeg4", "libvpx"])
def test_recordings_of_other_sizes(
    codec: str, restarts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the size changes, FFmpeg drops a frame of MPEG-1 and MPEG-2."""
    container = "mpeg" if codec == "mpeg1video" else "matroska"
    data = of_other_sizes(codec, container, restarts=restarts)
    with av.open(io.BytesIO(data)) as opened:
        frames = [digest(frame) for frame in opened.decode(video=0)]
    is_dropping = codec in {"mpeg1video", "mpeg2video"}
    assert len(frames) == 3 * 48 - 2 * is_dropping
    with AvVideo(io.BytesIO(data)) as video:
        found = candidates(video, 1000.0)
        by_id = [(f.frame_id, f.timestamp, digest(f._picture)) for f in video.frames([30, 60])]
        assert 0 < video.frames_doubtful < 100 or not is_dropping
    assert found == in_sequence(data, monkeypatch)
    assert all(digest_ == frames[frame_id] for frame_id, _, digest_ in [*found, *by_id])


def test_a_size_that_changes_where_not_all_keyframes_tell_it() -> None:
    def header(width: int) -> bytes:
        return b"\0\0\1\xb3" + (width << 20 | 64 << 8 | 0x13).to_bytes(4, "big") + bytes(4)

    reader = Mpeg12(header(96), has_fields=False)
    seen = [reader.facts(header(96), is_keyframe=True), reader.facts(b"", is_keyframe=True)]
    assert [facts.problem for facts in seen] == ["", ""]
    assert reader.facts(header(128), is_keyframe=True).problem == SEQUENCES


@pytest.mark.parametrize("decoder", ["thread", "process"])
def test_the_decoders_of_the_engine_count_the_same(decoder: Any) -> None:
    data = ending_repeated()
    with AvVideo(io.BytesIO(data)) as alone:
        right = [(frame_id, time) for frame_id, time, _ in candidates(alone, 2.0)]
        counts = alone.frames_decoded, alone.frames_skipped, alone.frames_doubtful
    with make_decoder(decoder, 1) as videos, videos.open(io.BytesIO(data)) as video:
        assert video.candidate_count(2.0) is None
        found = [(frame.frame_id, frame.timestamp) for frame in video.candidates(2.0, hold=True)]
    assert found == right
    assert (video.frames_decoded, video.frames_skipped, video.frames_doubtful) == counts


@pytest.mark.parametrize("threads", [1, 3])
def test_a_damaged_gop_is_decoded_in_sequence_and_no_other(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = damaged(154)
    with AvVideo(io.BytesIO(data), threads=threads) as video:
        assert video.sequential_reason == ""
        found = candidates(video, 25.0)
        # The first frame behind tells that no other comes late.
        assert 0 < video.frames_doubtful <= 4 * GOP + 1
    monkeypatch.setattr(PacketTable, "start_before", lambda *_: 0)
    with AvVideo(io.BytesIO(data)) as video:
        assert candidates(video, 25.0) == found
        assert video.frames_doubtful > 150


def test_of_many_damaged_gops_the_rest_is_decoded_in_sequence() -> None:
    with AvVideo(io.BytesIO(damaged(*range(4, 300, GOP)))) as video:
        found = candidates(video, 25.0)
        assert len(found) > 200
        assert video.frames_doubtful > 8 * GOP + 190


def test_packets_that_are_held_can_be_had_again() -> None:
    reads = []

    def read_all() -> list[Any]:
        reads.append(None)
        return [SimpleNamespace(number=number) for number in range(20)]

    def part(start: int, stop: int) -> list[int]:
        packets: Any = reader.part(start, stop)
        taken = list(packets)
        assert [packet.opaque for packet in taken] == [(packet.number,) for packet in taken]
        return [packet.number for packet in taken]

    reader = PacketReader(None, lambda: iter(read_all()))  # type: ignore[arg-type]
    assert part(2, 4) == [2, 3]
    reader.hold(6)
    assert part(5, 9) == [5, 6, 7, 8]
    reader.hold(10)
    assert part(6, 11) == [6, 7, 8, 9, 10]
    assert len(reads) == 1
    reader.forget(8)
    assert part(8, 9) == [8]
    assert len(reads) == 1
    assert part(6, 8) == [6, 7], "no longer held, so it is read again"
    assert len(reads) == 2
