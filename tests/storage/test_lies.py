"""Lies of a server one by one, over HTTP, as TOS and as S3."""

import time
from dataclasses import replace

import pytest

from spark_keyframes.errors import (
    HttpStatusError,
    KeyframesError,
    LimitError,
    SourceNotFoundError,
    SourceReadError,
    StorageWriteError,
)
from spark_keyframes.limits import Limits
from spark_keyframes.storage import open_url, retry, write_url
from spark_keyframes.storage.download import parts
from tests.storage.lying_server import BLOCK, ERRORS, TRUTH, VERSIONS, Lie

SMALL, LARGE = 3 * BLOCK, 15 * BLOCK + 100
CUT = {"sent": 0.5, "end": "close"}


def read(url, **limits):
    with open_url(url, limits=Limits(**limits)) as file:
        return file.read()


@pytest.fixture
def site(lying_site):
    """A function that gives the URL of a new file, whose next answers are lies."""
    return lambda size, *told: lying_site(size, told)[0]


@pytest.mark.parametrize("framing", ["close", "chunked", "chunked and length", "length"])
@pytest.mark.parametrize(("size", "before"), [(SMALL, 0), (LARGE, 0), (LARGE, 2)])
def test_a_part_that_ends_early_is_continued(site, framing, size, before):
    lie = Lie(framing=framing, **CUT)
    url = site(size, *[TRUTH] * before, lie, lie)
    assert read(url, max_download_seconds=20) == VERSIONS[0][:size]


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["small", "large"])
def test_parts_that_always_end_early_are_an_error(site, size):
    url = site(size, *[Lie(framing="close", sent=0.0)] * 1000)
    with pytest.raises(SourceReadError, match="in 4 attempts: .*(received 0 of|not announce)"):
        read(url, max_download_seconds=20)


@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["small", "large"])
def test_a_part_that_is_longer_than_asked_is_an_error(site, size):
    url = site(size, *[Lie(framing="close", sent=500.0)] * 1000)
    with pytest.raises(SourceReadError, match="sent more than the|not announce"):
        read(url, max_download_seconds=20)


@pytest.mark.parametrize("wrong", ["first", "last", "garbage", "missing", "backwards"])
def test_a_part_of_other_bytes_is_not_stored(site, wrong):
    url = site(LARGE, TRUTH, *[Lie(content_range=wrong)] * 1000)
    with pytest.raises(SourceReadError, match="changed while it was read|not announce"):
        read(url, max_download_seconds=20)


@pytest.mark.parametrize("lying_site", ["http"], indirect=True)  # TOS always announces a length
def test_a_connection_that_breaks_after_the_last_byte_of_a_part_costs_nothing(site):
    size = 24 * BLOCK  # more parts than threads
    url = site(size, TRUTH, *[Lie(framing="no last chunk")] * 1000)
    assert read(url, max_download_seconds=20) == VERSIONS[0][:size]


@pytest.mark.parametrize("lying_site", ["http"], indirect=True)
def test_a_part_of_a_file_of_another_length_is_not_stored(site):
    url = site(LARGE, TRUTH, *[Lie(total=BLOCK)] * 1000)
    with pytest.raises(SourceReadError, match=f"from {LARGE} bytes to {LARGE + BLOCK}"):
        read(url, max_download_seconds=20)


def test_a_file_whose_length_is_known_from_its_first_part_is_compared_with_it(site):
    """Without a strong tag the whole file is requested next. That answer has no length."""
    untagged = Lie(tag="missing")
    whole = Lie(status=200, framing="close", **CUT)
    url = site(LARGE, untagged, whole, untagged, replace(whole, sent=1.0))
    assert read(url) == VERSIONS[0][:LARGE]


@pytest.mark.parametrize("lying_site", ["tos", "s3"], indirect=True)  # HTTP has no checksums
@pytest.mark.parametrize("length", [-SMALL, -1])
def test_a_whole_object_is_compared_with_its_checksum(site, length):
    url = site(SMALL, *[Lie(status=200, length=length)] * 2)
    assert read(url) == VERSIONS[0][:SMALL]


@pytest.mark.parametrize("status", [400, 403, 503])
@pytest.mark.parametrize("error", ERRORS)
def test_an_error_with_an_odd_body_is_an_error_of_this_package(site, status, error):
    with pytest.raises(KeyframesError):
        read(site(SMALL, *[Lie(status=status, error=error)] * 100), max_download_seconds=20)


def test_an_error_without_end_is_not_read_to_its_end(site):
    with pytest.raises((SourceNotFoundError, HttpStatusError), match="404"):
        read(site(SMALL, Lie(status=404, framing="close", end="endless")), max_download_seconds=20)


@pytest.mark.parametrize("end", ["endless", "stall"])
def test_a_negative_chunk_is_not_read_into_memory(site, end):
    url = site(SMALL, Lie(status=200, framing="negative chunk", end=end))
    assert read(url, max_download_seconds=20) == VERSIONS[0][:SMALL]


def test_a_block_that_nobody_fetches_is_waited_for_until_the_deadline(site, monkeypatch):
    monkeypatch.setattr(parts.PartFetcher, "_fetch", lambda self, *span: None)
    with pytest.raises(LimitError, match=r"max_download_seconds=0\.3"):
        read(site(LARGE), max_download_seconds=0.3)


@pytest.mark.parametrize("head", ["trickle", "continue for ever"])
@pytest.mark.parametrize("status", [0, 302, 503])
def test_headers_without_end_end_at_the_deadline(site, head, status):
    begin = time.monotonic()
    with pytest.raises(LimitError, match=r"max_download_seconds=0\.3"):
        read(site(LARGE, TRUTH, *[Lie(head=head, status=status)] * 1000), max_download_seconds=0.3)
    assert time.monotonic() - begin < 10


@pytest.mark.parametrize("lying_site", ["tos", "s3"], indirect=True)
@pytest.mark.parametrize("head", ["trickle", "continue for ever"])
def test_an_upload_whose_answer_does_not_end_is_given_up(site, monkeypatch, head):
    monkeypatch.setattr(retry, "UPLOAD_SECONDS", 0.0)
    url = site(SMALL, *[Lie(head=head)] * 1000)
    begin = time.monotonic()
    with pytest.raises(StorageWriteError, match="could not store"):
        write_url(url, b"data", content_type="image/jpeg")
    assert time.monotonic() - begin < 10
