"""With on_error="raise" the job ends at the first failure, with its row and reason."""

from dataclasses import replace

import pytest
from pyspark.errors import PythonException

from spark_keyframes.arrow.batches import error_of_row
from spark_keyframes.result import Failure, VideoFailedError
from tests.storage.range_server import RangeServer


@pytest.fixture
def web(clips):
    with RangeServer(clips[2].read_bytes()) as server:
        yield server


def message_of(frame, sampler):
    with pytest.raises(PythonException) as caught:
        sampler.transform(frame, on_error="raise").collect()
    return str(caught.value)


def test_no_further_video_is_read_after_the_one_that_failed(spark, plain, clips, web):
    rows = [(str(clips[2]),), ("/none.mp4",), *((f"{web.url}?{n}",) for n in range(40))]
    frame = spark.createDataFrame(rows, "video string").coalesce(1)
    message = message_of(frame, plain)
    assert "SourceNotFoundError: row 1 of partition 0, counted from 0: no file /none.mp4" in message
    assert len(web.ranges) <= 5, "at most the videos that were in flight"


def test_the_message_shows_no_secret_of_the_url(spark, plain, web):
    web.refuse = [(lambda start: True, 403)] * 20
    url = web.url.replace("//", "//user:pass-word@") + "?X-Tos-Signature=abc-def"
    frame = spark.createDataFrame([(url,)], "video string").coalesce(1)
    message = message_of(frame, plain)
    assert (
        f"HttpStatusError: row 0 of partition 0, counted from 0: HTTP status 403 for {web.url}"
        in (message)
    )
    for secret in ("user", "pass-word", "X-Tos-Signature", "abc-def"):
        assert secret not in message


def test_bytes_that_are_not_a_video_are_named_by_their_row(spark, plain, clips):
    rows = [(bytearray(clips[2].read_bytes()),), (bytearray(b"nothing" * 9),)]
    frame = spark.createDataFrame(rows, "video binary").coalesce(1)
    message = message_of(frame, replace(plain, video_src_type="video_binary"))
    assert "NotAVideoError: row 1 of partition 0, counted from 0: " in message
    assert "video_binary (63 bytes)" in message


def test_an_error_of_another_package_keeps_its_name_and_loses_its_secrets():
    error = ConnectionError("exceeded with url: /a.mp4?X-Tos-Signature=abc-def")
    failed = VideoFailedError(7, Failure.of(error, "open", "http://host/a.mp4"))
    raised = error_of_row(failed, " of partition 0")
    assert str(raised) == (
        "row 7 of partition 0, counted from 0: ConnectionError: "
        "http://host/a.mp4: exceeded with url: /a.mp4?***"
    )
    assert raised.stage == "open"
