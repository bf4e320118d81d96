"""Fetches the parts of one large file over several connections at a time.

For a whole video, the demuxer reads every packet. So all parts are fetched, those that the reader
needs next come first. For a part of a video, only what follows the latest read is fetched ahead.
See benchmarks/remote.py for measurements.
"""

import os
import tempfile
import threading
import time
from collections.abc import Iterator

from spark_keyframes.errors import LimitError, SourceReadError
from spark_keyframes.redaction import redact_url
from spark_keyframes.storage.download.interrupt import interrupt, register, unregister
from spark_keyframes.storage.download.meter import Meter
from spark_keyframes.storage.download.remote import (
    BLOCK,
    FIRST_PART,
    Answer,
    Part,
    RemoteFile,
    retry_download,
)
from spark_keyframes.storage.download.temporary import disk_error

# Servers limit the rate of each connection. Measured with 20 MB/s and 20 ms of latency each: 162 MB
# take 8.5 s over 1 connection, 4.4 s over 2, 2.3 s over 4, 1.4 s over 8. More may be refused.
CONNECTIONS = 4
# Small parts occupy all connections for a small file too. Large parts need fewer requests: with
# 80 ms of latency, 162 MB take 3.1 s in parts of 4 MB and 2.7 s in parts of 8 MB.
_PARTS = 16
_LONGEST_PART = 16 << 20
_READER_PART = 1 << 20  # bytes that the reader fetches by itself, if no other thread has begun
_AHEAD = 4 << 20  # bytes from the latest read on that are fetched, where not all are needed
_CLOSE_SECONDS = 5.0  # that `close` waits for connections that are still being opened

_MISSING, _CLAIMED, _PRESENT = range(3)


class _ClosedError(Exception):
    """Ends the work of a thread after `close`."""


