"""The parts of one large object, fetched over several connections at a time.

Measured, see benchmarks/remote.py: what takes time is a connection's own limit. All of a video's
bytes are needed, since every packet is looked at, so all are fetched, those that are read first.
"""

import os
import tempfile
import threading
import time
from collections.abc import Iterator

from spark_keyframes.errors import LimitError, SourceReadError
from spark_keyframes.storage.base import disk_error
from spark_keyframes.storage.download.interrupt import adopt, forget, interrupt
from spark_keyframes.storage.download.meter import Meter
from spark_keyframes.storage.download.remote import BLOCK, FIRST, Answer, Part, Remote, retried
from spark_keyframes.urls import redact_url

# A server's limit per connection is met by more of them, up to what is polite: with 20 MB/s and
# 20 ms each, 162 MB take 8.5 s by one, 4.4 by 2, 2.3 by 4 and 1.4 by 8.
CONNECTIONS = 4
# Small parts let all connections work on a small object, large ones wait less often for an answer:
# with 80 ms, 162 MB by 4 connections take 3.1 s in parts of 4 MB and 2.7 s in parts of 8 MB.
_PARTS = 16
_LONGEST_PART = 16 << 20
_URGENT = 1 << 20  # bytes that a reader fetches by itself, where nobody else has begun to
_PATIENCE = 5.0  # seconds that closing waits for a connection that is only being made

_MISSING, _TAKEN, _PRESENT = range(3)


class _Stopped(Exception):  # noqa: N818 -- ends a thread's work, and never leaves it
    pass


