"""What the header of a video says, of each container, and how little is read for it."""

import struct

import pytest

from spark_keyframes.errors import NotAVideoError
from spark_keyframes.limits import Limits
from spark_keyframes.video import make_decoder, open_source
from spark_keyframes.video.header import read_header
from tests.storage.range_server import RangeServer
from tests.video.clips import clip

MB = 2**20


def header_of(source, **more):
    kind = "video_url" if isinstance(source, str) else "video_binary"
    with (
        open_source(source, video_src_type=kind, whole=False) as opened,
        make_decoder("process", 1, limits=Limits()) as decoder,
    ):
        return read_header(opened, decoder, limits=Limits(), **more)


@pytest.mark.parametrize(
    ("codec", "container"),
    [("libx264", "mp4"), ("libx264", "matroska"), ("mpeg4", "avi"), ("libx264", "mpegts")],
)
def test_each_container_says_how_long_it_is(codec, container):
    found = header_of(clip(codec, container, frames=50, size=(160, 96)))
    assert found.seconds == pytest.approx(2.0, abs=0.1)
    assert found.fps == pytest.approx(25, rel=0.1)
    assert (found.width, found.height) == (160, 96)


def test_of_a_container_that_does_not_say_it_the_length_is_unknown():
    assert header_of(clip("libx264", "h264", frames=50)).seconds is None


def test_what_is_no_video_is_refused_as_by_the_job():
    with pytest.raises(NotAVideoError):
        header_of(b"no video at all" * 99)


def test_of_a_remote_file_little_more_than_the_header_is_read():
    video = clip("libx264", "mp4", frames=50)
    with RangeServer(video + struct.pack(">I4s", 40 * MB, b"free") + bytes(40 * MB - 8)) as server:
        assert header_of(server.url).seconds == pytest.approx(2.0, abs=0.1)
        assert sum(stop - start for start, stop in server.ranges) < 8 * MB
