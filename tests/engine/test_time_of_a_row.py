"""The longest that a row can take, as docs/security.md promises."""

import contextlib
import re
import time

import pytest

from spark_keyframes.engine import ImageWriter
from spark_keyframes.limits import Limits
from spark_keyframes.result import Failure
from spark_keyframes.storage import retry
from spark_keyframes.storage.tos import client as tos_client
from spark_keyframes.storage.tos import tos_storage
from tests.engine.pipelines import run
from tests.storage.tos_server import TosServer
from tests.storage.web_server import WebServer, answer, slowly
from tests.video.clips import clip_named
from tests.video.lies import lying

UPLOAD_SECONDS = 2.0
ATTEMPT = 3 * 2 * 0.5  # seconds of an upload: three times connecting and waiting
SCORING = 30.0  # not bounded by a limit: 18 small pictures, on a busy machine


@pytest.fixture
def tos(monkeypatch):
    monkeypatch.setattr(retry, "UPLOAD_SECONDS", UPLOAD_SECONDS)
    monkeypatch.setattr(tos_client, "SOCKET_TIMEOUT", 0.5)
    monkeypatch.setattr(tos_client, "_built", None)
    monkeypatch.setattr(tos_storage, "_accepted", set())
    with TosServer() as server:
        server.apply(monkeypatch)
        yield server


def late(data):
    """Send the video after two seconds."""

    def send(handler):
        time.sleep(2)
        answer(body=data)(handler)

    return send


@pytest.mark.parametrize(
    ("page", "lie", "limit", "error", "message"),
    [
        ("stalled", None, 1.0, "LimitError", "max_download_seconds"),
        ("good", {"kind": "hang", "at": 1}, 1.0, "LimitError", "max_decode_seconds"),
        pytest.param(
            "late",
            {"kind": "late", "at": 1, "seconds": 3.0},
            10.0,
            "StorageWriteError",
            "status 503",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_the_longest_that_a_row_can_take(pipeline, tos, page, lie, limit, error, message):
    tos.faults.chances["PUT"] = {503: 1.0}
    video = clip_named("h264 mp4")
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(video)}\r\n\r\n".encode()
    limits = Limits(max_download_seconds=limit, max_decode_seconds=limit)
    writer = ImageWriter("tos://bucket/out", ".jpg")
    rows = pipeline(limits=limits, writer=writer, threads=1)
    longest = 2 * limit + UPLOAD_SECONDS + ATTEMPT + SCORING
    with WebServer() as web, contextlib.ExitStack() as stack:
        web.paths = {
            "/good.mp4": [answer(body=video)],
            "/late.mp4": [late(video)],
            "/stalled.mp4": [slowly(head, b"a", every=0.1)],
        }
        if lie is not None:
            stack.enter_context(lying(lie, 9))
        began = time.monotonic()
        (row,) = run(rows, [f"{web.url}/{page}.mp4"])
        seconds = time.monotonic() - began
    assert isinstance(row, Failure)
    assert row.error == error
    assert re.search(message, row.message)
    assert seconds < longest
