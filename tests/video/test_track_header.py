"""Headers are read within bounds, whatever they hold."""

from __future__ import annotations

import io

import numpy as np
import pytest

from spark_keyframes.errors import LimitError
from spark_keyframes.video.header_parts import NO_CROP, TrackHeader, Window
from spark_keyframes.video.mp4_header import later_encryption
from spark_keyframes.video.track_header import read_track_header

from .boxes import box, element, in_sample_entry, in_track
from .test_encryption import CENC, FRAGMENTED, h264
from .test_view import CLAP, matroska_crop

MP4, MATROSKA = "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"


def header_of(data: bytes, container: str) -> TrackHeader:
    return read_track_header(io.BytesIO(data), container, stream_id=1, number=0)


@pytest.mark.parametrize(
    ("data", "container", "start"),
    [
        (in_sample_entry(h264(**CENC), CLAP), MP4, b"moov"),
        (in_track(h264("matroska", live="1"), matroska_crop(1, 2, 3, 4)), MATROSKA, b"\x1a"),
    ],
    ids=["mp4", "matroska"],
)
def test_no_damaged_header_raises(data: bytes, container: str, start: bytes) -> None:
    assert header_of(data, container).crop != NO_CROP
    random = np.random.default_rng(1)
    first = data.index(start)
    last = min(first + 1500, len(data))
    changed = 0
    for _ in range(400):
        damaged = bytearray(data)
        for at in random.integers(first, last, random.integers(1, 4)):
            damaged[at] = random.choice([0, 1, 0x7F, 0xFF, random.integers(256)])
        cut = bytes(damaged[: random.integers(first, len(data) + 1)])
        for each in (bytes(damaged), cut):
            header = header_of(each, container)
            changed += header != header_of(data, container)
            with Window(io.BytesIO(each)) as window:
                later_encryption(window, 1)
    assert changed > 30


def test_a_long_header_is_read_too() -> None:
    """One that is too long to be searched first."""
    free = box(b"free", bytes(1 << 21))
    assert header_of(in_sample_entry(h264(), CLAP + free), MP4).crop == (18, 14, 20, 12)
    void = element(b"\xec", bytes(1 << 21))
    data = in_track(h264("matroska", live="1"), void + matroska_crop(1, 2, 3, 4))
    assert header_of(data, MATROSKA).crop == (1, 2, 3, 4)


def test_tracks_after_the_clusters_are_found_by_the_index() -> None:
    segment, seek_head, tracks = b"\x18\x53\x80\x67", b"\x11\x4d\x9b\x74", b"\x16\x54\xae\x6b"
    cluster = element(b"\x1f\x43\xb6\x75", bytes(100))
    track = element(tracks, element(b"\xae", element(b"\x83", b"\1"), matroska_crop(1, 2, 3, 4)))

    def with_index(position: int) -> bytes:
        entry = element(b"\x53\xab", tracks), element(b"\x53\xac", position.to_bytes(4, "big"))
        return element(segment, element(seek_head, element(b"\x4d\xbb", *entry)), cluster, track)

    position = with_index(0).index(tracks + b"\x01") - 12
    for data in (with_index(position), b"".join([with_index(position), bytes(5)])):
        assert header_of(data, MATROSKA).crop == (1, 2, 3, 4)
    assert header_of(with_index(1 << 31), MATROSKA) == TrackHeader()


def test_the_file_keeps_its_position() -> None:
    file = io.BytesIO(h264(**FRAGMENTED))
    file.seek(77)
    read_track_header(file, MP4, stream_id=1, number=0)
    assert file.tell() == 77


def test_a_header_of_very_many_elements_is_refused() -> None:
    """To look at a million takes seconds, and FFmpeg skips them."""
    voids = b"\xec\x80" * 200_000
    data = in_track(h264("matroska", live="1"), voids + matroska_crop(1, 2, 3, 4))
    with pytest.raises(LimitError, match="more than 100000 elements; .*remux"):
        header_of(data, MATROSKA)
