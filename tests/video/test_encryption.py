"""Encrypted videos are refused as such: none of their frames is ever scored."""

from __future__ import annotations

import functools
import io
import struct
from collections.abc import Callable
from pathlib import Path

import av
import pytest

from spark_keyframes.errors import DecodeError, EncryptedVideoError
from spark_keyframes.video import make_decoder, open_video
from spark_keyframes.video.header_parts import Window
from spark_keyframes.video.mp4_header import later_encryption

from .boxes import (
    SAMPLE_ENTRIES,
    box,
    boxes,
    edited,
    element,
    in_asf_header,
    in_flv,
    in_sample_entry,
    in_track,
    scrambled,
    with_stream_type,
)
from .clips import H264, H265, clip, number_in
from .tracks import DEFAULT, Track, joined, large, small

CASES = Path(__file__).parents[3] / "shared" / "cases"
CENC = {
    "encryption_scheme": "cenc-aes-ctr",
    "encryption_key": "76a6c65c5ea762046bd749a2e632ccbb",
    "encryption_kid": "a7e61c373e219033c21091fa607bf3b8",
}
FRAGMENTED = {"movflags": "frag_keyframe+empty_moov"}
FRAGMENTS = (b"moof", b"mdat")


@functools.cache
def h264(container: str = "mp4", **options: str) -> bytes:
    return clip("libx264", container, options=H264, frames=60, container_options=options)


@functools.cache
def hevc(**options: str) -> bytes:
    return clip("libx265", "mp4", options=H265, frames=60, container_options=options)


def without_packet_information(data: bytes) -> bytes:
    """Leave only what the header says, as some packagers for Widevine do."""
    for kind in (b"senc", b"saio", b"saiz"):
        data = data.replace(kind, b"free")
    return data


def cbcs(data: bytes) -> bytes:
    return data.replace(b"cenc\0\x01\0\0", b"cbcs\0\x01\0\0")


def parts(data: bytes, *kinds: bytes) -> bytes:
    return b"".join(part for kind, part in boxes(data) if kind in kinds)


def clear_lead() -> bytes:
    """One header for encrypted packets, then clear fragments, then encrypted ones."""
    encrypted = h264(**CENC, **FRAGMENTED)
    lead = parts(h264(**FRAGMENTED), *FRAGMENTS)
    return parts(encrypted, b"ftyp", b"moov") + lead + parts(encrypted, *FRAGMENTS)


def clear_part_before() -> bytes:
    """A complete clear file before an encrypted one, as players join them."""
    kinds = (b"ftyp", b"moov", *FRAGMENTS)
    return parts(h264(**FRAGMENTED), *kinds) + parts(h264(**CENC, **FRAGMENTED), *kinds)


def clear_header(*kinds: bytes, has_clear_lead: bool = False) -> bytes:
    """Encrypted fragments after a header for clear packets, perhaps with clear fragments between.

    Of the boxes that tell of encrypted samples, only these kinds are left.
    """
    clear, encrypted = h264(**FRAGMENTED), h264(**CENC, **FRAGMENTED)
    fragments = parts(encrypted, *FRAGMENTS)
    for kind in {b"senc", b"saio", b"saiz"} - set(kinds):
        fragments = fragments.replace(kind, b"free")
    clear_fragments = parts(clear, *FRAGMENTS) if has_clear_lead else b""
    return parts(clear, b"ftyp", b"moov") + clear_fragments + fragments


def piff() -> bytes:
    """Sample encryption in a box of Microsoft's Smooth Streaming."""
    identity = bytes.fromhex("a2394f525a9b4f14a2446c427c648df4")
    data = h264(**FRAGMENTED)
    first = next(part for kind, part in boxes(data) if kind == b"moof")
    head, fragment = (part for _, part in boxes(first, 8))
    fragment = box(b"traf", fragment[8:], box(b"uuid", identity, bytes(8)))
    return data.replace(first, box(b"moof", head, fragment))


def two_sample_entries() -> bytes:
    """A sample entry for clear packets before the one for encrypted packets."""
    clear: list[bytes] = []

    def keep(entries: bytes) -> bytes:
        clear.append(entries[16:])
        return entries

    edited(h264(), SAMPLE_ENTRIES, keep)
    return edited(
        h264(**CENC),
        SAMPLE_ENTRIES,
        lambda entries: box(b"stsd", bytes(4), b"\0\0\0\2", clear[0], entries[16:]),
    )


