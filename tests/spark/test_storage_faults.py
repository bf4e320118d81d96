"""Spark samples 500 videos from TOS or S3 and stores their keyframes there, while it fails.

The table of S3 mixes schemes: those of S3, and a few of TOS, of a web server and of the local disk.
"""

import hashlib
from collections import Counter
from dataclasses import replace

import pytest

from tests.storage.faults import Refusal
from tests.storage.faulty_s3 import FaultyS3
from tests.storage.tos_server import TosServer
from tests.storage.web_server import WebServer, answer
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
from spark_keyframes.storage.s3 import client as s3_client
from spark_keyframes.storage.tos import client as tos_client
tos.clientv2.SLEEP_BASE_TIME = 0.01
tos_client.SOCKET_TIMEOUT = s3_client.SOCKET_TIMEOUT = 1.0
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


class OnTos:
    """The bucket films on TOS, which the workers reach. `faults` and `denied` are its server's."""

    scheme = "tos"

    def __init__(self, server, films):
        self.server, self.faults = server, server.faults
        for row in range(ROWS):
            server.objects["films", key_of(row)] = films[row % len(films)]

    def url(self, row):
        return f"tos://films/{key_of(row)}"

    def get(self, key):
        return self.server.objects["films", key]

    def all_keys(self):
        return {key for _, key in self.server.objects}


class OnS3:
    """The same on S3. The URLs of a few videos are in `elsewhere`."""

    scheme = "s3a"

    def __init__(self, server, films, elsewhere):
        self.server, self.faults, self.elsewhere = server, server.faults, elsewhere
        self.client = server.s3.client
        server.s3.put("films")
        for row in range(ROWS):
            film = films[row % len(films)]
            self.client.put_object(Bucket="films", Key=key_of(row), Body=film)

    def url(self, row):
        scheme = ("s3", "s3a", "s3n")[row // 3 % 3]
        return self.elsewhere.get(row, f"{scheme}://films/{key_of(row)}")

    def get(self, key):
        return self.client.get_object(Bucket="films", Key=key)["Body"].read()

    def all_keys(self):
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket="films")
        return {each["Key"] for page in pages for each in page["Contents"]}


@pytest.fixture(params=["tos", "s3"])
def store(request, workers, films, monkeypatch, tmp_path):
    with TosServer(buckets=["films"]) as tos:
        tos.apply(monkeypatch)
        if request.param == "tos":
            workers(tos.environment)
            yield OnTos(tos, films)
            return
        with WebServer() as web, FaultyS3(request.getfixturevalue("s3_server")) as proxy:
            proxy.apply(monkeypatch)
            workers({**proxy.environment, **tos.environment})
            names = {row: f"film-{row:03d}.mp4" for row in range(200, 209)}
            urls = {}
            for row, name in names.items():
                film = films[row % len(films)]
                tos.objects["films", name] = film
                web.paths[f"/{name}"] = [answer(body=film)]
                (tmp_path / name).write_bytes(film)
                places = ("tos://films", web.url, tmp_path.as_uri())
                urls[row] = f"{places[row // 3 % 3]}/{name}"
            yield OnS3(proxy, films, urls)


def keyframes(rows, spark, sampler, store):
    """Sample this many videos of the storage, and return their rows in order."""
    frame = spark.createDataFrame(
        [(row, store.url(row)) for row in range(rows)], "id int, video string"
    ).repartition(2, "id")
    return sorted(sampler.transform(frame, error_col="why").collect(), key=lambda row: row["id"])


@pytest.mark.slow
def test_every_row_is_right_or_null_with_its_reason(spark, plain, films, store):
    sampler, bucket = replace(plain, max_num_frames=2), f"{store.scheme}://films"
    without_faults = replace(sampler, output_tos_dir=f"{bucket}/expected")
    expected = keyframes(len(films), spark, without_faults, store)
    pictures = [
        [store.get(path.removeprefix(f"{bucket}/")) for path in row["keyframes"][0]]
        for row in expected
    ]
    assert [len(each) for each in pictures] == [2] * len(films)

    store.faults.chances = CHANCES
    store.server.denied = {key_of(row) for row in MAY_NOT_READ}
    store.server.denied |= {f"out/film-{row:03d}-" for row in MAY_NOT_WRITE}
    found = keyframes(ROWS, spark, replace(sampler, output_tos_dir=f"{bucket}/out"), store)

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
        folder = f"{bucket}/out/film-{number:03d}-{source}"
        assert paths == [f"{folder}/{frame_id:08d}.jpg" for frame_id in frame_ids]
        listed.update(path.removeprefix(f"{bucket}/") for path in paths)
        for path, picture in zip(paths, pictures[number % len(films)], strict=True):
            assert store.get(path.removeprefix(f"{bucket}/")) == picture

    stored = {key for key in store.all_keys() if key.startswith("out/film-")}
    assert stored == listed, "no image has another name"
    assert len(listed) == 2 * (ROWS - len(failed))
    happened = Counter(fault for _, fault in store.faults.happened.elements())
    assert set(happened) == {fault for chances in CHANCES.values() for fault in chances}
    assert sum(happened.values()) > 300
