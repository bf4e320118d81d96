"""Runs a video in a decode process that lies, then another one, and checks both."""

from __future__ import annotations

import gc
import io
import json
import math
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any
from unittest.mock import patch

from hypothesis import strategies as st

from spark_keyframes.error_chain import free_stack_frames
from spark_keyframes.errors import KeyframesError
from spark_keyframes.limits import Limits
from spark_keyframes.video.interface import Ahead, Decoder, Video
from spark_keyframes.video.process import ProcessDecoder, decode_process, process_pool, serve
from spark_keyframes.video.process.decode_process import DecodeProcess
from spark_keyframes.video.thread_decoder import ThreadDecoder
from tests.video import lying_child

from .clips import clip_named
from .decode_processes import is_running, seen, wait_until

_SLACK = 20.0  # the machine may be busy
_MAX_FRAMES = 500
FPS = 5.0
CLIPS = ("h264 mp4", "msmpeg4v3 avi")
"""One whose number of candidates is known, and one that is decoded in sequence."""

JSON_VALUES = [
    *("null", "true", "false", "{}", "[]", '""', '"5"', '"\\ud800\\u001b[31m\\n"', "0.5", "5.0"),
    *("-1", "0", "1", "2", "3", "30", "89", "90", "255", "65535", "65536", "2147483647"),
    *("2147483648", "-2147483649", "9223372036854775807", "9223372036854775808", "-1e9", "1e300"),
    *(str(2**70), str(-(2**70)), "9" * 5000, "1e999", "-1e999", "NaN", "Infinity", "-Infinity"),
    *("[" * 50_000, '{"a":' * 30_000, '"' + "x" * 100_000 + '"', "[1,2]", "]"),
]
_ERROR = {"message": "a", "stage": "", "traceback": "b\nc", "must_be_replaced": False}
WHOLE = [
    *("", "{", "[]", "null", "5", '{"number": 1}', '{"result": {}}', "\xff\xfe", "{}" * 30_000),
    *(
        json.dumps({"number": number, "error": {**_ERROR, **error}})
        for number in range(8)
        for error in (
            {"error": "HttpStatusError"},
            {"error": "KeyframesError"},
            {"error": "HookError", "message": "\ud800" * 9},
            {"error": "LimitError", "stage": "decode"},
            {"error": "LimitError", "stage": "nowhere"},
            {"error": "source"},
            {"error": "DecodeError", "message": "https://u:p@h/?X-Tos-Signature=5\r\nline"},
            {"error": "__init__"},
            {"error": "DecodeError", "stage": "decode", "cause": "more"},
        )
    ),
]
_DESCRIPTORS = st.lists(
    st.sampled_from(["pipe", "file", "folder", "zero", "unsealed", "small", "linger"])
)


