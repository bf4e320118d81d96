"""Runs checks as the doctor does, or in this process."""

import os
import stat

import pytest

from spark_keyframes.doctor.options import Options
from spark_keyframes.doctor.registry import BY_MODULE
from tests.storage.tos_server import TosServer
from tests.storage.web_server import WebServer, without_proxies


@pytest.fixture
def lines():
    """Run a check in this process; return its lines as (name, level, found, advice)."""

    def run(module, **options):
        found = BY_MODULE[module].load()(Options(**options))
        return [(each.name, each.level, each.found, each.advice) for each in found]

    return run


@pytest.fixture
def line(lines):
    """Run a check that has one line."""

    def run(module, **options):
        (found,) = lines(module, **options)
        return found

    return run


@pytest.fixture
def program(tmp_path, monkeypatch):
    """Make programs of these names, before all others in PATH; `home` is their folder's."""
    folder = tmp_path / "home" / "bin"
    folder.mkdir(parents=True)
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)

    def make(name, script):
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IEXEC)
        return path

    return make


@pytest.fixture
def no_cloud(monkeypatch):
    """Without variables of storages."""
    for name in list(os.environ):
        if name.startswith(("AWS_", "TOS_")) or name in ("ACCESS_KEY", "SECRET_KEY"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)


@pytest.fixture
def tos(monkeypatch):
    """A TOS server with a bucket."""
    with TosServer(buckets=["bucket"]) as server:
        server.apply(monkeypatch)
        yield server


@pytest.fixture
def web(monkeypatch):
    """A web server."""
    without_proxies(monkeypatch)
    with WebServer() as server:
        yield server
