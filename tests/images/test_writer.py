"""The images of one video on their way to TOS: listed means stored, and nothing goes on unseen."""

import threading
import time
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from spark_keyframes.engine import Pipeline, Request
from spark_keyframes.errors import CredentialsError, StorageWriteError
from spark_keyframes.images import encode_image
from spark_keyframes.images.writer import ImageWriter
from spark_keyframes.result import Failure, Keyframes
from spark_keyframes.storage import retry
from spark_keyframes.storage.tos import client as tos_client
from spark_keyframes.storage.tos import tos_storage
from tests.storage.faults import Refusal
from tests.storage.tos_server import TosServer

WRITER = ImageWriter("tos://bucket/out", ".jpg")
VIDEO = "film", "0123456789abcdef"


@pytest.fixture(autouse=True)
def waits(monkeypatch):
    """Tries again at once, and takes half a second of silence for a stall."""
    monkeypatch.setattr(retry.random, "uniform", lambda low, high: 0.0)
    monkeypatch.setattr("tos.clientv2.SLEEP_BASE_TIME", 0.0)
    monkeypatch.setattr(tos_client, "SOCKET_TIMEOUT", 0.5)
    monkeypatch.setattr(tos_client, "_built", None)
    monkeypatch.setattr(tos_storage, "_accepted", set())


@pytest.fixture
def tos(monkeypatch):
    with TosServer() as server:
        server.apply(monkeypatch)
        yield server


def image(number):
    return encode_image(np.full((24, 32, 3), number, np.uint8), ".jpg")


def url(number):
    return f"tos://bucket/out/film-0123456789abcdef/{number:08d}.jpg"


def uploads_alive():
    return [thread for thread in threading.enumerate() if thread.name.startswith("upload")]


def store(count):
    with WRITER.begin(*VIDEO) as upload:
        for number in range(count):
            upload.add(number, image(number))
        return upload.finish()


@contextmanager
def ends_soon():
    """Leaving takes no longer than a stalled attempt of the SDK, and no thread outlives it."""
    began = time.monotonic()
    yield
    assert time.monotonic() - began < 15
    assert uploads_alive() == []


def test_what_is_listed_is_stored_byte_by_byte(tos):
    tos.faults.chances["PUT"] = {503: 0.2, "reset": 0.1, "stored, reset": 0.1, "corrupt": 0.1}
    assert store(40) == [url(number) for number in range(40)]
    for number in range(40):
        key = "bucket", url(number).removeprefix("tos://bucket/")
        assert tos.objects[key] == image(number)
    assert sum(tos.faults.happened.values()) > 10


def test_finish_waits_for_the_last_acknowledgement(tos):
    tos.faults.chances["PUT"] = {"stall": 1.0}
    with WRITER.begin(*VIDEO) as upload:
        upload.add(0, image(0))
        threading.Timer(0.3, tos.faults.chances.clear).start()
        assert tos.objects == {}
        assert upload.finish() == [url(0)]
        assert len(tos.objects) == 1


@pytest.mark.parametrize("failing", [0, 10, 29])
def test_one_failed_upload_of_many_lists_none(tos, failing):
    tos.denied.add(url(failing).removeprefix("tos://bucket/"))
    with ends_soon(), pytest.raises(CredentialsError, match=f"{failing:08d}.jpg.*AccessDenied"):
        store(30)
    assert len(tos.objects) < 30


def test_memory_is_bounded_while_storage_is_slow(tos):
    tos.faults.chances["PUT"] = {"stall": 1.0}
    added = []
    with WRITER.begin(*VIDEO) as upload:

        def add_all():
            for number in range(40):
                upload.add(number, image(number))
                added.append(number)

        thread = threading.Thread(target=add_all)
        thread.start()
        time.sleep(0.4)
        assert len(added) == 15, "the sixteenth waits for the first"
        tos.faults.chances.clear()
        thread.join()
        assert len(upload.finish()) == len(tos.objects) == 40


