"""The clock of a video's stages."""

import time

import pytest

from spark_keyframes.account import Account, StageClock


def test_seconds_before_a_stage_begins_can_belong_to_it():
    account = Account()
    clock = StageClock(account)
    time.sleep(0.05)
    clock.enter("demux")
    began = time.perf_counter()
    time.sleep(0.1)
    clock.enter("decode", 0.05)
    clock.enter("select")
    elapsed = time.perf_counter() - began
    assert account.seconds["decode"] >= 0.05
    assert account.seconds["demux"] + account.seconds["decode"] == pytest.approx(elapsed, abs=0.01)
    assert account.seconds["demux"] >= 0.04


def test_they_are_at_most_those_of_the_stage_before():
    account = Account()
    clock = StageClock(account)
    clock.enter("demux")
    clock.enter("decode", 1e9)
    clock.enter("select")
    assert account.seconds["open"] >= 0
    assert account.seconds["demux"] == 0
    assert 0 < account.seconds["decode"] < 60


def test_a_pause_belongs_to_no_stage():
    account = Account()
    clock = StageClock(account)
    with clock.paused():
        time.sleep(0.05)
    clock.enter("demux")
    assert clock.stage == "demux"
    assert sum(account.seconds.values()) < 0.05
    assert account.waited == 0
