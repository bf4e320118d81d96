"""A decoder waits for the bytes of a video for no longer than `max_download_seconds` in all."""

from __future__ import annotations

import errno
import io
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from spark_keyframes.errors import KeyframesError, LimitError, SourceReadError
from spark_keyframes.limits import Limits
from spark_keyframes.video import make_decoder
from spark_keyframes.video.process import ProcessDecoder

from .clips import clip_named
from .decode_processes import kill, wait_until

LIMITS = Limits(max_download_seconds=0.5)
_READ_TOO_LONG = r"reading the video took longer than 0\.5 s, which is max_download_seconds"


class Slow(io.BytesIO):
    """A file without a descriptor; `wait` is called before each read after the first bytes."""

    def __init__(self, wait: Callable[[], object], after: int = 0) -> None:
        super().__init__(clip_named("h264 mp4"))
        self._wait, self._after = wait, after

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() >= self._after:
            self._wait()
        return super().read(min(size or 0, 4096))


@pytest.fixture
def released() -> Iterator[threading.Event]:
    """An event that files may wait for; it is set at the end of the test."""
    event = threading.Event()
    yield event
    event.set()
    wait_until(lambda: all(each.name != "read-for-decoder" for each in threading.enumerate()))


@pytest.mark.parametrize("after", [0, 5000])
def test_a_file_that_blocks_for_ever(released: threading.Event, after: int) -> None:
    began = time.monotonic()
    with (
        ProcessDecoder(1, limits=LIMITS) as decoder,
        pytest.raises(LimitError, match=_READ_TOO_LONG) as caught,
    ):
        decoder.open(Slow(released.wait, after))
    assert time.monotonic() - began < 20
    assert caught.value.stage == "open"


@pytest.mark.parametrize("name", ["process", "thread"])
def test_many_reads_that_are_each_short(name: str) -> None:
    limits = Limits(max_download_seconds=0.5, max_decode_seconds=0.1)
    if name == "process":  # the limit on decoding does not count them
        limits = Limits(max_download_seconds=0.5)
    with make_decoder(name, 1, limits=limits) as decoder:  # type: ignore[arg-type]
        with pytest.raises(LimitError, match=_READ_TOO_LONG):
            decoder.open(Slow(lambda: time.sleep(0.2)))
        with decoder.open(Slow(lambda: None)) as video:
            assert len(list(video.candidates(5.0, hold=False))) == 18


def test_a_process_that_ends_while_the_file_blocks(released: threading.Event) -> None:
    """The next process may not read the file before the first read has ended."""

    def block_from_now_on() -> None:
        if is_blocked.is_set():
            kill(video)
            released.wait()

    is_blocked = threading.Event()
    file = Slow(block_from_now_on)
    with ProcessDecoder(1, limits=LIMITS) as decoder, decoder.open(file) as video:
        is_blocked.set()
        kill(video)
        with pytest.raises(LimitError, match=_READ_TOO_LONG):
            list(video.candidates(5.0, hold=False))


@pytest.mark.parametrize("name", ["process", "thread"])
def test_an_error_of_the_system_is_one_of_ours(name: str) -> None:
    def fail() -> None:
        raise OSError(errno.EIO, "Input/output error")

    with (
        make_decoder(name, 1) as decoder,  # type: ignore[arg-type]
        pytest.raises(KeyframesError, match="could not be read: Input/output error") as caught,
    ):
        decoder.open(Slow(fail, after=5000))
    assert type(caught.value) is SourceReadError