def test_leaving_early_stops_what_waits_for_better_times(tos, monkeypatch):
    monkeypatch.setattr(retry.random, "uniform", lambda low, high: 1000.0)
    monkeypatch.setattr(retry, "UPLOAD_SECONDS", 10_000.0)
    tos.faults.chances["PUT"] = {503: 1.0}
    with ends_soon():
        with WRITER.begin(*VIDEO) as upload:
            for number in range(12):
                upload.add(number, image(number))
            while tos.requests < 8 * 3:
                time.sleep(0.01)
        with pytest.raises(StorageWriteError, match="status 503"):
            upload.finish()
    assert tos.objects == {}


def test_cancel_ends_whoever_waits_in_finish(tos, monkeypatch):
    monkeypatch.setattr(retry.random, "uniform", lambda low, high: 1000.0)
    monkeypatch.setattr(retry, "UPLOAD_SECONDS", 10_000.0)
    tos.faults.chances["PUT"] = {503: 1.0}
    with ends_soon(), WRITER.begin(*VIDEO) as upload:
        upload.add(0, image(0))
        threading.Timer(0.5, upload.cancel).start()
        with pytest.raises(StorageWriteError, match="status 503"):
            upload.finish()


def test_a_stalled_storage_ends_too(tos, monkeypatch):
    monkeypatch.setattr(retry, "UPLOAD_SECONDS", 0.0)
    tos.faults.chances["PUT"] = {"stall": 1.0}
    with ends_soon(), pytest.raises(StorageWriteError, match="TOS_ENDPOINT"):
        store(1)


def run(plain, videos, before=lambda: None):
    """Outcomes of the videos; `before` is called when the first is asked for."""

    def requests():
        before()
        for video in videos:
            yield Request(str(video), "spoon")

    pipeline = Pipeline(plain.make_module(), plain, writer=WRITER)
    return list(pipeline.run(requests(), device=torch.device("cpu")))


def test_a_wrong_secret_ends_a_task_before_its_first_video(tos, plain, clips, monkeypatch):
    monkeypatch.setenv("SECRET_KEY", "wrong")
    with pytest.raises(CredentialsError, match="SignatureDoesNotMatch.*SECRET_KEY"):
        run(plain, clips, before=lambda: pytest.fail("a video was asked for"))


def test_a_token_that_expires_costs_rows_and_ends_the_next_task(tos, plain, clips):
    expired = Refusal(403, "ExpiredToken")
    rows = run(
        plain, clips, lambda: tos.faults.chances.update(GET={expired: 1.0}, PUT={expired: 1.0})
    )
    assert [(row.stage, row.error) for row in rows] == [("upload", "CredentialsError")] * 3
    with pytest.raises(CredentialsError, match="ExpiredToken"):
        run(plain, clips)


def test_a_row_has_all_its_images_or_none(tos, plain, clips):
    tos.denied.add("out/b-")
    outcomes = run(plain, clips)
    assert [type(outcome) for outcome in outcomes] == [Keyframes, Failure, Keyframes]
    stored = {f"tos://{bucket}/{key}" for bucket, key in tos.images}
    assert stored == {path for row in (outcomes[0], outcomes[2]) for path in row.tos_paths}
    assert uploads_alive() == []


def test_closing_the_engine_in_an_outage_takes_no_longer_than_a_moment(
    tos, plain, clips, monkeypatch
):
    monkeypatch.setattr(retry.random, "uniform", lambda low, high: 1000.0)
    monkeypatch.setattr(retry, "UPLOAD_SECONDS", 10_000.0)
    tos.faults.chances["PUT"] = {503: 1.0}
    pipeline = Pipeline(plain.make_module(), plain, writer=WRITER)
    # The short video is at its upload when the long one, refused, comes out.
    tos.denied.add("out/a-")
    requests = (Request(str(path), "spoon") for path in (clips[0], clips[2]))
    outcomes = pipeline.run(requests, device=torch.device("cpu"))
    assert next(outcomes).error == "CredentialsError"
    assert any("out/c-" in key for _, _, key, _ in tos.answers)
    with ends_soon():
        outcomes.close()
