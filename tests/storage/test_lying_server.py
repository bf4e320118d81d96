"""A server that lies at any point of a transfer: the exact bytes, or an error in time.

The number of runs is set by LYING_SERVER_RUNS, see docs/testing.md.
"""

import contextlib
import itertools
import os
import tempfile
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

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
from spark_keyframes.storage.download import parts, ranged
from spark_keyframes.storage.http import http_storage
from spark_keyframes.storage.tos import client as tos_client
from spark_keyframes.storage.tos import tos_storage
from tests.storage.lying_server import ERRORS, LONGEST, TRUTH, VERSIONS, Lie, LyingServer, Site
from tests.storage.tos_server import HOST
from tests.storage.web_server import without_proxies

BLOCK = 1 << 10
LATE = 10.0  # seconds after its deadline in which a transfer must have ended, on a busy machine
RUNS = int(os.environ.get("LYING_SERVER_RUNS", "0"))


@pytest.fixture(scope="module")
def server():
    with LyingServer() as server:
        yield server
    print(f"\noutcomes: {dict(outcomes)}; at most {latest[0]:.2f} s after the deadline")


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Sizes and times that are small enough for thousands of transfers."""
    for module in (parts, http_storage, tos_storage):
        monkeypatch.setattr(module, "BLOCK", BLOCK)
    for module in (parts, ranged):
        monkeypatch.setattr(module, "FIRST_PART", 4 * BLOCK)
    monkeypatch.setattr(parts, "_READER_PART", 2 * BLOCK)
    monkeypatch.setattr(http_storage, "TIMEOUT", (2.0, 0.2))
    monkeypatch.setattr(tos_client, "SOCKET_TIMEOUT", 0.2)
    monkeypatch.setattr(tos_client, "_built", None)
    monkeypatch.setattr("tos.clientv2.SLEEP_BASE_TIME", 0.0)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture(params=["http", "tos"])
def address(request, server, small, monkeypatch):
    """A function from the path of a site to its URL."""
    without_proxies(monkeypatch)
    if request.param == "http":
        return lambda path: server.url + path
    environment = {
        "ACCESS_KEY": "key",
        "SECRET_KEY": "secret",
        "TOS_ENDPOINT": f"http://{HOST}",
        "TOS_REGION": "cn-test",
        "TOS_ACCESS_KEY": "",
        "TOS_SECURITY_TOKEN": "",
        "http_proxy": server.url,
        "no_proxy": "",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return lambda path: f"tos://bucket{path}"


# One change of the truth each. Two of them together make one lie.
fractions = st.floats(0, 1)
some = st.integers(1, 3 * BLOCK)
changes = st.one_of(
    st.sampled_from(
        [
            *({"start": how} for how in ("reset", "close", "stall", "garbage", "long line")),
            *({"status": s} for s in (200, 204, 206, 302, 304, 400, 403, 404, 412, 416)),
            *({"status": s} for s in (408, 429, 500, 503)),
            *({"status": 503, "error": body} for body in ERRORS),
            *({"status": 400, "error": body} for body in ERRORS),
            *({"head": how} for how in ("trickle", "continue", "continue for ever", "long")),
            {"head": "malformed"},
            *({"extra": ("Content-Encoding", coding)} for coding in ("gzip", "br", "identity")),
            {"extra": ("x-tos-hash-crc64ecma", "x")},
            {"extra": ("Last-Modified", "x")},
            {"extra": ("Transfer-Encoding", "gzip")},
            {"extra": ("Connection", "close")},
            *(
                {"content_range": wrong}
                for wrong in (
                    "missing",
                    "first",
                    "last",
                    "garbage",
                    "unknown total",
                    "huge",
                    "backwards",
                )
            ),
            *({"tag": wrong} for wrong in ("missing", "weak", "other")),
            {"version": 1},
            *(
                {"framing": how}
                for how in (
                    "close",
                    "chunked",
                    "chunked and length",
                    "no last chunk",
                    "negative chunk",
                    "not a length",
                    "two lengths",
                )
            ),
            {"is_gzip": True, "status": 200},
        ]
    ),
    st.builds(lambda count, sign: {"total": count * sign}, some, st.sampled_from([-1, 1])),
    st.builds(lambda count, sign: {"length": count * sign}, some, st.sampled_from([-1, 1])),
    st.builds(
        lambda sent, end, framing: {"sent": sent, "end": end, "framing": framing},
        fractions,
        st.sampled_from(["close", "reset", "stall", "trickle", "endless"]),
        st.sampled_from(["length", "close", "chunked", "no last chunk"]),
    ),
    st.builds(
        lambda more, framing: {"sent": 1.0 + more, "framing": framing},
        some,
        st.sampled_from(["length", "close", "chunked"]),
    ),
)
lies = st.one_of(
    st.just(TRUTH),
    st.builds(lambda change: Lie(**change), changes),
    st.builds(lambda one, two: Lie(**{**one, **two}), changes, changes),
)
transfers = given(
    size=st.integers(0, LONGEST - 4 * BLOCK),
    told=st.lists(lies, max_size=10),
    damaged=st.booleans(),
    reads=st.lists(st.tuples(fractions, st.integers(0, 5 * BLOCK)), max_size=3),
    reads_all=st.sampled_from([True, True, True, False]),
    seconds=st.sampled_from([0.3, 1.0]),
)
numbers = itertools.count()
outcomes: Counter[str] = Counter()
latest = [0.0]


def transfer(url, reads, reads_all, seconds):
    """Return the pieces that were read, with their positions, and the whole file or the error."""
    pieces = []
    try:
        limits = Limits(max_download_seconds=seconds, max_download_bytes=10 * LONGEST)
        with open_url(url, limits=limits) as file:
            for where, count in reads:
                position = file.seek(int(where * LONGEST))
                pieces.append((position, file.read(count)))
            file.seek(0)
            return pieces, file.read() if reads_all else None
    except BaseException as error:  # noqa: BLE001 -- judged by the test
        return pieces, error


def check(server, address, size, told, damaged, reads, reads_all, seconds):
    path = f"/{next(numbers)}"
    url = address(path)
    if damaged and url.startswith("tos"):
        told = [replace(lie, is_damaged=number % 3 > 0) for number, lie in enumerate(told)]
    site = server.sites[path] = Site(size, told)
    result = []
    begin = time.monotonic()
    thread = threading.Thread(
        target=lambda: result.extend(transfer(url, reads, reads_all, seconds)), daemon=True
    )
    thread.start()
    thread.join(seconds + LATE)
    late = time.monotonic() - begin - seconds
    site.is_over.set()
    assert not thread.is_alive(), "the transfer does not end"
    latest[0] = max(latest[0], late)
    pieces, outcome = result
    if isinstance(outcome, BaseException):
        assert isinstance(outcome, KeyframesError), repr(outcome)
    if isinstance(outcome, bytes):
        assert site.is_possible(outcome), len(outcome)
    if not damaged or isinstance(outcome, bytes):  # only the whole file has a checksum
        assert all(site.is_piece(*piece) for piece in pieces)
    if all(lie == TRUTH for lie in told) and isinstance(outcome, BaseException):
        assert isinstance(outcome, LimitError)  # the machine is busy
    outcomes[type(outcome).__name__] += 1
    assert not [t for t in threading.enumerate() if t.name.startswith("download-")]
    folder = tempfile.gettempdir()
    assert list(Path(folder).iterdir()) == []
    assert not [fd for fd in open_files() if fd.startswith(folder)]
    del server.sites[path]


def open_files():
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            yield str(descriptor.readlink())


QUICK = {"deadline": None, "suppress_health_check": list(HealthCheck)}


@settings(max_examples=25, **QUICK)
@transfers
def test_a_transfer_gives_the_exact_bytes_or_an_error_in_time(server, address, **run):
    check(server, address, **run)


@pytest.mark.slow
@settings(max_examples=RUNS or 300, **QUICK)
@transfers
def test_many_transfers_give_the_exact_bytes_or_an_error_in_time(server, address, **run):
    check(server, address, **run)


# Lies one by one.

SMALL, LARGE = 3 * BLOCK, 15 * BLOCK + 100
CUT = {"sent": 0.5, "end": "close"}


def read(url, **limits):
    with open_url(url, limits=Limits(**limits)) as file:
        return file.read()


@pytest.fixture
def site(server, address):
    """A function that gives the URL of a new file, whose next answers are lies."""

    def add(size, *told):
        path = f"/{next(numbers)}"
        server.sites[path] = Site(size, told)
        return address(path)

    return add


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


@pytest.mark.parametrize("address", ["http"], indirect=True)  # TOS always announces a length
def test_a_file_whose_length_is_known_from_its_first_part_is_compared_with_it(site):
    """Without a strong tag the whole file is requested next. That answer has no length."""
    untagged = Lie(tag="missing")
    whole = Lie(status=200, framing="close", **CUT)
    url = site(LARGE, untagged, whole, untagged, replace(whole, sent=1.0))
    assert read(url) == VERSIONS[0][:LARGE]


@pytest.mark.parametrize("address", ["tos"], indirect=True)  # HTTP has no checksums
@pytest.mark.parametrize("length", [-SMALL, -1])
def test_a_whole_object_is_compared_with_its_checksum(site, length):
    url = site(SMALL, *[Lie(status=200, length=length)] * 2)
    assert read(url) == VERSIONS[0][:SMALL]


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
    assert time.monotonic() - begin < LATE


@pytest.mark.parametrize("address", ["tos"], indirect=True)
@pytest.mark.parametrize("head", ["trickle", "continue for ever"])
def test_an_upload_whose_answer_does_not_end_is_given_up(site, monkeypatch, head):
    monkeypatch.setattr(retry, "UPLOAD_SECONDS", 0.0)
    url = site(SMALL, *[Lie(head=head)] * 1000)
    begin = time.monotonic()
    with pytest.raises(StorageWriteError, match="could not store"):
        write_url(url, b"data", content_type="image/jpeg")
    assert time.monotonic() - begin < LATE
