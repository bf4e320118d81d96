"""All cores on one video: runs decoded at the same time, their frames given in order.

Each thread has a codec context of its own and takes the next run whenever it is done with one. With
each run that begins, another thread starts, if there is a slot for it; where other videos need the
slot, the thread ends with its run.

The packets come from one file, so reading is done by one thread at a time, in the order of the
runs. Decoded frames wait until the frames before them were taken. What is held is bounded:
`_AHEAD_BYTES` of frames and `_PACKET_BYTES` of packets per thread, however long a GOP is.

Frames far ahead have to be held for threads to work side by side: n threads on runs of F frames
are all busy where about F·(n-1)/2 frames fit. Where they do not, threads wait for the first run.
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

from spark_keyframes.video.closing import Closing
from spark_keyframes.video.counters import Counters
from spark_keyframes.video.gops import Run, decode_run, with_packets
from spark_keyframes.video.packets import PacketTable
from spark_keyframes.video.thread_slots import Slots

# 23 frames of 720p, 10 of 1080p, 2 of 4K: no more than what a decoder holds for reference.
_AHEAD_BYTES = 32 * 1024 * 1024
# Of a longer run, the rest is read while it is decoded, and no other thread may read meanwhile.
_PACKET_BYTES = 32 * 1024 * 1024
THREAD_BYTES = _AHEAD_BYTES + _PACKET_BYTES
"""What a thread may hold beside its codec."""

_POLL_SECONDS = 1.0


class _Stopped(Exception):  # noqa: N818 -- ends a thread's work, and never leaves it
    pass


@dataclass
class _Output:
    """What came out of one run and was not taken yet."""

    pictures: deque[tuple[int, av.VideoFrame, int]] = field(default_factory=deque)
    """Frame id, frame, its bytes."""
    is_finished: bool = False
    error: BaseException | None = None
    """Raised where the frames end."""


class RunPool(Closing):
    """Decodes runs with up to `threads` threads; to be closed, as a context manager does.

    Until it is closed, its threads read `packets`: nobody else may use the file. Each has one of
    `codecs`, which are asked for one more with each thread that starts.
    """

    def __init__(
        self,
        threads: int,
        codecs: Iterator[VideoCodecContext],
        runs: Sequence[Run],
        packets: Iterable[Packet[VideoStream]],
        *,
        table: PacketTable,
        counters: Counters,
        slots: Slots | None = None,
    ) -> None:
        self._parts = with_packets(runs, packets)
        self._count = len(runs)
        self._table = table
        self._counters = counters
        self._reading = threading.Lock()
        """Held by the thread that takes a run and reads its packets. Taken before `_state`."""
        self._state = threading.RLock()
        """Guards all that follows. Re-entrant: the garbage collector may close a pool anywhere."""
        self._available = threading.Condition(self._state)
        self._room = threading.Condition(self._state)
        self._outputs: deque[_Output] = deque()
        """Of the runs that were begun and not taken to their end, in order."""
        self._held_bytes = 0
        self._has_failed = False
        self._is_stopped = False
        self._consumer = threading.current_thread()
        self._most_threads = threads
        self._slots = slots or Slots(threads)
        self._codecs = codecs
        self._idle: list[VideoCodecContext] = []
        """Of threads that have ended."""
        self._at_work = 0
        """Threads that have not."""
        self._threads: list[threading.Thread] = []

    def pictures(self) -> Iterator[tuple[int, av.VideoFrame]]:
        """The wanted frames of all runs with their ids, in order; to be called once.

        Raises what decoding a run raised, `RunFailed` above all, after the frames before it.
        """
        self._start(in_slot=False)
        for _ in range(self._count):
            while True:
                taken = self._take()
                if taken is None:
                    break
                yield taken

    def close(self) -> None:
        """Stop all threads and wait for their end; the file is free then."""
        with self._state:
            self._is_stopped = True
            self._available.notify_all()
            self._room.notify_all()
            threads, self._threads = self._threads, []
        # Called by the garbage collector in one of the threads, it would wait for itself.
        if threading.current_thread() not in threads:
            for thread in threads:
                thread.join()
            self._outputs.clear()

    def _take(self) -> tuple[int, av.VideoFrame] | None:
        """The next frame of the first run; None at its end."""
        with self._state:
            self._consumer = threading.current_thread()
            while not self._outputs or not (
                self._outputs[0].pictures or self._outputs[0].is_finished
            ):
                if self._is_stopped:
                    raise RuntimeError("the video was closed while it was decoded")
                self._available.wait()
            first = self._outputs[0]
            self._room.notify_all()
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
            self._at_work += 1

    def _start_another(self) -> None:
        with self._state:
            may_start = self._at_work < self._most_threads and not self._is_stopped
            if may_start and self._slots.try_enter():
                try:
                    self._start(in_slot=True)
                except BaseException:
                    self._slots.leave()
                    raise

    def _work(self, codec: VideoCodecContext, in_slot: bool) -> None:
        try:
            while self._decode_next(codec) and not (in_slot and self._slots.are_short):
                pass
        except _Stopped:
            pass
        finally:
            with self._state:
                self._at_work -= 1
                self._idle.append(codec)
            if in_slot:
                self._slots.leave()

    def _decode_next(self, codec: VideoCodecContext) -> bool:
        """Take a run and decode it; False where none is left."""
        counters = self._counters.part()
        with ExitStack() as reading:
            reading.enter_context(self._reading)
            part = None if self._has_failed or self._is_stopped else next(self._parts, None)
            if part is None:
                return False
            output = _Output()
            with self._state:
                self._outputs.append(output)
            try:
                self._start_another()
                run, source = part
                packets = self._until_stopped(source)
                head, is_whole = _read_head(packets)
                if is_whole:
                    reading.close()
                rest = chain(head, packets)
                for frame_id, picture in decode_run(codec, rest, run, self._table, counters):
                    self._put(output, frame_id, picture)
            except _Stopped:
                raise
            except BaseException as error:  # noqa: BLE001 -- raised again where it is waited for
                output.error = error
                self._has_failed = True
            finally:
                with self._state:
                    output.is_finished = True
                    self._counters.add(counters)
                    self._available.notify_all()
        return True

    def _until_stopped(
        self, packets: Iterable[Packet[VideoStream]]
    ) -> Iterator[Packet[VideoStream]]:
        for packet in packets:
            if self._is_stopped:
                raise _Stopped
            yield packet

    def _put(self, output: _Output, frame_id: int, picture: av.VideoFrame) -> None:
        size = sum(plane.buffer_size for plane in picture.planes)
        with self._state:
            while self._has_no_room() and not self._is_awaited(output):
                if not self._room.wait(_POLL_SECONDS) and self._is_abandoned():
                    self._is_stopped = True
                    self._room.notify_all()
                if self._is_stopped:
                    raise _Stopped
            self._held_bytes += size
            output.pictures.append((frame_id, picture, size))
            self._available.notify_all()

    def _has_no_room(self) -> bool:
        return self._held_bytes >= _AHEAD_BYTES * self._at_work

    def _is_awaited(self, output: _Output) -> bool:
        # The first run goes on however much the others hold: they wait for its end.
        return output is self._outputs[0] and not output.pictures

    def _is_abandoned(self) -> bool:
        """Whether Python waits for these threads to exit, with nobody left to take frames."""
        consumer = self._consumer
        is_exiting = not threading.main_thread().is_alive()
        return is_exiting and (consumer.daemon or not consumer.is_alive())


def _read_head(
    packets: Iterator[Packet[VideoStream]],
) -> tuple[list[Packet[VideoStream]], bool]:
    """The first packets, and whether these are all."""
    head: list[Packet[VideoStream]] = []
    size = 0
    for packet in packets:
        head.append(packet)
        size += packet.size
        if size > _PACKET_BYTES:
            return head, False
    return head, True
