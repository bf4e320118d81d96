"""OpenMP threads and forked processes: after `sample()` they are as before, and never hang."""

import os
import signal
import threading
import time

import pytest
import torch

from spark_keyframes.errors import ForkError
from tests.engine.own_modules import FrameNumber, sampler


@pytest.fixture(autouse=True)
def several_threads():
    """As on most machines; OpenMP has no pool for a single one."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def in_fork(work):
    """The exit code of a forked process that calls `work`: its result, or 99 for another error."""
    pid = os.fork()
    if not pid:
        try:
            os._exit(work())
        except BaseException:  # noqa: BLE001 - the test's own process must go on alone
            os._exit(99)
    end = time.monotonic() + 60
    while time.monotonic() < end:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return "hung"


def test_a_fork_of_the_thread_that_sampled_is_refused_with_the_remedy(plain, clips):
    expected = plain.sample(clips[2]).frame_ids

    def sample():
        try:
            plain.sample(clips[2])
        except ForkError as error:
            return 7 if "spawn" in str(error) and str(os.getpid()) in str(error) else 8
        return 0

    assert in_fork(sample) == 7
    assert plain.sample(clips[2]).frame_ids == expected


def test_a_fork_of_another_thread_samples(plain, clips):
    expected = plain.sample(clips[2]).frame_ids
    codes = []

    def fork():
        codes.append(in_fork(lambda: int(plain.sample(clips[2]).frame_ids != expected)))

    thread = threading.Thread(target=fork)
    thread.start()
    thread.join()
    assert codes == [0]


def test_a_fork_during_a_setup_does_not_wait_for_it(clips):
    begun, ended = threading.Event(), threading.Event()

    class Slow(FrameNumber):
        key = "slow"

        def setup(self, device):
            begun.set()
            ended.wait(60)

    setting_up = threading.Thread(target=lambda: sampler(Slow()).sample(clips[2]))
    setting_up.start()
    codes = []

    def fork():
        begun.wait(60)
        codes.append(in_fork(lambda: len(sampler(Other()).sample(clips[2]).frame_ids)))
        ended.set()

    class Other(FrameNumber):
        key = "other"

    forking = threading.Thread(target=fork)
    forking.start()
    forking.join()
    setting_up.join()
    assert codes == [4]


def test_runs_that_overlap_compute_with_all_threads_and_leave_them_so(clips):
    first_is_in, second_is_in = threading.Event(), threading.Event()
    seen = []

    class First(FrameNumber):
        def predict_step(self, inputs, texts):
            first_is_in.set()
            second_is_in.wait(60)
            return inputs

    class Second(FrameNumber):
        def predict_step(self, inputs, texts):
            seen.append(torch.get_num_threads())
            second_is_in.set()
            first.join(60)
            return inputs

    first = threading.Thread(target=lambda: sampler(First()).sample(clips[2]))
    second = threading.Thread(target=lambda: sampler(Second()).sample(clips[2]))
    later = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    first.start()
    first_is_in.wait(60)
    for thread in (second, later):
        thread.start()
        thread.join()
    assert seen == [2, 2]
