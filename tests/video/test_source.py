"""URLs, base64 and bytes open the same video; invalid values are refused."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest

from spark_keyframes.errors import (
    InvalidBase64Error,
    ParameterError,
    SourceNotFoundError,
    SourceReadError,
    SourceTypeError,
)
from spark_keyframes.video import candidate_frames, open_source, open_video

from .clips import clip_named

SHARED = Path(__file__).parents[3] / "shared" / "videos" / "intel__car-detection.mp4"


def test_a_source_from_a_path_has_its_name_stem_and_identity(tmp_path: Path) -> None:
    path = tmp_path / "cooking show.mp4"
    path.write_bytes(b"abc")
    with open_source(str(path)) as source:
        assert source.name == str(path)
        assert source.stem == "cooking show"
        assert source.identity == hashlib.sha256(str(path).encode()).hexdigest()
        assert source.format_hint is None
        assert source.is_at_hand
        assert source.file.read() == b"abc"
    assert source.file.closed


def test_the_stem_of_a_file_url_is_unquoted(tmp_path: Path) -> None:
    path = tmp_path / "cooking show.mp4"
    path.write_bytes(b"abc")
    with open_source(path.as_uri()) as source:
        assert source.stem == "cooking show"
        assert source.file.read() == b"abc"


def test_base64_and_binary_give_the_same_bytes_and_identity() -> None:
    data = bytes(range(256)) * 10
    text = base64.b64encode(data).decode()
    lines = "\n".join(text[i : i + 76] for i in range(0, len(text), 76))
    identities = set()
    for value, kind in [
        (data, "video_binary"),
        (bytearray(data), "video_binary"),
        (memoryview(data), "video_binary"),
        (memoryview(b"".join(bytes([byte, 0]) for byte in data))[::2], "video_binary"),
        (text, "video_base64"),
        (text.encode(), "video_base64"),
        (lines + "\r\n", "video_base64"),
        (f"data:video/mp4;base64,{text}", "video_base64"),
        (f"data:video/mp4;codecs=avc1;base64,{lines}", "video_base64"),
    ]:
        with open_source(value, video_src_type=kind, video_format="mkv") as source:  # type: ignore[arg-type]
            assert source.file.read() == data
            assert source.file.seek(10) == 10
            assert source.file.read(3) == data[10:13]
            assert source.name == f"{kind} (2560 bytes)"
            assert (source.stem, source.format_hint) == ("video", "mkv")
            identities.add(source.identity)
    assert identities == {hashlib.sha256(data).hexdigest()}


@pytest.mark.parametrize(
    ("value", "match"),
    [
        ("not base64!", "is not base64"),
        ("AAAAA", "is not base64"),
        ("ÄÖÜ", r"character '\\xc4' .* at position 0 of 3"),
        ("data:video/mp4,abc", "data URL without base64"),
        ("file:///etc/passwd", "is not base64"),
    ],
)
def test_invalid_base64_is_refused(value: str, match: str) -> None:
    with pytest.raises(InvalidBase64Error, match=match):
        open_source(value, video_src_type="video_base64")


@pytest.mark.parametrize("value", ["http://me:s3cr3t@h/a", "data:s3cr3t,abc", "s3cr3t!"])
def test_invalid_base64_is_not_quoted(value: str) -> None:
    with pytest.raises(InvalidBase64Error) as caught:
        open_source(value, video_src_type="video_base64")
    assert "s3cr3t" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "kind", "match"),
    [
        (b"bytes", "video_url", "needs a string, got bytes; use video_src_type='video_binary'"),
        ("text", "video_binary", "needs bytes, got str; use video_src_type='video_url'"),
        (3, "video_base64", "needs a string, got int"),
        (None, "video_url", "the video is null"),
        (None, "video_binary", "the video is null"),
        ("", "video_url", "is empty"),
        ("  ", "video_url", "is empty"),
        (b"", "video_binary", "is empty"),
        ("", "video_base64", "is empty"),
    ],
)
def test_values_of_another_type_are_refused(value: object, kind: str, match: str) -> None:
    with pytest.raises(SourceTypeError, match=match):
        open_source(value, video_src_type=kind)  # type: ignore[arg-type]


def test_an_unknown_video_src_type_is_refused() -> None:
    with pytest.raises(ParameterError, match="must be one of 'video_url'"):
        open_source("a.mp4", video_src_type="url")  # type: ignore[arg-type]


def test_the_error_names_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match=r"missing\.mp4"):
        open_source(str(tmp_path / "missing.mp4"))


def test_candidate_frames_of_a_path_and_of_bytes(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    path.write_bytes(clip_named("h264 mp4"))
    for source in (path, str(path), path.read_bytes()):
        frames = list(candidate_frames(source, fps=0.5))
        assert [(f.frame_id, f.timestamp) for f in frames] == [(0, 0.0), (50, 2.0)]


def test_candidate_frames_refuses_an_invalid_fps_before_it_opens_the_video() -> None:
    with pytest.raises(ParameterError, match="fps must be greater than 0, got 0"):
        candidate_frames("missing.mp4", fps=0)


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.exists(), reason="no real clips in ../shared/videos")
def test_path_base64_and_binary_give_the_same_candidates() -> None:
    data = SHARED.read_bytes()
    results = []
    for value, kind in [
        (str(SHARED), "video_url"),
        (data, "video_binary"),
        (memoryview(data), "video_binary"),
        (base64.b64encode(data).decode(), "video_base64"),
    ]:
        source = open_source(value, video_src_type=kind)  # type: ignore[arg-type]
        with source, open_video(source.file, format_hint=source.format_hint) as video:
            results.append(
                [
                    (f.frame_id, f.timestamp, hashlib.sha256(f.to_rgb()).hexdigest())
                    for f in video.candidates(1.0)
                ]
            )
    assert len(results[0]) == 31
    assert results[1:] == results[:1] * 3


def test_the_error_for_an_invalid_url_shows_no_password() -> None:
    with pytest.raises(SourceReadError, match="is not a valid URL") as caught:
        open_source("http://user:s3cr3t@ex\u2100mple.com/a.mp4")
    assert "s3cr3t" not in str(caught.value)
    assert caught.value.__suppress_context__
