import pytest

from spark_keyframes.storage import retry
from spark_keyframes.storage.download import parts, ranged
from tests.storage.tos_server import TosServer
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
