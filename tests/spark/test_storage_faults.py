"""Spark samples 500 videos from TOS and stores their keyframes there, while the storage fails."""

import hashlib
from collections import Counter
from dataclasses import replace

import pytest

from tests.storage.faults import Refusal
from tests.storage.tos_server import TosServer
from tests.video.clips import clip

ROWS = 500
SLOW_DOWN = Refusal(429, "ExceedRateLimit", {"Retry-After": "1"})
CHANCES = {
    "GET": {
        503: 0.04,
        SLOW_DOWN: 0.004,
        "reset": 0.04,
        "stall": 0.004,
        "truncate": 0.03,
        "reset in the body": 0.03,
        "corrupt": 0.02,
    },
    "PUT": {
        503: 0.06,
        SLOW_DOWN: 0.004,
        "reset": 0.04,
        "stored, reset": 0.04,
        "stall": 0.004,
        "reset in the body": 0.04,
        "corrupt": 0.03,
        "corrupt in storage": 0.03,
        "not text": 0.01,
        "not TOS": 0.01,
    },
}
MAY_NOT_READ = {7, 123, 499}
MAY_NOT_WRITE = {0, 42, 300, 301}

# Shortens the waits of the workers: a tenth of the backoff, and a timeout of one second.
SITECUSTOMIZE = """
import tos.clientv2
from spark_keyframes.storage import retry
from spark_keyframes.storage.download import remote
from spark_keyframes.storage.tos import client as tos_client
tos.clientv2.SLEEP_BASE_TIME = 0.01
tos_client.SOCKET_TIMEOUT = 1.0
retry.backoff = remote.backoff = lambda number: 0.05 * 2**number
"""


@pytest.fixture
def workers(spark, tmp_path):
    """A function that sets environment variables of the Python workers that start later."""
    (tmp_path / "sitecustomize.py").write_text(SITECUSTOMIZE)
    environment = spark.sparkContext.environment
    before = dict(environment)

    def start_with(variables):
        environment.update(variables)
        environment["PYTHONPATH"] = str(tmp_path)

    yield start_with
    environment.clear()
    environment.update(before)


@pytest.fixture(scope="module")
def films():
    return [clip("libx264", "mp4", frames=frames, size=(160, 96)) for frames in (8, 10, 14)]


def key_of(row):
    return f"in/film-{row:03d}.mp4"


@pytest.fixture
def server(workers, films, monkeypatch):
    with TosServer(buckets=["films"]) as server:
        for row in range(ROWS):
            server.objects["films", key_of(row)] = films[row % len(films)]
        server.apply(monkeypatch)
        workers(server.environment)
        yield server


def keyframes(rows, spark, sampler):
    """Sample this many videos in TOS, and return their rows in order."""
    frame = spark.createDataFrame(
        [(row, f"tos://films/{key_of(row)}") for row in range(rows)], "id int, video string"
    ).repartition(2, "id")
    return sorted(sampler.transform(frame, error_col="why").collect(), key=lambda row: row["id"])


@pytest.mark.slow
def test_every_row_is_right_or_null_with_its_reason(spark, plain, films, server):
    sampler = replace(plain, max_num_frames=2)
    without_faults = replace(sampler, output_tos_dir="tos://films/expected")
    expected = keyframes(len(films), spark, without_faults)
    pictures = [
        [server.objects["films", path.removeprefix("tos://films/")] for path in row["keyframes"][0]]
        for row in expected
    ]
    assert [len(each) for each in pictures] == [2] * len(films)

    server.faults.chances = CHANCES
    server.denied = {key_of(row) for row in MAY_NOT_READ}
    server.denied |= {f"out/film-{row:03d}-" for row in MAY_NOT_WRITE}
    found = keyframes(ROWS, spark, replace(sampler, output_tos_dir="tos://films/out"))

    assert [row["id"] for row in found] == list(range(ROWS))
    failed = {row["id"] for row in found if row["why"] is not None}
    assert failed == MAY_NOT_READ | MAY_NOT_WRITE, "a fault that goes away costs no row"
    listed = set()
    for number, row in enumerate(found):
        if number in failed:
            assert row["keyframes"] is None
            assert row["why"]["error"] == "CredentialsError"
            assert row["why"]["stage"] == ("open" if number in MAY_NOT_READ else "upload")
            assert "AccessDenied" in row["why"]["message"]
            continue
        paths, frame_ids, scores = row["keyframes"]
        wanted = expected[number % len(films)]["keyframes"]
        assert frame_ids == wanted["frame_ids"]
        assert scores == pytest.approx(wanted["scores"], abs=1e-6)  # other frames share the batches
        source = hashlib.sha256(row["video"].encode()).hexdigest()[:16]
        folder = f"tos://films/out/film-{number:03d}-{source}"
        assert paths == [f"{folder}/{frame_id:08d}.jpg" for frame_id in frame_ids]
        listed.update(path.removeprefix("tos://films/") for path in paths)
        for path, picture in zip(paths, pictures[number % len(films)], strict=True):
            assert server.objects["films", path.removeprefix("tos://films/")] == picture

    stored = {key for _, key in server.images if key.startswith("out/")}
    assert stored == listed, "no image has another name"
    assert len(listed) == 2 * (ROWS - len(failed))
    happened = Counter(fault for _, fault in server.faults.happened.elements())
    assert set(happened) == {fault for chances in CHANCES.values() for fault in chances}
    assert sum(happened.values()) > 300