def content_encryption(codec: str, container: str, key_id: bytes) -> bytes:
    """A Matroska track with ContentEncodings; FFmpeg tells of it only if it has a key."""
    key = element(b"\x47\xe2", key_id) if key_id else b""
    encryption = element(b"\x50\x35", element(b"\x47\xe1", b"\5"), key)
    encoding = element(b"\x62\x40", element(b"\x50\x33", b"\1"), encryption)
    options = H264 if codec == "libx264" else {}
    data = clip(codec, container, frames=30, options=options, container_options={"live": "1"})
    return in_track(data, element(b"\x6d\x80", encoding))


def windows_media_drm() -> bytes:
    texts = b"".join(struct.pack("<I", len(text)) + text for text in (b"\1\2", b"DRM\0", b"k\0"))
    content = texts + struct.pack("<I", 2) + b"u\0"
    guid = bytes.fromhex("fbb3112223bdd211b4b700a0c955fc6e")
    data = clip("wmv2", "asf", frames=30)
    return in_asf_header(data, guid + struct.pack("<Q", 24 + len(content)) + content)


def with_filtered_tag() -> bytes:
    """Set the bit for encryption in the first tag after the metadata."""
    data = bytearray(h264("flv"))
    at = 13 + 11 + int.from_bytes(data[14:17], "big") + 4
    data[at] |= 0x20
    return bytes(data)


ENCRYPTED: dict[str, Callable[[], bytes]] = {
    "cenc h264": lambda: h264(**CENC),
    "cenc hevc": lambda: hevc(**CENC),
    "cenc h264 fragmented": lambda: h264(**CENC, **FRAGMENTED),
    "cenc hevc fragmented": lambda: hevc(**CENC, **FRAGMENTED),
    "cenc mov": lambda: h264("mov", **CENC),
    "cbcs h264": lambda: cbcs(h264(**CENC)),
    "cbcs hevc": lambda: cbcs(hevc(**CENC)),
    "header only": lambda: without_packet_information(h264(**CENC)),
    "header only, hevc": lambda: without_packet_information(hevc(**CENC)),
    "header only, fragmented": lambda: without_packet_information(h264(**CENC, **FRAGMENTED)),
    "packets only": lambda: h264(**CENC).replace(b"encv", b"avc1"),
    "FairPlay": lambda: h264().replace(b"avc1\0", b"drmi\0"),
    "clear lead": clear_lead,
    "clear part before": clear_part_before,
    "clear header": lambda: clear_header(b"senc", b"saiz", b"saio"),
    "clear header, only senc": lambda: clear_header(b"senc"),
    "clear header, only saiz": lambda: clear_header(b"saiz", b"saio"),
    "clear header and lead": lambda: clear_header(b"senc", b"saiz", b"saio", has_clear_lead=True),
    "clear header, PIFF": piff,
    "clear sample entry": lambda: h264(**CENC).replace(b"encv", b"avc1").replace(b"sinf", b"free"),
    "two sample entries": two_sample_entries,
    "matroska": lambda: content_encryption("libx264", "matroska", b"0123456789abcdef"),
    "webm": lambda: content_encryption("libvpx-vp9", "webm", b"0123456789abcdef"),
    "matroska without key": lambda: content_encryption("libx264", "matroska", b""),
    "HLS SAMPLE-AES": lambda: with_stream_type(h264("mpegts"), 0xDB),
    "scrambled transport stream": lambda: scrambled(h264("mpegts")),
    "Windows Media DRM": windows_media_drm,
    "FLV with encrypted tags": with_filtered_tag,
    "Adobe Access": lambda: in_flv(h264("flv"), b"\2\0\x11|AdditionalHeader\3\0\0\x09"),
}


@pytest.mark.parametrize("name", ENCRYPTED)
def test_an_encrypted_video_is_refused_before_any_frame_is_decoded(name: str) -> None:
    with pytest.raises(EncryptedVideoError, match="the video is encrypted: .*decrypt it first"):
        open_video(io.BytesIO(ENCRYPTED[name]()))


def test_most_of_them_would_give_frames() -> None:
    """Without the check, a codec takes encrypted packets for damaged ones."""
    shown = 0
    for name in ("cenc h264", "header only", "clear part before", "two sample entries"):
        with av.open(io.BytesIO(ENCRYPTED[name]())) as container:
            for packet in container.demux(video=0):
                try:
                    shown += len(packet.decode()) > 0
                except av.error.FFmpegError:
                    continue
    assert shown > 0


def test_an_encrypted_video_is_not_passed_over_for_a_clear_one() -> None:
    """What is clear beside it may be a trailer. It can be chosen."""
    data = joined("mp4", Track(large(), DEFAULT), Track(small()), options=CENC)
    encrypted, _, second = data.rpartition(b"encv")
    data = encrypted + b"avc1" + without_packet_information(second.replace(b"sinf", b"free"))
    for number in (None, 0):
        with pytest.raises(EncryptedVideoError):
            open_video(io.BytesIO(data), video_stream=number)
    open_video(io.BytesIO(data), video_stream=1).close()


