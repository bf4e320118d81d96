"""A server that lies at any point of a transfer: the exact bytes, or an error in time.

The number of runs is set by LYING_SERVER_RUNS, see docs/testing.md.
"""

import contextlib
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

from spark_keyframes.errors import KeyframesError, LimitError
from spark_keyframes.limits import Limits
from spark_keyframes.storage import open_url
from tests.storage.lying_server import BLOCK, ERRORS, LONGEST, TRUTH, Lie

LATE = 10.0  # seconds after its deadline in which a transfer must have ended, on a busy machine
RUNS = int(os.environ.get("LYING_SERVER_RUNS", "0"))


@pytest.fixture(scope="module", autouse=True)
def summary():
    yield
    print(f"\noutcomes: {dict(outcomes)}; at most {latest[0]:.2f} s after the deadline")


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


def check(lying_site, size, told, damaged, reads, reads_all, seconds):
    url, site = lying_site(size, told)
    if damaged and not url.startswith("http"):  # HTTP has no checksum that could tell
        told = [replace(lie, is_damaged=number % 3 > 0) for number, lie in enumerate(told)]
        if url.startswith("s3"):  # the ETag is all that could tell
            told = [replace(lie, tag="") for lie in told]
        url, site = lying_site(size, told)
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


def open_files():
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            yield str(descriptor.readlink())


QUICK = {"deadline": None, "suppress_health_check": list(HealthCheck)}


@settings(max_examples=25, **QUICK)
@transfers
def test_a_transfer_gives_the_exact_bytes_or_an_error_in_time(lying_site, **run):
    check(lying_site, **run)


@pytest.mark.slow
@settings(max_examples=RUNS or 300, **QUICK)
@transfers
def test_many_transfers_give_the_exact_bytes_or_an_error_in_time(lying_site, **run):
    check(lying_site, **run)
