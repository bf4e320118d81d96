import os
import tempfile

import pytest

from spark_keyframes.storage import open_url, retry
from spark_keyframes.storage.download import parts, ranged
from spark_keyframes.storage.http import http_storage
from spark_keyframes.storage.s3 import client as s3_client
from spark_keyframes.storage.s3 import s3_storage
from spark_keyframes.storage.tos import client as tos_client
from spark_keyframes.storage.tos import tos_storage
from tests.storage.lying_server import BLOCK, LyingServer
from tests.storage.s3_server import environment_of_s3
from tests.storage.tos_server import HOST, TosServer
from tests.storage.web_server import WebServer, without_proxies


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    """Retries without waiting."""
    monkeypatch.setattr(retry.random, "uniform", lambda low, high: 0.0)


@pytest.fixture
def tos(monkeypatch):
    with TosServer(buckets=["bucket", "other-bucket"]) as server:
        server.apply(monkeypatch)
        yield server


@pytest.fixture
def faulty_s3(s3_server, monkeypatch):
    """Moto's S3 with one bucket, films, behind a proxy that injects faults."""
    from tests.storage.faulty_s3 import FaultyS3

    without_proxies(monkeypatch)
    s3_server.put("films")
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, empty in (("_built", None), ("_accepted", set()), ("_has_md5", {})):
        module = s3_client if name == "_built" else s3_storage
        monkeypatch.setattr(module, name, empty)
    with FaultyS3(s3_server) as proxy:
        proxy.apply(monkeypatch)
        yield proxy


@pytest.fixture
def web(monkeypatch):
    without_proxies(monkeypatch)
    with WebServer() as server:
        yield server


@pytest.fixture
def small_parts(monkeypatch):
    """Divides all sizes by 16 or more, so that 1 MB is many parts."""
    monkeypatch.setattr(ranged, "FIRST_PART", 64 << 10)
    monkeypatch.setattr(parts, "FIRST_PART", 64 << 10)
    monkeypatch.setattr(parts, "BLOCK", 16 << 10)
    monkeypatch.setattr(parts, "_READER_PART", 32 << 10)
    monkeypatch.setattr("spark_keyframes.storage.http.http_storage.BLOCK", 16 << 10)
    monkeypatch.setattr("spark_keyframes.storage.tos.tos_storage.BLOCK", 16 << 10)
    monkeypatch.setattr("spark_keyframes.storage.s3.s3_storage.BLOCK", 16 << 10)


@pytest.fixture(scope="session")
def lying_server():
    with LyingServer() as server:
        yield server


@pytest.fixture
def small_transfers(monkeypatch, tmp_path):
    """Sizes and times that are small enough for thousands of transfers."""
    for module in (parts, http_storage, tos_storage, s3_storage):
        monkeypatch.setattr(module, "BLOCK", BLOCK)
    for module in (parts, ranged):
        monkeypatch.setattr(module, "FIRST_PART", 4 * BLOCK)
    monkeypatch.setattr(parts, "_READER_PART", 2 * BLOCK)
    monkeypatch.setattr(http_storage, "TIMEOUT", (2.0, 0.2))
    for client in (tos_client, s3_client):
        monkeypatch.setattr(client, "SOCKET_TIMEOUT", 0.2)
        monkeypatch.setattr(client, "_built", None)
    monkeypatch.setattr("tos.clientv2.SLEEP_BASE_TIME", 0.0)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture(params=["http", "tos", "s3"])
def lying_site(request, lying_server, small_transfers, monkeypatch):
    """A function that adds a file and the lies about it; it returns the URL and the site."""
    without_proxies(monkeypatch)
    if request.param == "http":
        return lambda size, lies: lying_server.add(size, lies, lying_server.url)
    if request.param == "s3":
        pytest.importorskip("botocore")
        for name, value in environment_of_s3(lying_server.url).items():
            monkeypatch.setenv(name, value)
        with open_url(lying_server.add(3, [], "s3a://bucket")[0]):
            pass  # shows that ETags are MD5s here
        return lambda size, lies: lying_server.add(size, lies, "s3://bucket")
    environment = {
        "ACCESS_KEY": "key",
        "SECRET_KEY": "secret",
        "TOS_ENDPOINT": f"http://{HOST}",
        "TOS_REGION": "cn-test",
        "TOS_ACCESS_KEY": "",
        "TOS_SECURITY_TOKEN": "",
        "http_proxy": lying_server.url,
        "no_proxy": "",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return lambda size, lies: lying_server.add(size, lies, "tos://bucket")