class Parts:
    """The threads that fetch the parts, and the file that these go to.

    `answer` is to the first request, for a part that the object goes on after. `remote` is closed
    with this, and `meter` counts. Nothing here refers to whoever reads, so a reader that is
    forgotten can be collected.
    """

    def __init__(self, remote: Remote, answer: Answer, meter: Meter) -> None:
        first = answer.part
        if first is None:
            raise ValueError("the answer holds the whole object")
        self.total = first.total
        self._remote = remote
        self._meter = meter
        self._version = first.version
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 -- closed by close()
        self._part = min(max(FIRST, first.total // _PARTS // BLOCK * BLOCK), _LONGEST_PART)
        self._blocks = bytearray(-(-first.total // BLOCK))
        self._wanted = 0
        """The block that is read next: parts from here on come first."""
        self._error: BaseException | None = None
        self._is_stopped = False
        self._working = CONNECTIONS
        """How many threads will look for missing blocks again, before they end."""
        # Re-entrant: the garbage collector may close a file anywhere.
        self._changed = threading.Condition(threading.RLock())
        """Guards all of the above, and tells of blocks that came, an error, and the stop."""
        self._threads: list[threading.Thread] = []
        self._reader: threading.Thread | None = None
        """The thread that reads, while it fetches by itself."""
        span, connection = self._take(0, first.stop), forget()
        for number in range(CONNECTIONS):
            args = (span, answer, connection) if number == 0 else ()
            # Daemons: Python must not wait at its end for files that nobody has closed.
            thread = threading.Thread(
                target=self._work, args=args, name=f"download-{number}", daemon=True
            )
            self._threads.append(thread)
            thread.start()

    def read_into(self, position: int, target: memoryview) -> int:
        """Wait for the bytes from `position` on and copy them; fewer only at the end."""
        stop = min(position + len(target), self.total)
        while (span := self._wait(position, stop)) is not None:
            self._reader = threading.current_thread()
            try:
                self._fetch(*span)
            except BaseException as error:
                self._give_back(*span, error)
                if not isinstance(error, Exception):
                    raise
                # Raised by _wait, unless the other threads can do better.
            finally:
                self._reader = None
        count = 0
        while position + count < stop:
            count += os.preadv(
                self._file.fileno(), [target[count : stop - position]], position + count
            )
        return count

    def close(self) -> None:
        """Stop all threads and free all connections and the disk."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()
        limit = time.monotonic() + _PATIENCE
        # Called by the garbage collector in one of the threads, it would wait for itself.
        here = threading.current_thread()
        for thread in self._threads:
            while thread is not here and thread.is_alive() and time.monotonic() < limit:
                # More than once: the thread may be just about to send its request.
                interrupt(thread)
                thread.join(0.02)
        while (reader := self._reader) not in (None, here) and time.monotonic() < limit:
            interrupt(reader)
            time.sleep(0.02)
        self._remote.close()
        self._file.close()

    def _wait(self, position: int, stop: int) -> tuple[int, int] | None:
        """Wait until the bytes are there; return a span that the caller has to fetch, or None."""
        first, last = position // BLOCK, -(-stop // BLOCK)
        with self._changed:
            while True:
                if self._is_stopped:
                    raise ValueError("read of a closed file")
                found = self._blocks[first:last]
                here = next((i for i, state in enumerate(found, first) if state != _PRESENT), None)
                if here is None:
                    return None
                if self._error is not None:
                    raise self._error
                self._wanted = here
                if self._blocks[here] == _MISSING and self._working == CONNECTIONS:
                    return self._take(here * BLOCK, here * BLOCK + _URGENT)
                self._changed.wait()

    def _take(self, start: int, stop: int) -> tuple[int, int]:
        """Take the bytes up to `stop`, or as far as nobody else has."""
        first, last = start // BLOCK, min(-(-stop // BLOCK), len(self._blocks))
        free = last - first
        for state in (_TAKEN, _PRESENT):
            found = self._blocks.find(state, first, last)
            free = min(free, found - first if found >= 0 else free)
        self._blocks[first : first + free] = bytes([_TAKEN]) * free
        return start, min((first + free) * BLOCK, self.total)

    def _next(self) -> tuple[int, int] | None:
        """Take the next part, from where the reader is; None where nothing is left."""
        with self._changed:
            found = self._blocks.find(_MISSING, self._wanted)
            if found < 0:
                found = self._blocks.find(_MISSING)
            if found < 0 or self._is_stopped or self._error is not None:
                self._working -= 1
                return None
            # To the next border of parts, so that they stay aligned whatever was fetched before.
            return self._take(found * BLOCK, (found * BLOCK // self._part + 1) * self._part)

    def _work(
        self,
        span: tuple[int, int] | None = None,
        answer: Answer | None = None,
        connection: object = None,
    ) -> None:
        adopt(connection)
        span = span or self._next()
        while span is not None:
            try:
                self._fetch(*span, answer)
            except _Stopped:
                return
            except BaseException as error:  # noqa: BLE001 -- raised again where it is waited for
                with self._changed:
                    self._working -= 1
                    self._give_back(*span, error)
                return
            answer = None
            span = self._next()

    def _fetch(self, start: int, stop: int, answer: Answer | None = None) -> None:
        """Fetch the bytes of a span that was taken; where they break off, go on from there."""
        position = start

        def attempt() -> None:
            nonlocal position, answer
            current, answer = answer or self._request(position, stop), None
            try:
                for block in current.blocks:
                    self._store(position, block, stop)
                    position += len(block)
            finally:
                current.close()
                forget()

        retried(attempt, self._sleep, self._meter)

    def _request(self, start: int, stop: int) -> Answer:
        if self._is_stopped:
            raise _Stopped
        with self._meter.requesting():
            answer = self._remote.get(start, stop, self._version)
        if answer.part != Part(start, stop, self.total, self._version):
            answer.close()
            raise SourceReadError(
                f"{redact_url(self._remote.url)} changed while it was read, from {self.total} bytes"
                f" to {answer.part.total if answer.part else 'others'}; try again once its writer "
                "is done"
            )
        return answer

    def _store(self, position: int, data: bytes, stop: int) -> None:
        if self._is_stopped:
            raise _Stopped
        end = position + len(data)
        if end > stop:
            raise SourceReadError(
                f"the server of {redact_url(self._remote.url)} sent more than it announced"
            )
        try:
            view = memoryview(data)
            while view:
                written = os.pwrite(self._file.fileno(), view, end - len(view))
                view = view[written:]
        except OSError as error:
            raise disk_error(self._remote.url, error) from error
        first, last = position // BLOCK, len(self._blocks) if end == self.total else end // BLOCK
        with self._changed:
            if last - first == len(self._blocks) - self._blocks.count(_PRESENT):
                # Whoever reads all of the object reads the last block to arrive.
                self._remote.verify(self._whole())
            self._blocks[first:last] = bytes([_PRESENT]) * (last - first)
            self._changed.notify_all()

    def _whole(self) -> Iterator[bytes]:
        for start in range(0, self.total, BLOCK):
            yield os.pread(self._file.fileno(), BLOCK, start)

    def _sleep(self, seconds: float) -> None:
        with self._changed:
            if self._changed.wait_for(lambda: self._is_stopped, seconds):
                raise _Stopped

    def _give_back(self, start: int, stop: int, error: BaseException) -> None:
        """Leave what did not come to the other threads: a server may limit the connections."""
        with self._changed:
            for index in range(start // BLOCK, -(-stop // BLOCK)):
                if self._blocks[index] == _TAKEN:
                    self._blocks[index] = _MISSING
            is_final = self._working == 0 or isinstance(error, LimitError)
            if is_final and self._error is None:
                self._error = error
            self._changed.notify_all()
