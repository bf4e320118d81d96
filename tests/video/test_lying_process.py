"""A decode process that does not obey fails at most its own row, within its limits.

`LIES=3000 pytest tests/video/test_lying_process.py -m slow` tells that many lies.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from spark_keyframes.video.process.link import Link
from tests.video import lying_child

from .decode_processes import wait_until
from .lies import CLIPS, QUICK_LIES, WAITING_LIES, check

_LIES = int(os.environ.get("LIES", "120"))  # one in four waits for the time limit of a second
_HUGE = str(2**70)
_CRASHED = "DecoderCrashedError"
_ERROR = json.dumps({"number": 1, "error": {"error": "source", "message": "", "stage": ""}})


def at(answer: int, kind: str, **needs: Any) -> dict[str, Any]:
    """Lie at an answer: 0 opens, 1 counts, and those from 2 on are pictures."""
    return {"kind": kind, "at": answer, **needs}


LIES = [
    (at(2, "cut", size=4, hangs=True), "LimitError"),
    (at(2, "cut", size=4, hangs=False), "LimitError"),
    (at(2, "descriptors", keeps=False, descriptors=[]), _CRASHED),
    (at(2, "descriptors", keeps=True, descriptors=["pipe"]), _CRASHED),
    (at(2, "descriptors", keeps=False, descriptors=["unsealed"]), _CRASHED),
    (at(0, "descriptors", keeps=True, descriptors=["zero"]), _CRASHED),
    (at(2, "more"), _CRASHED),
    (at(2, "value", leaf=3, source=_HUGE), _CRASHED),
    (at(3, "value", leaf=3, source="0"), _CRASHED),
    (at(2, "value", leaf=4, source="NaN"), _CRASHED),
    (at(2, "value", leaf=4, source="1e999"), _CRASHED),
    (at(2, "value", leaf=4, source="86401.0"), _CRASHED),
    (at(2, "value", leaf=7, source="-1"), _CRASHED),
    (at(2, "pixels", height=8192, width=8192), _CRASHED),
    (at(1, "value", leaf=2, source=str(2**63)), _CRASHED),
    (at(1, "value", leaf=1, source="[" * 50_000), _CRASHED),
    (at(1, "whole", source=_ERROR), _CRASHED),
    (at(2, "repeat", times=1), _CRASHED),
    (at(2, "early"), _CRASHED),
    (at(2, "withhold"), "LimitError"),
    (at(1, "withhold"), "LimitError"),
    (at(2, "flood", messages=False), _CRASHED),
    (at(5, "stop"), "LimitError"),
    (at(2, "descriptors", keeps=False, descriptors=["linger"]), _CRASHED),
    (at(1, "descriptors", keeps=False, descriptors=["linger"]), _CRASHED),
    (at(2, "descriptors", keeps=True, descriptors=["linger"] * 3), _CRASHED),
    (at(0, "linger"), _CRASHED),
    (at(0, "request", position=-1, size=5), _CRASHED),
    (at(0, "request", position=0, size=2**40), _CRASHED),
    (at(1, "endless", size=1000), "LimitError"),
    (at(1, "deaf", size=1000), "LimitError"),
    (at(2, "count", count=2**31 - 1), "right"),
    (at(2, "count", count=-(2**31)), "right"),
]


@pytest.mark.parametrize(
    ("lie", "outcome"),
    # A third of them in the quick tests.
    [pytest.param(*each, marks=[pytest.mark.slow] * (n % 3 > 0)) for n, each in enumerate(LIES)],
    ids=str,
)
def test_a_lie(lie: dict[str, Any], outcome: str) -> None:
    seconds = 0.3 if outcome == "LimitError" else 30.0
    assert check(lie, CLIPS[0], liars=3, seconds=seconds) == outcome


# "right": the lie is found out, and the next process, which opens without pictures, cannot tell it.
AHEAD = [
    (at(0, "value", leaf=4, source="-1"), 1, _CRASHED),
    (at(0, "value", leaf=4, source="17"), 1, _CRASHED),
    (at(0, "value", leaf=-1, source="-1"), 1, _CRASHED),
    (at(0, "value", leaf=-1, source="1e999"), 1, _CRASHED),
    (at(0, "value", leaf=5, source="null"), 1, _CRASHED),
    (at(0, "value", leaf=5, source="[]"), 1, _CRASHED),
    (at(0, "value", leaf=6, source="[]"), 5, _CRASHED),
    (at(0, "value", leaf=6, source="[5]"), 5, _CRASHED),
    (at(0, "value", leaf=6, source="[" + "{}," * 64 + "{}]"), 5, _CRASHED),
    (at(0, "value", leaf=13, source="0"), 64, _CRASHED),
    (at(0, "pixels", height=2048, width=8192), 64, "right"),
    (at(0, "descriptors", keeps=False, descriptors=[]), 64, "right"),
    (at(0, "add", key="end"), 64, _CRASHED),
    (at(0, "withhold"), 1, "LimitError"),
    (at(1, "withhold"), 1, "LimitError"),
    (at(1, "more"), 1, _CRASHED),
    (at(1, "value", leaf=2, source="[]"), 5, _CRASHED),
    (at(0, "signal", number=signal.SIGSEGV), 5, _CRASHED),
]


@pytest.mark.parametrize(("lie", "at_once", "outcome"), AHEAD, ids=str)
def test_a_lie_about_pictures_that_come_with_the_opening(
    lie: dict[str, Any], at_once: int, outcome: str
) -> None:
    seconds = 0.3 if outcome == "LimitError" else 30.0
    found = check(lie, CLIPS[0], liars=3, seconds=seconds, ahead=True, at_once=at_once)
    assert found == outcome


def test_pictures_without_end_where_their_number_is_unknown() -> None:
    assert check(at(2, "more"), CLIPS[1], liars=3, seconds=30.0) == _CRASHED


@pytest.mark.parametrize("kind", ["value", "exit"])
def test_a_process_that_was_started_as_usual_lies(kind: str) -> None:
    lie = at(3, kind, leaf=3, source=_HUGE, code=1)
    assert check(lie, CLIPS[0], liars=1, seconds=30.0, forked=False) == "right"


def test_descriptors_that_nobody_read_do_not_delay_the_end() -> None:
    link, other = Link.pair(max_message=1000)
    ours, inner = socket.socketpair()
    with other, inner:
        for connection in (inner, other):
            descriptors = [lying_child.lingering(), lying_child.lingering()]
            socket.send_fds(connection, [b"\0\0"], descriptors)
            for each in descriptors:
                os.close(each)
        socket.send_fds(other, [b"\0\0"], [ours.detach()])
    began = time.monotonic()
    link.close()
    assert time.monotonic() - began < 20
    wait_until(lambda: all(each.name != "close-received" for each in threading.enumerate()))
    lying_child.close_lingering()


def test_what_a_process_writes_before_it_ends_is_one_record(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    line = (
        "\n26/11/27 18:00:00 ERROR Executor: \x1b[2J https://user:hidden@host/?signature=hidden\r"
    )
    for times in (1, 100_000):
        lie = at(1, "write", text=line, times=times)
        assert check(lie, CLIPS[0], liars=1, seconds=30.0, forked=False) == "right"
    for record in caplog.records:
        shown = record.getMessage()
        assert "wrote before it ended:\n  \n  26/11/27 18:00:00 ERROR" in shown
        assert "hidden" not in shown
        assert shown.replace("\n  ", "").isprintable()
        assert len(shown) < 20_000
    assert len(caplog.records) == 2
    assert "ERROR" not in capfd.readouterr().err, "nothing but the log"


def test_three_processes_that_are_killed() -> None:
    lie = at(2, "signal", number=signal.SIGTERM)
    assert check(lie, CLIPS[0], liars=2, seconds=30.0) == "right"
    assert check(lie, CLIPS[0], liars=3, seconds=30.0) == _CRASHED


@settings(max_examples=10)
@given(
    lie=QUICK_LIES,
    clip=st.sampled_from(CLIPS),
    liars=st.integers(1, 3),
    ahead=st.booleans(),
    at_once=st.sampled_from([1, 5, 64]),
)
def test_any_lie(lie: dict[str, Any], clip: str, liars: int, ahead: bool, at_once: int) -> None:
    check(lie, clip, liars=liars, ahead=ahead, at_once=at_once)


@pytest.mark.slow
@settings(max_examples=_LIES, suppress_health_check=[HealthCheck.too_slow])
@given(
    lie=st.one_of(QUICK_LIES, QUICK_LIES, QUICK_LIES, WAITING_LIES),
    clip=st.sampled_from(CLIPS),
    liars=st.integers(1, 3),
    ahead=st.booleans(),
    at_once=st.sampled_from([1, 5, 64]),
)
def test_many_lies(lie: dict[str, Any], clip: str, liars: int, ahead: bool, at_once: int) -> None:
    check(lie, clip, liars=liars, ahead=ahead, at_once=at_once)
