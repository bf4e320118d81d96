"""Videos in their own URL: read where `access` allows it, within the limits, and never shown."""

import base64
from urllib.parse import quote

import pytest

from spark_keyframes import Access, Limits
from spark_keyframes.errors import (
    AccessError,
    InvalidBase64Error,
    LimitError,
    SourceReadError,
    UnsupportedSchemeError,
)
from spark_keyframes.redaction import redact_url
from spark_keyframes.storage import check_writable, open_url, write_url
from spark_keyframes.video import candidate_frames, open_source
from tests.video.clips import clip

DATA = bytes(range(256)) * 40
BASE64 = base64.b64encode(DATA).decode()
URLS = [
    f"data:video/mp4;base64,{BASE64}",
    f"DATA:video/mp4;codecs=avc1;BASE64,{BASE64}",
    f"data:;base64,{quote(BASE64)}",
    f"data:,{quote(DATA)}",
    f"data:application/octet-stream,{quote(DATA)}",
]


@pytest.mark.parametrize("url", URLS)
def test_the_bytes_of_a_data_url(url):
    with open_source(url) as source:
        assert source.file.read() == DATA
        assert source.stem == "video"
        assert BASE64[:8] not in source.name
        assert f"({len(url):,} characters)" in source.name


def test_a_video_in_its_url():
    url = f"data:video/mp4;base64,{base64.b64encode(clip('libx264', 'mp4', frames=10)).decode()}"
    assert [frame.frame_id for frame in candidate_frames(url, fps=5)] == [0, 5]


@pytest.mark.parametrize("url", URLS)
def test_access_and_limits_apply(url):
    with open_url(url, access=Access(allowed_schemes=("data",))) as file:
        assert file.read() == DATA
    for access in (Access(allowed_schemes=("https", "file")), Access(allowed_hosts=("a.com",))):
        with pytest.raises(
            AccessError, match=r"(?i)data:.*characters\) has (scheme 'data'|host '')"
        ):
            open_url(url, access=access)
    with open_url(url, limits=Limits(max_download_bytes=len(DATA))) as file:
        assert file.read() == DATA
    with pytest.raises(LimitError, match=f"max_download_bytes={len(DATA) - 1}: {len(DATA)}"):
        open_url(url, limits=Limits(max_download_bytes=len(DATA) - 1))


def test_a_wrong_data_url():
    with pytest.raises(InvalidBase64Error, match="character '!' .* at position 26 of 27"):
        open_url("data:video/mp4;base64,QUJD!")
    with pytest.raises(SourceReadError, match="has no data"):
        open_url("data://video/mp4")


def test_nothing_is_written_to_a_data_url():
    for call in (check_writable, lambda url: write_url(url, b"x", content_type="image/jpeg")):
        with pytest.raises(UnsupportedSchemeError, match="cannot write to a data URL"):
            call("data:,x")


def test_a_data_url_is_shown_by_its_type_and_length():
    assert redact_url("data:video/mp4;base64,QUJD") == "data:video/mp4… (26 characters)"
    assert redact_url("data:;base64,QUJD") == "data:… (17 characters)"
