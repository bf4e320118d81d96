import pytest

from spark_keyframes.storage import base
from tests.storage.tos_server import TosServer
from tests.storage.web_server import WebServer, without_proxies


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    """Tries again at once."""
    monkeypatch.setattr(base.random, "uniform", lambda low, high: 0.0)


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
