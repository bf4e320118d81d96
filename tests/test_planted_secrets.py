"""Secrets that are planted in strings of all forms are in no message, result or log line.

REDACTION_EXAMPLES sets the number of strings of the slow tests, see docs/testing.md.
"""

import logging
import os
import pickle
import socket
import traceback
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings

from spark_keyframes import Access, Callback, Failure, KeyframesError, Limits
from spark_keyframes.engine import Pipeline, Request, video_log
from spark_keyframes.redaction import redact_text, redact_url
from spark_keyframes.storage import check_writable, retry, write_url
from spark_keyframes.urls import is_local
from tests.engine.pipelines import CPU
from tests.planted_secrets import examples, planted, planted_in_texts, shown
from tests.storage.web_server import without_proxies

MANY = int(os.environ.get("REDACTION_EXAMPLES", "10000"))
COUNTS = [200, pytest.param(MANY, marks=pytest.mark.slow)]
ROWS = [200, pytest.param(MANY // 5, marks=pytest.mark.slow)]  # through the engine
SENTENCES = ("{}", "could not open '{}': refused", "error: {}", "(url={}) x", "a b=c {}?")


def holds(check, count, strings):
    """Check `count` strings, other ones in each run."""
    sizes = settings(max_examples=count, suppress_health_check=list(HealthCheck))
    sizes(given(strings)(check))()


@pytest.mark.parametrize("count", COUNTS)
def test_a_value_is_shown_without_its_secret(count):
    def check(value):
        text = redact_url(value.text)
        error = KeyframesError(f"could not open {text!r}: gone")
        assert not value.shown_in(text, error, repr(error))
        assert redact_url(text) == text
        assert text.isprintable() or set(text) & {"\xa0", "\u3000"}

    holds(check, count, planted())


@pytest.mark.parametrize("count", COUNTS)
def test_a_text_is_shown_without_the_secret_of_a_url_in_it(count):
    def check(value):
        for sentence in SENTENCES:
            text = sentence.format(value.text)
            assert not value.shown_in(redact_text(text), KeyframesError(text)), text

    holds(check, count, planted(blanks=False))


@pytest.mark.parametrize("count", COUNTS)
def test_a_text_of_another_package_is_shown_without_its_secret(count):
    def check(value):
        text = redact_text(value.text)
        assert not value.shown_in(text, redact_text(value.text, lines=True))
        assert not value.shown_in(redact_url(value.text))
        assert redact_text(text) == text

    holds(check, count, planted_in_texts())


class Watcher(Callback):
    """Keeps what it is told, and refuses some videos by their names."""

    def __init__(self):
        self.told = []

    def on_video_start(self, source, text):
        self.told.append(source)
        if len(self.told) % 10 == 0:
            raise ValueError(f"no {source}\nhere")

    def on_video_end(self, source, outcome):
        self.told += [source, outcome]


@pytest.fixture
def closed(monkeypatch):
    """No name is resolved, no retry waits, and every failure is logged."""

    def resolve(host, *args, **options):
        raise socket.gaierror(socket.EAI_NONAME, "no such name")

    without_proxies(monkeypatch)
    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(retry.random, "uniform", lambda low, high: 0.0)
    monkeypatch.setattr(video_log, "_FIRST", 1_000_000)
    for name in ("TOS_ACCESS_KEY", "TOS_SECRET_KEY", "ACCESS_KEY", "SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("count", ROWS)
@pytest.mark.parametrize("hosts", [(), ("videos.example.com",)], ids=["any host", "some hosts"])
def test_failures_and_log_lines_show_no_secret(plain, closed, caplog, hosts, count):
    caplog.set_level(logging.DEBUG)
    values = examples(count)
    watcher = Watcher()
    limits = Limits(slow_seconds=1e-9)
    sampler = replace(plain, access=Access(allowed_hosts=hosts), limits=limits)
    pipeline = Pipeline(plain.make_module(), sampler, callbacks=[watcher])
    requests = [Request(value.text, "spoon") for value in values]
    outcomes = list(pipeline.run(requests, device=CPU))
    assert len(outcomes) == len(values)
    logged = "\n".join(map(caplog.handler.format, caplog.records))
    assert logged.count("no keyframes (") >= len(values)
    assert shown(values, logged, *map(repr, watcher.told)) == set()
    for value, outcome in zip(values, outcomes, strict=True):
        assert isinstance(outcome, Failure)
        cause = outcome.cause
        texts = [*vars(outcome).values(), repr(outcome), repr(cause), *cause.args]
        texts += [*traceback.format_exception(cause), pickle.dumps(cause)]
        assert not value.shown_in(*texts), value
        assert "\n" not in outcome.message


@pytest.mark.parametrize("count", ROWS)
def test_errors_of_an_output_folder_show_no_secret(closed, count, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused = 0
    for value in examples(count):
        for call in (check_writable, _write):
            try:
                call(value.text)
            except KeyframesError as error:
                refused += 1
                texts = [repr(error), *traceback.format_exception(error), pickle.dumps(error)]
                assert not value.shown_in(*texts), value
    assert refused > count / 10


def _write(url):
    if not is_local(url):  # the folders of a local one would be created
        write_url(url, b"", content_type="image/png")


def test_the_secrets_are_planted_in_all_forms():
    """Without redaction, every one of these is shown."""
    values = examples(500)
    assert all(value.shown_in(value.text) for value in values)
    for part in ("://", "@", "?", "%3F", "\u200b", "\x1b", "token=", "http//", " ", '"', "<"):
        assert any(part in value.text for value in values), part