def _lie(kind: str, at: int = 8, **needs: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.fixed_dictionaries({"kind": st.just(kind), "at": st.integers(0, at), **needs})


_LARGE = st.sampled_from([-(2**63), -1, 0, 1, 2**20, 2**31, 2**40, 2**63 - 1])
QUICK_LIES = st.one_of(
    _lie("value", leaf=st.integers(0, 15), source=st.none() | st.sampled_from(JSON_VALUES)),
    _lie("value", leaf=st.integers(0, 15), source=st.integers().map(str)),
    _lie("value", leaf=st.integers(0, 15), source=st.floats().map(json.dumps)),
    _lie("whole", source=st.sampled_from(WHOLE)),
    _lie("add", key=st.sampled_from(["end", "memory", "error", "count", "__class__"])),
    _lie("cut", size=st.integers(0, 300), hangs=st.just(False)),
    _lie("length", length=st.sampled_from([-(2**31), -1, 0, 1, 5, 2**18, 2**18 + 1, 2**31 - 1])),
    _lie("repeat", times=st.sampled_from([1, 2, 3, 100])),
    _lie("replay"),
    _lie("more", at=3),
    _lie("early"),
    _lie("flood", messages=st.booleans()),
    _lie("trickle", floods=st.booleans()),
    _lie("descriptors", keeps=st.booleans(), descriptors=_DESCRIPTORS),
    _lie("pixels", height=_LARGE, width=_LARGE),
    _lie("count", count=st.sampled_from([-(2**31), -1, 1, 2**31 - 1])),
    _lie("late", seconds=st.floats(0, 0.2)),
    _lie("exit", code=st.integers(0, 3)),
    _lie("signal", number=st.sampled_from([signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV])),
    _lie("request", position=_LARGE, size=_LARGE),
    _lie("linger"),
)
WAITING_LIES = st.one_of(
    _lie("cut", size=st.integers(0, 300), hangs=st.just(True)),
    _lie("withhold"),
    _lie("hang"),
    _lie("stop"),
    _lie("close"),
    _lie("endless", size=st.sampled_from([0, 1, 1000])),
    _lie("deaf", size=st.sampled_from([0, 1, 1000])),
    _lie("half"),
)
"""Lies that take up to the time limit."""


@cache
def honest_row(clip: str) -> Any:
    """Return what a row yields without a lie."""
    with ThreadDecoder(1) as decoder:
        return row(decoder, clip)


def row(decoder: Decoder, clip: str, *, ahead: bool = False) -> Any:
    """Decode a clip as the engine does, and return all that it yields.

    With `ahead`, candidates are decoded as soon as the video is open.
    """
    first = Ahead(FPS, hold=True) if ahead else None
    with decoder.open(io.BytesIO(clip_named(clip)), ahead=first) as video:
        return _steps(video)


def _steps(video: Video) -> Any:
    count = video.candidate_count(FPS)
    candidates = []
    for picture in video.candidates(FPS, hold=True):
        candidates.append(seen(picture))
        if picture.frame_id % 2:
            video.release([picture.frame_id])
    ids = [each[0] for each in candidates[1:8:2]]
    return count, candidates, [seen(picture) for picture in video.frames_by_id(ids)]


def check(
    lie: dict[str, Any],
    clip: str,
    *,
    liars: int,
    seconds: float = 1.0,
    forked: bool = True,
    ahead: bool = False,
    at_once: int = 1,
) -> str:
    """Lie to one row, and check it, the next row, and what is left; return how the row ended.

    Args:
        lie: see `lying_child`.
        clip: name of the video.
        liars: how many processes lie, one after another.
        seconds: `max_decode_seconds` and `max_download_seconds` of the row that is lied to.
        forked: start liars by `fork`, which takes 10 ms and not 500.
        ahead: see `row`.
        at_once: the most pictures in an answer.
    """
    expected = honest_row(clip)
    pool = process_pool.process_pool()
    files = _open_files()
    began = time.monotonic()
    limits = Limits(
        max_decode_seconds=seconds, max_download_seconds=seconds, max_frames=_MAX_FRAMES
    )
    with lying(lie, liars, forked=forked) as started, ProcessDecoder(1, limits=limits) as decoder:
        decoder.pictures_at_once = at_once
        outcome = _outcome(decoder, clip, ahead=ahead)
    assert time.monotonic() - began < 2 * seconds + _SLACK
    if lie["kind"] in lying_child.READS or at_once > 1:
        _end_idle(started)  # it may not have come to its lie
    with ProcessDecoder(1) as decoder:
        assert row(decoder, clip) == expected, "the next row is right"
    _end_idle(started)
    assert not [process for process in started if is_running(process.pid)]
    wait_until(lambda: all(each.name != "read-for-decoder" for each in threading.enumerate()))
    assert not pool.thread_counts.counts.any() or lie["kind"] == "count"
    gc.collect()
    # Threads close what the process sent. Those that other tests forgot may be closed meanwhile.
    wait_until(lambda: _open_files() <= files)
    wait_until(lambda: all(each.name != "close-received" for each in threading.enumerate()))
    lying_child.close_lingering()
    if isinstance(outcome, Exception):
        return _checked_error(outcome)
    _check_plausible(outcome)
    # These may change a value to another possible one, or what the process itself reads.
    if lie["kind"] not in ("value", "whole", "pixels", "more", *lying_child.READS):
        assert outcome == expected, "no plausible value was changed"
    return "right" if outcome == expected else "plausible"


def _outcome(decoder: ProcessDecoder, clip: str, *, ahead: bool) -> Any:
    try:
        return row(decoder, clip, ahead=ahead)
    except (KeyframesError, RuntimeError) as error:
        free_stack_frames(error)  # as the engine does
        return error


def _checked_error(error: Exception) -> str:
    message = str(error)
    assert message
    assert message.isprintable(), "no line end and no escape character"
    assert len(message) < 15_000
    message.encode()
    if not isinstance(error, KeyframesError):
        assert type(error) is RuntimeError
        assert "was closed" not in message
    return type(error).__name__


def _check_plausible(outcome: Any) -> None:
    """What the engine and Spark rely on."""
    count, candidates, _ = outcome
    ids, times = [each[0] for each in candidates], [each[1] for each in candidates]
    assert count is None or (type(count) is int and len(ids) <= count <= _MAX_FRAMES)
    assert all(type(each) is int and 0 <= each < _MAX_FRAMES for each in ids)
    assert ids == sorted(set(ids))
    assert all(type(each) is float and math.isfinite(each) for each in times)
    assert times == sorted(times)
    assert all(0 <= each[3] < 2**63 for each in candidates)


def _end_idle(started: list[DecodeProcess]) -> None:
    pool = process_pool.process_pool()
    for process in started:
        if process in pool._idle:
            pool._idle.remove(process)
            pool._end(process)


def _open_files() -> int:
    """Count the open descriptors of this process, without those of idle decode processes."""
    files = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 -- twice as fast
    # Each has a connection, a pipe, its standard error, and buffers.
    return files - sum(3 + len(each._buffers) for each in process_pool.process_pool()._idle)


@contextmanager
def lying(
    lie: dict[str, Any], liars: int, *, forked: bool = False
) -> Iterator[list[DecodeProcess]]:
    """Use no idle process, and let the next `liars` processes lie; yield all that are started."""
    pool = process_pool.process_pool()
    started: list[DecodeProcess] = []

    def start(*arguments: Any) -> DecodeProcess:
        with patch.object(decode_process, "_PROGRAM", program(lie)):
            if len(started) >= liars:
                decode_process._PROGRAM = ("-m", "spark_keyframes.video.process.serve")
            if forked:
                with patch.object(decode_process.subprocess, "Popen", Forked):
                    started.append(DecodeProcess(*arguments))
            else:
                started.append(DecodeProcess(*arguments))
        return started[-1]

    idle, pool._idle = pool._idle, []
    try:
        with patch.object(process_pool, "DecodeProcess", start):
            yield started
    finally:
        pool._idle[:0] = idle  # the next row gets the process that lied, if it was kept


def program(lie: dict[str, Any]) -> tuple[str, ...]:
    """Return the arguments that start a lying process. `DecodeProcess` appends its own."""
    return ("-m", "tests.video.lying_child", json.dumps(lie))


class Forked:
    """Starts a decode process by `fork`, in place of `subprocess.Popen`."""

    def __init__(self, arguments: list[str], *, pass_fds: tuple[int, ...], **_: Any) -> None:
        self.returncode: int | None = None
        self.pid = os.fork()
        if not self.pid:
            self._run(arguments, pass_fds)

    def _run(self, arguments: list[str], pass_fds: tuple[int, ...]) -> None:
        try:
            kept = {0, 1, 2, *pass_fds}
            for name in os.listdir("/proc/self/fd"):  # noqa: PTH208
                if int(name) not in kept:
                    with suppress(OSError):
                        os.close(int(name))
            resource.setrlimit(resource.RLIMIT_AS, (-1, -1))
            is_lying = "tests.video.lying_child" in arguments
            sys.argv = ["serve", *arguments[-5 if is_lying else -4 :]]
            (lying_child if is_lying else serve).main()
        finally:
            os._exit(0)

    def poll(self) -> int | None:
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        end = time.monotonic() + (math.inf if timeout is None else timeout)
        while self.poll() is None:
            if time.monotonic() > end:
                raise decode_process.subprocess.TimeoutExpired("fork", timeout or 0)
            time.sleep(0.002)
        assert self.returncode is not None
        return self.returncode

    def kill(self) -> None:
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