class PartFetcher:
    """The threads that fetch the parts, and the temporary file that holds them.

    It holds no reference to the reader, so that an unused reader can be garbage-collected.

    Args:
        remote: the file on the server; `close` closes it.
        answer: the answer to the first request, which holds the first part.
        meter: counts the download.
        whole: fetch all parts; otherwise only those that are read, and some that follow them.
    """

    def __init__(
        self, remote: RemoteFile, answer: Answer, meter: Meter, *, whole: bool = True
    ) -> None:
        first = answer.part
        if first is None:
            raise ValueError("the answer holds the whole file")
        self.total = first.total
        self._remote = remote
        self._meter = meter
        self._whole = whole
        self._idle_since = time.monotonic()
        self._version = first.version
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 -- closed by close()
        self._part_size = min(
            max(FIRST_PART, first.total // _PARTS // BLOCK * BLOCK), _LONGEST_PART
        )
        self._blocks = bytearray(-(-first.total // BLOCK))
        """The state of each block."""
        self._next_read = 0
        """The block that is read next. Parts from here on are fetched first."""
        self._error: BaseException | None = None
        self._is_closed = False
        self._working = CONNECTIONS
        """Number of threads that will still look for missing blocks."""
        # Re-entrant, because the garbage collector may call close() in any thread at any time.
        self._changed = threading.Condition(threading.RLock())
        """Guards the fields above. Notified of present blocks, an error, and the close."""
        self._threads: list[threading.Thread] = []
        self._reader: threading.Thread | None = None
        """The reader's thread, while it fetches by itself."""
        self._reader_may_fetch = True
        """False after it has failed: without this it could send requests without end."""
        span, connection = self._claim(0, first.stop), unregister()
        for number in range(CONNECTIONS):
            args = (span, answer, connection) if number == 0 else ()
            # Daemon threads: a file that was not closed must not keep Python from ending.
            thread = threading.Thread(
                target=self._work, args=args, name=f"download-{number}", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def read_into(self, position: int, target: memoryview) -> int:
        """Copy the bytes from `position` on into `target`, and return their number.

        Waits for missing bytes. Fewer are copied only at the end of the file.
        """
        stop = min(position + len(target), self.total)
        if not self._whole:
            # The reader may decode for long between two reads.
            self._meter.pass_over(time.monotonic() - self._idle_since)
        while (span := self._wait(position, stop)) is not None:
            self._reader = threading.current_thread()
            try:
                self._fetch(*span)
            except BaseException as error:
                self._reader_may_fetch = False
                self._release(*span, error)
                if not isinstance(error, Exception):
                    raise
                # _wait raises the error if the other threads fail too.
            finally:
                self._reader = None
        count = 0
        while position + count < stop:
            count += os.preadv(
                self._file.fileno(), [target[count : stop - position]], position + count
            )
        self._idle_since = time.monotonic()
        return count

    def close(self) -> None:
        """Stop all threads, and release the connections and the disk space."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
        deadline = time.monotonic() + _CLOSE_SECONDS
        # The garbage collector may call this in one of the threads, which cannot wait for itself.
        here = threading.current_thread()
        for thread in self._threads:
            while thread is not here and thread.is_alive() and time.monotonic() < deadline:
                # Repeatedly, because the thread may be about to send a request.
                interrupt(thread)
                thread.join(0.02)
        while (reader := self._reader) not in (None, here) and time.monotonic() < deadline:
            interrupt(reader)
            time.sleep(0.02)
        self._remote.close()
        self._file.close()

    def _wait(self, position: int, stop: int) -> tuple[int, int] | None:
        """Wait until the bytes are present; or return a span that the caller must fetch.

        No wait goes beyond the deadline of the meter.
        """
        first, last = position // BLOCK, -(-stop // BLOCK)
        with self._changed:
            while True:
                if self._is_closed:
                    raise ValueError("read of a closed file")
                states = enumerate(self._blocks[first:last], first)
                missing = next((block for block, state in states if state != _PRESENT), None)
                if not self._whole:
                    self._next_read = last if missing is None else missing
                    self._changed.notify_all()
                if missing is None:
                    return None
                if self._error is not None:
                    raise self._error
                self._meter.check_time()
                self._next_read = missing
                if (
                    self._blocks[missing] == _MISSING
                    and self._working == CONNECTIONS
                    and self._reader_may_fetch
                ):
                    return self._claim(missing * BLOCK, missing * BLOCK + _READER_PART)
                self._changed.wait(min(self._meter.seconds_left(), threading.TIMEOUT_MAX))

    def _claim(self, start: int, stop: int) -> tuple[int, int]:
        """Claim the bytes up to `stop`, or up to the first that is claimed or present."""
        first, last = start // BLOCK, min(-(-stop // BLOCK), len(self._blocks))
        free = last - first
        for state in (_CLAIMED, _PRESENT):
            found = self._blocks.find(state, first, last)
            free = min(free, found - first if found >= 0 else free)
        self._blocks[first : first + free] = bytes([_CLAIMED]) * free
        return start, min((first + free) * BLOCK, self.total)

    def _claim_next(self) -> tuple[int, int] | None:
        """Claim the next missing part, from the reader's position on; None if there is none."""
        with self._changed:
            found = self._blocks.find(_MISSING, self._next_read)
            if found < 0:
                found = self._blocks.find(_MISSING)
            while not self._whole and found >= 0 and not self._has_ended:
                ahead = self._next_read + _AHEAD // BLOCK
                if (next_one := self._blocks.find(_MISSING, self._next_read, ahead)) >= 0:
                    return self._claim(next_one * BLOCK, next_one * BLOCK + _READER_PART)
                self._changed.wait()
                found = self._blocks.find(_MISSING)
            if found < 0 or self._has_ended:
                self._working -= 1
                return None
            # Up to a multiple of the part size, so that the parts stay aligned.
            stop = (found * BLOCK // self._part_size + 1) * self._part_size
            return self._claim(found * BLOCK, stop)

    @property
    def _has_ended(self) -> bool:
        return self._is_closed or self._error is not None

    def _work(
        self,
        span: tuple[int, int] | None = None,
        answer: Answer | None = None,
        connection: object = None,
    ) -> None:
        register(connection)
        span = span or self._claim_next()
        while span is not None:
            try:
                self._fetch(*span, answer)
            except _ClosedError:
                return
            except BaseException as error:  # noqa: BLE001 - raised in the thread that reads
                with self._changed:
                    self._working -= 1
                    self._release(*span, error)
                return
            answer = None
            span = self._claim_next()

    def _fetch(self, start: int, stop: int, answer: Answer | None = None) -> None:
        """Fetch the bytes of a claimed span; after a lost connection, continue where it broke."""
        position = start

        def attempt() -> None:
            nonlocal position, answer
            if position == stop:
                return  # the connection broke after the last byte
            current, answer = answer or self._request(position, stop), None
            try:
                for block in current.body(self._remote.url, self._meter):
                    self._store(position, block)
                    position += len(block)
            finally:
                current.close()
                unregister()

        retry_download(attempt, self._sleep, self._meter)

    def _request(self, start: int, stop: int) -> Answer:
        if self._is_closed:
            raise _ClosedError
        with self._meter.requesting():
            answer = self._remote.get(start, stop, self._version)
        if answer.part != Part(start, stop, self.total, self._version):
            answer.close()
            raise SourceReadError(
                f"{redact_url(self._remote.url)} changed while it was read, from {self.total} bytes"
                f" to {answer.part.total if answer.part else 'others'}; try again when it is "
                "complete"
            )
        return answer

    def _store(self, position: int, data: bytes) -> None:
        if self._is_closed:
            raise _ClosedError
        end = position + len(data)
        try:
            view = memoryview(data)
            while view:
                written = os.pwrite(self._file.fileno(), view, end - len(view))
                view = view[written:]
        except OSError as error:
            raise disk_error(self._remote.url, error) from error
        first, last = position // BLOCK, len(self._blocks) if end == self.total else end // BLOCK
        with self._changed:
            are_last = last - first == len(self._blocks) - self._blocks.count(_PRESENT)
        if are_last:
            # Whoever reads the whole file also waits for these blocks. No other thread stores any.
            self._remote.verify(self._content())
        with self._changed:
            self._blocks[first:last] = bytes([_PRESENT]) * (last - first)
            self._changed.notify_all()

    def _content(self) -> Iterator[bytes]:
        for start in range(0, self.total, BLOCK):
            if self._is_closed:
                raise _ClosedError
            yield os.pread(self._file.fileno(), BLOCK, start)

    def _sleep(self, seconds: float) -> None:
        with self._changed:
            if self._changed.wait_for(lambda: self._is_closed, seconds):
                raise _ClosedError

    def _release(self, start: int, stop: int, error: BaseException) -> None:
        """Let the other threads fetch the missing rest; a server may limit the connections.

        The error is final if no other thread works, or a limit is exceeded.
        """
        with self._changed:
            for index in range(start // BLOCK, -(-stop // BLOCK)):
                if self._blocks[index] == _CLAIMED:
                    self._blocks[index] = _MISSING
            is_final = self._working == 0 or isinstance(error, LimitError)
            if is_final and self._error is None:
                self._error = error
            self._changed.notify_all()
