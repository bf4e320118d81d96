import pytest

from spark_keyframes.storage import base
from tests.storage.tos_server import TosServer


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    """Tries again at once."""
    monkeypatch.setattr(base.random, "uniform", lambda low, high: 0.0)


@pytest.fixture
def tos(monkeypatch):
    with TosServer(buckets=["bucket", "other-bucket"]) as server:
        server.apply(monkeypatch)
        yield server
