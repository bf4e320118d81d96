"""Helpers for tests that inspect, kill, or wait for decode processes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from spark_keyframes.video.interface import RgbFrame
from spark_keyframes.video.process import ProcessDecoder
from spark_keyframes.video.process.decode_process import DecodeProcess
from spark_keyframes.video.process.process_video import ProcessVideo

Seen = tuple[int, float, bytes, int]
"""Frame id, timestamp, pixels and size of a frame."""


@pytest.fixture
def decoder() -> Iterator[ProcessDecoder]:
    with ProcessDecoder(2) as opened:
        opened.pictures_at_once = 1  # those of small clips would come all at once
        yield opened


def seen(picture: RgbFrame) -> Seen:
    return picture.frame_id, picture.timestamp, picture.rgb.tobytes(), picture.nbytes


def process_of(video: ProcessVideo) -> DecodeProcess:
    assert video._process is not None
    return video._process


def kill(video: ProcessVideo, number: signal.Signals = signal.SIGKILL) -> None:
    os.kill(process_of(video).pid, number)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the condition never became true"
        time.sleep(0.01)
