"""A pool of threads that decode several runs of one video at the same time.

Each thread has its own codec context and decodes one run after another. Whenever a run begins,
another thread starts if a slot is free. A thread ends after its run if other videos need its slot.

All threads read one file, one thread at a time, in the order of the runs. Decoded frames are queued
until the frames before them were consumed. Each thread holds at most `_AHEAD_BYTES` of frames and
`_PACKET_BYTES` of packets, however long a GOP is.

To keep n threads busy on runs of F frames, about F·(n-1)/2 frames must fit into the queues.
Otherwise threads wait for the first run.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain

import av
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from spark_keyframes.video.counters import Counters
from spark_keyframes.video.gops import PacketRun, decode_run, with_packets
from spark_keyframes.video.interface import Closeable
from spark_keyframes.video.packet_reader import PacketReader
from spark_keyframes.video.packet_table import PacketTable
from spark_keyframes.video.thread_slots import ThreadSlots

# 23 frames of 720p, 10 of 1080p, or 2 of 4K: about as much as a codec's reference frames.
_AHEAD_BYTES = 32 * 1024 * 1024
# The rest of a longer run is read while it is decoded; no other thread can read meanwhile.
_PACKET_BYTES = 32 * 1024 * 1024
THREAD_BYTES = _AHEAD_BYTES + _PACKET_BYTES
"""Bytes that a thread may hold, besides its codec."""

_POLL_SECONDS = 1.0


class _PoolClosedError(Exception):
    """Ends the work of a thread; never leaves the thread."""


@dataclass
class _Output:
    """The queued frames of one run."""

    pictures: deque[tuple[int, av.VideoFrame, int]] = field(default_factory=deque)
    """Frame id, frame, bytes of the frame."""
    is_finished: bool = False
    error: BaseException | None = None
    """Raised in the consumer after the last frame."""


class RunPool(Closeable):
    """Decodes runs with up to `threads` threads. Use it as a context manager.

    Its threads read `packets` until it is closed, so nothing else may use the file. Each thread
    takes one of `codecs`.
    """

    def __init__(
        self,
        threads: int,
        codecs: Iterator[VideoCodecContext],
        runs: Sequence[PacketRun],
        packets: Iterable[Packet[VideoStream]] | PacketReader,
        *,
        table: PacketTable,
        counters: Counters,
        slots: ThreadSlots | None = None,
    ) -> None:
        self._parts = with_packets(runs, packets)
        self._count = len(runs)
        self._table = table
        self._counters = counters
        self._reading = threading.Lock()
        """Held while a thread takes a run and reads its packets. Acquire it before `_state`."""
        self._state = threading.RLock()
        """Guards all attributes below. Re-entrant, as the garbage collector may call `close`."""
        self._available = threading.Condition(self._state)
        self._has_space = threading.Condition(self._state)
        self._outputs: deque[_Output] = deque()
        """Outputs of the runs that began and are not fully consumed, in order."""
        self._held_bytes = 0
        self._has_failed = False
        self._is_stopped = False
        self._consumer = threading.current_thread()
        self._max_threads = threads
        self._slots = slots or ThreadSlots(threads)
        self._codecs = codecs
        self._idle: list[VideoCodecContext] = []
        """Codecs of threads that have ended."""
        self._running = 0
        """Number of threads that have not ended."""
        self._threads: list[threading.Thread] = []

    def frames(self) -> Iterator[tuple[int, av.VideoFrame]]:
        """Yield the wanted frames of all runs, with their ids, in order. Call it once.

        The error of a run is raised here, after the frames before it; usually a `RunFailedError`.
        """
        self._start(in_slot=False)
        for _ in range(self._count):
            while True:
                taken = self._take()
                if taken is None:
                    break
                yield taken

    def close(self) -> None:
        """Stop all threads and wait for their end; afterwards the file may be used again."""
        with self._state:
            self._is_stopped = True
            self._available.notify_all()
            self._has_space.notify_all()
            threads, self._threads = self._threads, []
        # If the garbage collector calls this in one of the threads, joining would deadlock.
        if threading.current_thread() not in threads:
            for thread in threads:
                thread.join()
            self._outputs.clear()

    def _take(self) -> tuple[int, av.VideoFrame] | None:
        """Wait for the next frame of the first run and return it; None at the end of the run."""
        with self._state:
            self._consumer = threading.current_thread()
            while not self._outputs or not (
                self._outputs[0].pictures or self._outputs[0].is_finished
            ):
                if self._is_stopped:
                    raise RuntimeError("the video was closed while it was decoded")
                self._available.wait()
            first = self._outputs[0]
            self._has_space.notify_all()
            if first.pictures:
                frame_id, picture, size = first.pictures.popleft()
                self._held_bytes -= size
                return frame_id, picture
            if first.error is not None:
                raise first.error
            self._outputs.popleft()
            return None

    def _start(self, *, in_slot: bool) -> None:
        with self._state:
            thread = threading.Thread(
                target=self._work,
                args=(self._idle.pop() if self._idle else next(self._codecs), in_slot),
                name=f"decode-{len(self._threads)}",
            )
            thread.start()
            self._threads.append(thread)
            self._running += 1

    def _start_another(self) -> None:
        with self._state:
            may_start = self._running < self._max_threads and not self._is_stopped
            if may_start and self._slots.try_acquire():
                try:
                    self._start(in_slot=True)
                except BaseException:
                    self._slots.release()
                    raise

    def _work(self, codec: VideoCodecContext, in_slot: bool) -> None:
        try:
            while self._decode_next(codec) and not (in_slot and self._slots.is_exceeded):
                pass
        except _PoolClosedError:
            pass
        finally:
            with self._state:
                self._running -= 1
                self._idle.append(codec)
            if in_slot:
                self._slots.release()

    def _decode_next(self, codec: VideoCodecContext) -> bool:
        """Take a run and decode it; return False if none is left."""
        counters = self._counters.for_thread()
        with ExitStack() as reading:
            reading.enter_context(self._reading)
            try:
                part = None if self._has_failed or self._is_stopped else next(self._parts, None)
            except BaseException as error:  # noqa: BLE001 -- raised again in the consumer
                self._append(_Output(error=error, is_finished=True))
                self._has_failed = True
                return False
            if part is None:
                return False
            output = _Output()
            self._append(output)
            try:
                self._start_another()
                run, source = part
                packets = self._until_stopped(source)
                head, is_complete = _read_head(packets)
                if is_complete:
                    reading.close()
                rest = chain(head, packets)
                for frame_id, picture in decode_run(codec, rest, run, self._table, counters):
                    self._put(output, frame_id, picture)
            except _PoolClosedError:
                raise
            except BaseException as error:  # noqa: BLE001 -- raised again in the consumer
                output.error = error
                self._has_failed = True
            finally:
                with self._state:
                    output.is_finished = True
                    self._counters.add(counters)
                    self._available.notify_all()
        return True

    def _append(self, output: _Output) -> None:
        with self._state:
            self._outputs.append(output)
            self._available.notify_all()

    def _until_stopped(
        self, packets: Iterable[Packet[VideoStream]]
    ) -> Iterator[Packet[VideoStream]]:
        for packet in packets:
            if self._is_stopped:
                raise _PoolClosedError
            yield packet

    def _put(self, output: _Output, frame_id: int, picture: av.VideoFrame) -> None:
        size = sum(plane.buffer_size for plane in picture.planes)
        with self._state:
            while self._is_full() and not self._is_awaited(output):
                # Before the wait: after `close` nobody ends it.
                if self._is_stopped:
                    raise _PoolClosedError
                if not self._has_space.wait(_POLL_SECONDS) and self._has_no_consumer():
                    self._is_stopped = True
                    self._has_space.notify_all()
            self._held_bytes += size
            output.pictures.append((frame_id, picture, size))
            self._available.notify_all()

    def _is_full(self) -> bool:
        return self._held_bytes >= _AHEAD_BYTES * self._running

    def _is_awaited(self, output: _Output) -> bool:
        # The first run continues even if the others fill the queues: they wait for its end.
        return output is self._outputs[0] and not output.pictures

    def _has_no_consumer(self) -> bool:
        """Return whether Python is exiting and waits for these threads, and no consumer is left."""
        consumer = self._consumer
        is_exiting = not threading.main_thread().is_alive()
        return is_exiting and (consumer.daemon or not consumer.is_alive())


def _read_head(
    packets: Iterator[Packet[VideoStream]],
) -> tuple[list[Packet[VideoStream]], bool]:
    """Read packets up to `_PACKET_BYTES`; return them, and whether these are all."""
    head: list[Packet[VideoStream]] = []
    size = 0
    for packet in packets:
        head.append(packet)
        size += packet.size
        if size > _PACKET_BYTES:
            return head, False
    return head, True