@pytest.mark.parametrize("codec", ["libx264", "mpeg2video", "libvpx-vp9"])
def test_it_is_not_if_ffmpeg_cannot_make_anything_of_its_packets(codec: str) -> None:
    options = H264 if codec == "libx264" else {}
    track = clip(codec, "mp4", options=options, size=(320, 240), frames=40)
    data = bytearray(joined("mp4", Track(track, DEFAULT), Track(small())))
    with av.open(io.BytesIO(data)) as container:
        places = [(each.pos, each.size) for each in container.demux(video=0) if each.size]
    for start, size in places:
        data[start : start + size] = b"\xa5" * size
    entry = {"libx264": b"avc1", "mpeg2video": b"mp4v", "libvpx-vp9": b"vp09"}[codec]
    with_entry = data.replace(entry + bytes(6), b"encv" + bytes(6), 1)
    assert with_entry != data
    for number in (None, 0):
        with pytest.raises(EncryptedVideoError):
            open_video(io.BytesIO(with_entry), video_stream=number)
    open_video(io.BytesIO(with_entry), video_stream=1).close()


@pytest.mark.parametrize("decoder", ["process", "thread"])
def test_the_error_keeps_its_kind(decoder: str) -> None:
    with make_decoder(decoder, 1) as decoders, pytest.raises(EncryptedVideoError) as caught:
        decoders.open(io.BytesIO(ENCRYPTED["cenc h264"]()))
    assert isinstance(caught.value, DecodeError)
    assert caught.value.stage == "demux"


@pytest.mark.parametrize(
    "data",
    [
        h264(**FRAGMENTED),
        # A name that only looks like that of an encrypted sample entry.
        in_sample_entry(h264(), box(b"free", b"encv sinf tenc senc saiz")),
        in_track(h264("matroska", live="1"), b""),
        with_stream_type(h264("mpegts"), 0x1B),
        in_flv(h264("flv"), b"\2\0\x04none\3\0\0\x09"),
    ],
    ids=["fragmented", "encv in a box", "matroska", "transport stream", "flv"],
)
def test_clear_videos_are_decoded(data: bytes) -> None:
    with open_video(io.BytesIO(data)) as video:
        for frame in video.candidates(25.0):
            assert number_in(frame.to_rgb()) == frame.frame_id


@pytest.mark.parametrize(
    "extra",
    [
        box(b"senc", bytes(8)),
        box(b"uuid", bytes(16), b"senc"),
        box(b"saiz", b"\0\0\0\1", b"gyro", bytes(9)),
    ],
    ids=["no sample", "another uuid", "sizes of other information"],
)
def test_boxes_of_other_information_are_ignored(extra: bytes) -> None:
    data = edited(h264(), [b"moov", b"trak"], lambda track: box(b"trak", track[8:], extra))
    open_video(io.BytesIO(data)).close()


def test_encrypted_fragments_of_another_track_do_not_count() -> None:
    """The sound may be encrypted."""
    with Window(io.BytesIO(clear_header(b"senc"))) as window:
        assert "box senc" in later_encryption(window, 1)
        assert later_encryption(window, 2) == ""


@pytest.mark.parametrize(
    ("container", "comment"),
    [
        ("flv", {"comment": "|AdditionalHeader"}),
        ("asf", {"encryption": "none", "ASF_Key_ID": "none"}),
        ("mp4", {"comment": "encv senc"}),
        ("matroska", {"comment": "ContentEncryption"}),
    ],
)
def test_words_in_the_metadata_say_nothing(container: str, comment: dict[str, str]) -> None:
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output, av.open(io.BytesIO(h264())) as source:
        output.metadata.update(comment)
        stream = output.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.size:
                packet.stream = stream
                output.mux(packet)
    assert all(word.encode() in file.getvalue().replace(b"\0", b"") for word in comment.values())
    open_video(file).close()


def test_joined_clear_recordings_are_decoded() -> None:
    data = parts(h264(**FRAGMENTED), b"ftyp", b"moov", *FRAGMENTS) * 2
    with open_video(io.BytesIO(data)) as video:
        assert len(list(video.candidates(25.0))) > 60


@pytest.mark.skipif(not CASES.is_dir(), reason="needs ../shared/cases")
def test_a_file_from_the_field() -> None:
    with (CASES / "cenc.mp4").open("rb") as file, pytest.raises(EncryptedVideoError):
        open_video(file)
