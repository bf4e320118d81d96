"""Decodes frames from single GOPs, and in sequence around a GOP that is damaged."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain

import av
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from spark_keyframes.errors import DecodeError
from spark_keyframes.redaction import redact_text
from spark_keyframes.video.card import CardError
from spark_keyframes.video.counters import Counters
from spark_keyframes.video.gops import (
    PacketRun,
    RunFailedError,
    decode_run,
    plan_runs,
    with_packets,
)
from spark_keyframes.video.interface import Closeable
from spark_keyframes.video.packet_reader import PacketReader, index_of
from spark_keyframes.video.packet_source import PacketSource
from spark_keyframes.video.replacement import replaced
from spark_keyframes.video.run_pool import RunPool
from spark_keyframes.video.sequential import decode_all
from spark_keyframes.video.thread_slots import ThreadSlots

logger = logging.getLogger("spark_keyframes")

# After so many damaged GOPs, all that follows is decoded in sequence.
_MOST_REPAIRS = 8


@dataclass(frozen=True, slots=True)
class Decoded:
    """A frame that was wanted, or the one that replaces it."""

    wanted: int
    """Number of the wanted frame in `PacketTable.presented`."""
    number: int
    """Number of this frame; less than `wanted` if that one is damaged."""
    picture: av.VideoFrame


class RunDecoder(Closeable):
    """Decodes wanted frames of a video whose packets tell their order.

    Args:
        source: the packets.
        counters: what is decoded is added to them.
        threads: GOPs to decode at the same time.
        slots: limit on the threads of all videos together.
    """

    def __init__(
        self, source: PacketSource, counters: Counters, threads: int, slots: ThreadSlots | None
    ) -> None:
        self.counters = counters
        self._source = source
        self._threads = threads
        self._slots = slots
        self._pool: RunPool | None = None
        self._codec: VideoCodecContext | None = None
        """For runs that a reader gives."""
        self._reader: PacketReader | None = None

    def begin_parts(self) -> None:
        """Begin to read the packets in parts, in one pass over the file."""
        self._reader = self._source.reader()

    def hold(self, start: int) -> None:
        """Hold packets that are read from this index on, because they are needed twice."""
        if self._reader is not None:
            self._reader.hold(start)

    def forget(self, stop: int) -> None:
        """Release the held packets before this index."""
        if self._reader is not None:
            self._reader.forget(stop)

    def frames(
        self,
        wanted: Sequence[int],
        *,
        exactly: bool = False,
        alone: bool = False,
        lowest: int = 0,
        behind: Sequence[int] = (),
    ) -> Generator[Decoded]:
        """Yield wanted frames, whose numbers increase; a damaged one may be left out.

        Args:
            wanted: numbers in `PacketTable.presented`.
            exactly: a damaged frame is an error, and is not replaced by the one before it.
            alone: it is an error too if open GOPs turn out to need those before them.
            lowest: number of the first frame that can replace another.
            behind: the frame that would be wanted next, if any. Where the last wanted ones are
                damaged, it is yielded too: what replaces it may be a frame before it.

        Raises:
            LostFrameError: `exactly`, and a frame is damaged.
            DecodeError: `alone`, and open GOPs need those before them. They are decoded with these
                from now on.
            RunFailedError: a frame is damaged, and not all packets were read.
            CardError: the card did not decode a frame.
        """
        table = self._source.table
        done = repairs = 0
        while done < len(wanted):
            runs = plan_runs(table, wanted[done:])
            try:
                with closing(self._decode_runs(runs)) as pictures:
                    for number, picture in pictures:
                        yield Decoded(number, number, picture)
                        done += 1
                return
            except RunFailedError as error:
                if self._source.card is not None:
                    raise CardError(str(error)) from error
                if table.refuse_open_starts(error.start):
                    # Only because of leading frames that the run did not decode.
                    logger.info("open GOPs are not decoded alone: %s", redact_text(str(error)))
                    if alone:
                        raise DecodeError("its open GOPs cannot be decoded alone") from error
                    continue
                if table.reach != "all":
                    raise
                repairs += 1
                failed = next(run for run in runs if run.wanted[-1] >= wanted[done])
                stop = done + sum(number >= wanted[done] for number in failed.wanted)
                if repairs > _MOST_REPAIRS:
                    stop = len(wanted)
                what = "all" if stop == len(wanted) else f"packets {failed.start} to {failed.stop}"
                logger.info("decoding %s in sequence: %s", what, redact_text(str(error)))
                lost = [*wanted[done:stop], *(behind if stop == len(wanted) else ())]
                yield from self._replaced(failed.start, lost, exactly=exactly, lowest=lowest)
                done = stop

    def numbered(self, start: int) -> Generator[tuple[int, av.VideoFrame]]:
        """Decode in sequence from a packet on; yield the known frames with their numbers."""
        with closing(self.in_sequence(start)) as pictures:
            for index, picture in pictures:
                number = -1 if index is None else self._source.table.number_of(index)
                if number >= 0:
                    yield number, picture

    def in_sequence(
        self, start: int, codec: VideoCodecContext | None = None
    ) -> Generator[tuple[int | None, av.VideoFrame]]:
        """Decode in sequence from a packet on; yield each frame with the index of its packet.

        Frames before it may be yielded too, if it is damaged.

        Args:
            start: the packet: the first, or one where decoding may start.
            codec: decodes it; None: a new one.
        """
        table, steps = self._source.table, 1
        while True:
            with closing(self._from(start, codec)) as pictures:
                first = next(pictures, None)
                if first is None:
                    return
                # The decoder makes up for what a damaged keyframe lacks from frames before it.
                if start == 0 or not first[1].is_corrupt:
                    yield first
                    yield from pictures
                    return
            for _ in range(steps):
                start = table.start_before(start)
            steps *= 2

    def _from(
        self, start: int, codec: VideoCodecContext | None
    ) -> Generator[tuple[int | None, av.VideoFrame]]:
        table = self._source.table
        if codec is None:
            codec = next(self._source.codecs(strict=False), None)
        if codec is None:
            codec, packets = self._source.begin(strict=False)
            reader = PacketReader(None, lambda: packets)
        else:
            reader = self._reader or self._source.reader()
        stop = len(table)
        # Leading frames refer to frames before the start. An IDR picture has none.
        first = table.last_of(start)
        is_alone = start == 0 or (codec.name == "h264" and table.resets(start))
        end = first + 1 if is_alone else table.behind_leading(start)
        numbered = enumerate(reader.part(start, stop), start)
        used = (packet for index, packet in numbered if index <= first or index >= end)
        for picture in decode_all(codec, used, self.counters):
            yield index_of(picture), picture

    def _replaced(
        self, start: int, wanted: Sequence[int], *, exactly: bool, lowest: int
    ) -> Iterator[Decoded]:
        table = self._source.table
        least = table.presented[lowest]

        def is_reset(number: int) -> bool:
            index = table.presented[number]
            return table.resets(index) and not table.has_leading(index)

        while True:
            start = table.start_before(start)
            with closing(self.numbered(start)) as found:
                pictures = (each for each in found if each[0] >= lowest)
                first = next(pictures, None)
                # The frame that replaces the first one may be further back.
                is_early = first is not None and first[0] <= wanted[0]
                if is_early or exactly or start <= least:
                    head = [] if first is None else [first]
                    for number, shown, picture in replaced(
                        chain(head, pictures), wanted, is_reset, exactly=exactly
                    ):
                        yield Decoded(number, shown, picture)
                    return

    def _decode_runs(self, runs: Sequence[PacketRun]) -> Generator[tuple[int, av.VideoFrame]]:
        table, card = self._source.table, self._source.card
        codecs = self._source.codecs()
        packets: Iterable[Packet[VideoStream]] | PacketReader
        if self._reader is None:
            codec, packets = self._source.begin(strict=True)
        else:
            codec = self._codec = self._codec or next(codecs)
            packets = self._reader
        threads = min(self._threads, len(runs), self._source.affordable_threads())
        if card is not None:
            threads = 1  # its decoders serve other videos meanwhile
        first = next(codecs, None) if threads > 1 else None
        if first is None:
            for run, part in with_packets(runs, packets):
                for number, picture in decode_run(codec, part, run, table, self.counters):
                    yield number, picture if card is None else card.in_memory(picture, codec)
            return
        self._pool = RunPool(
            threads,
            chain([first], codecs),
            runs,
            packets,
            table=table,
            counters=self.counters,
            slots=self._slots,
        )
        with self._pool as pool:
            yield from pool.frames()

    def close(self) -> None:
        """Stop the threads."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None
