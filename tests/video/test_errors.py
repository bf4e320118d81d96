"""Errors say what a file is if it is not a video. No file or URL that it names is opened."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import av
import numpy as np
import pytest

from spark_keyframes.errors import (
    DecodeError,
    NoFramesError,
    NotAVideoError,
    NoVideoStreamError,
    SourceReadError,
)
from spark_keyframes.video import open_video

from .clips import H264, clip, clip_named


def audio(codec: str, container: str, *, cover: bool = False) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=44100)
        picture = output.add_stream("png", rate=1) if cover else None
        if picture is not None:
            assert isinstance(picture, av.VideoStream)
            picture.width, picture.height, picture.pix_fmt = 32, 32, "rgb24"
            picture.disposition = av.stream.Disposition.attached_pic
            for packet in picture.encode(av.VideoFrame(32, 32, "rgb24")):
                output.mux(packet)
        samples = np.zeros((2, 44100), dtype=np.float32)
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="stereo")
        frame.sample_rate = 44100
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            output.mux(packet)
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "empty: 0 bytes"),
        (b"just some words\n" * 50, "^not a video but a text file$"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{path}\n#EXT-X-ENDLIST\n", "HLS playlist"),
        (b"ffconcat version 1.0\nfile '{path}'\n", "concat script"),
        (b'<?xml version="1.0"?><MPD><Period/></MPD>', "DASH manifest"),
        (b"v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n", "SDP session"),
        (b"<!DOCTYPE html><html>404</html>", "HTML page"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "PNG picture"),
        (b"PK\x03\x04" + bytes(100), "ZIP archive"),
        (b"root:$6$salt$hash:19000:0:99999:7:::\n", "^not a video but a text file$"),
        ("паролі: 密码\n".encode() * 100, "^not a video but a text file$"),
        (b"%PDF-1.7\n" + bytes(100), "PDF document"),
        (b"\x1f\x8b\x08\x00" + bytes(range(100)), "gzip data"),
        (b'{"password": "open sesame"}', "^not a video but JSON text$"),
        (bytes(600), "begins with zeros"),
        (b"a" * 257 + b"ustar\0" + bytes(249), "tar archive"),
        (bytes(range(128, 256)) * 50, "not in an allowed video format"),
        (clip_named("h264 mp4")[:3000], "index"),
    ],
)
@pytest.mark.parametrize("hint", [None, "mp4", "hls"])
def test_the_error_names_the_kind_of_file(
    data: bytes, match: str, hint: str | None, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.mp4"
    secret.write_bytes(clip_named("h264 mp4"))
    with pytest.raises(NotAVideoError, match=match):
        open_video(io.BytesIO(data.replace(b"{path}", str(secret).encode())), format_hint=hint)


@pytest.mark.parametrize(
    ("codec", "container", "cover"),
    [
        ("aac", "mp4", False),
        ("libmp3lame", "mp3", False),
        ("libmp3lame", "mp3", True),
    ],
)
def test_audio_is_not_a_video_even_with_a_cover_picture(
    codec: str, container: str, cover: bool
) -> None:
    with pytest.raises(NoVideoStreamError, match="holds no video stream, only audio"):
        open_video(io.BytesIO(audio(codec, container, cover=cover)))


def test_a_stream_without_packets_is_refused() -> None:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4", options={"movflags": "empty_moov"}) as output:
        output.add_stream("libx264", rate=25, width=96, height=64)
        output.start_encoding()
    with pytest.raises(NoFramesError, match="no packet"):
        open_video(file)


def test_packets_without_any_valid_data_are_refused() -> None:
    data = bytearray(clip("libx264", "mp4", options={**H264, "x264-params": "slices=1"}))
    start, stop = data.index(b"mdat") + 4, data.index(b"moov")
    data[start:stop] = bytes(stop - start)
    video = open_video(io.BytesIO(bytes(data)))
    with video, pytest.raises((DecodeError, NoFramesError), match="none of the video's"):
        list(video.candidates(1.0))


def test_the_error_for_an_unknown_codec_says_what_to_do() -> None:
    data = clip("mpeg4", "avi").replace(b"FMP4", b"ZZ9P")
    with pytest.raises(DecodeError, match="codec is unknown.*convert it to H.264"):
        open_video(io.BytesIO(data))


@pytest.mark.parametrize("codec", ["ffv1", "rawvideo"])
def test_a_header_with_a_huge_frame_size_is_refused(codec: str) -> None:
    """The header claims 16384×16384 pixels."""
    size, huge = struct.pack("<ii", 96, 64), struct.pack("<ii", 16384, 16384)
    video = open_video(io.BytesIO(clip(codec, "avi", frames=2).replace(size, huge)))
    with video, pytest.raises(DecodeError, match="more than 35651584 pixels, the max_pixels of"):
        list(video.candidates(1.0))


def test_the_format_hint_is_used_if_the_content_does_not_tell() -> None:
    """Three raw JPEG frames are too few for FFmpeg to recognize the format."""
    data = clip("mjpeg", "mjpeg", pix_fmt="yuvj420p", frames=3)
    with open_video(io.BytesIO(data), format_hint="mjpeg") as video:
        assert list(video.candidates(1.0))


def test_errors_of_reading_the_file_are_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell() > 5000:
                raise SourceReadError("the connection was lost")
            return super().read(size)

    monkeypatch.setattr("spark_keyframes.video.container.BUFFER_SIZE", 1024)
    for name in ("h264 mp4", "h264 ts from 10 s", "h264 mkv", "vp9 webm", "mjpeg avi"):
        with pytest.raises(SourceReadError, match="connection was lost"):
            open_video(Broken(clip_named(name)))
