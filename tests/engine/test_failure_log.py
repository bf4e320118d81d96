"""A failure or two are said each; a flood of one kind is counted."""

import logging

import pytest

from spark_keyframes.engine.failure_log import FailureLog
from spark_keyframes.errors import NotAVideoError, SourceNotFoundError
from spark_keyframes.result import Failure

logger = logging.getLogger("tests.failure_log")


def failure(error, source="a.mp4"):
    return Failure.of(error, "open", source)


@pytest.fixture
def said(caplog):
    caplog.set_level(logging.WARNING, logger.name)
    return lambda: [record.getMessage() for record in caplog.records]


def test_the_first_of_each_kind_are_said_then_one_a_minute(said):
    now = [0.0]
    log = FailureLog(logger, clock=lambda: now[0])
    for number in range(50):
        log.warn(failure(SourceNotFoundError(f"no {number}")))
    log.warn(failure(NotAVideoError("no container")))
    assert said() == [
        *(f"no keyframes (open, SourceNotFoundError): a.mp4: no {n}" for n in range(20)),
        "no keyframes (demux, NotAVideoError): a.mp4: no container",
    ]
    now[0] = 61.0
    for number in range(50, 60):
        log.warn(failure(SourceNotFoundError(f"no {number}")))
    assert said()[21:] == [
        "no keyframes (open, SourceNotFoundError): a.mp4: no 50 "
        "(and 30 more of this kind since the last)"
    ]
    log.close()
    assert said()[22:] == ["no keyframes (open, SourceNotFoundError): 9 more of this kind"]
    log.close()
    assert len(said()) == 23, "said once"


def test_an_error_that_is_not_known_shows_where_it_was_and_no_secret(said):
    def defect():
        try:
            raise OSError("http://me:pw@host/a.mp4?X-Tos-Signature=abc refused")
        except OSError as error:
            raise ZeroDivisionError("of url: /a.mp4?X-Tos-Signature=abc") from error

    log = FailureLog(logger)
    try:
        defect()
    except ZeroDivisionError as error:
        log.warn(failure(error))
    log.close()
    (text,) = said()
    assert "in defect" in text
    assert "http://host/a.mp4 refused" in text
    assert "abc" not in text
    assert "pw" not in text
