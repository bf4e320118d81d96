"""What is fetched from a server for a part of a video: little more than its GOPs."""

import functools
import io
import tempfile
import time
from pathlib import Path

import av
import numpy as np
import pytest

from spark_keyframes.errors import LimitError
from spark_keyframes.limits import Limits
from spark_keyframes.storage import open_url
from spark_keyframes.storage.download import parts, ranged
from spark_keyframes.video import Window, make_decoder, needed_packets, open_source
from tests.storage.range_server import RangeServer
from tests.video.clips import H264, clip, number_in, picture

_FRAMES, _GOP, _FPS = 120, 10, 25.0
_ENDS = ("mp4", "moov first", "matroska")


def noisy(number, width, height):
    """Draw a frame that cannot be compressed; the number stays legible above."""
    noise = np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8)
    noise[: height // 4] = picture(number, width, height)[: height // 4]
    return noise


@functools.cache
def videos(size):
    """The same packets as an MP4 with its index at the end or in front, and as Matroska."""
    options = {**H264, "crf": "1", "preset": "ultrafast"}
    data = clip("libx264", "mp4", options=options, draw=noisy, frames=_FRAMES, gop=_GOP, size=size)
    found = {"mp4": data}
    for name, container, flags in (
        ("moov first", "mp4", {"movflags": "faststart"}),
        ("matroska", "matroska", {}),
    ):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "clip"
            original = av.open(io.BytesIO(data))
            with original, av.open(path, "w", format=container, options=flags) as output:
                stream = output.add_stream_from_template(original.streams.video[0])
                for packet in original.demux(video=0):
                    if packet.size:
                        packet.stream = stream
                        output.mux(packet)
            found[name] = path.read_bytes()
    return found


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with RangeServer(b"") as server:
        yield server


def sampled(url, window, decoder="thread"):
    """The numbers that the candidates in a window show, and their ids and times."""
    with (
        make_decoder(decoder, 1) as opened,
        open_source(url, whole=window.is_whole) as source,
        opened.open(source.file, window=window) as video,
    ):
        return [
            (number_in(frame.rgb), frame.frame_id, frame.timestamp)
            for frame in video.candidates(_FPS, hold=False)
        ]


def check(server, data, name, decoder, unit):
    """Sample three windows; `unit` is a megabyte, or less where all sizes are divided."""
    server.data = data
    assert len(data) > 24 * unit
    assert (data.find(b"moov") < data.find(b"mdat")) == (name == "moov first")
    whole = [(i, i, i / _FPS) for i in range(_FRAMES)]
    for start, end in ((0.0, 0.4), (2.0, 2.4), (4.4, 9.0)):
        server.ranges.clear()
        assert sampled(server.url, Window(start, end), decoder) == [
            frame for frame in whole if start <= frame[2] < end
        ]
        fetched = sum(stop - begin for begin, stop in server.ranges)
        gop = len(data) * _GOP / _FRAMES
        # The first request asks for 4 MB. At each jump, up to 5 MB are fetched ahead.
        if name == "matroska":
            most = end * _FPS / _FRAMES * len(data) + 3 * gop + 7 * unit
        else:
            most = 4 * unit + gop + 11 * unit
        assert fetched <= most, server.ranges


@pytest.mark.parametrize("name", _ENDS)
def test_only_what_a_window_needs_is_fetched(server, name, monkeypatch):
    """With all sizes divided by 16."""
    block = 16 << 10
    monkeypatch.setattr(parts, "BLOCK", block)
    monkeypatch.setattr("spark_keyframes.storage.http.http_storage.BLOCK", block)
    monkeypatch.setattr("spark_keyframes.video.container.BUFFER_SIZE", block)
    monkeypatch.setattr(ranged, "FIRST_PART", 16 * block)
    monkeypatch.setattr(parts, "FIRST_PART", 16 * block)
    monkeypatch.setattr(parts, "_AHEAD", 16 * block)
    monkeypatch.setattr(parts, "_READER_PART", 4 * block)
    monkeypatch.setattr(needed_packets, "LEAST_BYTES", 0)
    check(server, videos((160, 96))[name], name, "thread", 4 * block)


@pytest.mark.slow
@pytest.mark.parametrize("decoder", ["thread", "process"])
@pytest.mark.parametrize("name", _ENDS)
def test_only_what_a_window_needs_is_fetched_of_a_large_file(server, name, decoder):
    check(server, videos((640, 360))[name], name, decoder, 1 << 20)


@pytest.mark.slow
def test_the_time_between_two_reads_does_not_count(server):
    """A part is fetched while it is decoded, which may take longer than a download may."""
    server.data = bytes(20 << 20)
    limits = Limits(max_download_seconds=3.0)
    with open_url(server.url, limits=limits, whole=False) as file:
        for place in (0, 10 << 20, 19 << 20):
            file.seek(place)
            assert file.read(1000) == bytes(1000)
            time.sleep(1.2)
    with open_url(server.url, limits=limits) as file:
        server.hold = lambda start, stop: start >= 16 << 20
        time.sleep(3.1)
        file.seek(19 << 20)
        with pytest.raises(LimitError, match="max_download_seconds=3"):
            file.read(1000)


def test_the_whole_video_is_fetched_as_before(server):
    server.data = videos((160, 96))["mp4"] + bytes(8 << 20)
    assert len(sampled(server.url, Window())) == _FRAMES
    assert sum(stop - begin for begin, stop in server.ranges) == len(server.data)
