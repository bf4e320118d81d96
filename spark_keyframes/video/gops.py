"""Decodes only the GOPs that hold wanted frames, each only up to the last wanted frame.

A run is a range of packets that begins where decoding may start. Runs are independent: they can be
decoded in any order, or at the same time with one codec context each.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import av
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from spark_keyframes.video.counters import Counters
from spark_keyframes.video.memory_limit import raise_if_out_of_memory
from spark_keyframes.video.packet_reader import PacketReader
from spark_keyframes.video.packet_table import PacketTable
from spark_keyframes.video.packets import SKIPS_NONREF


class RunFailedError(Exception):
    """The decoder did not return a wanted frame; `RunDecoder` then decodes in sequence there.

    `start` is the first packet of the run, if it was one.
    """

    def __init__(self, message: str, start: int | None = None) -> None:
        super().__init__(message)
        self.start = start


@dataclass(frozen=True)
class PacketRun:
    """A range of packets to decode after a flush, and the frames wanted from them."""

    start: int
    """Index of the first packet, which is a keyframe packet."""
    stop: int
    """Index after the last packet that is needed."""
    wanted: tuple[int, ...]
    """Frame ids, increasing."""


def plan_runs(table: PacketTable, frame_ids: Iterable[int]) -> list[PacketRun]:
    """Return the runs that decode these frames; ids must increase, the table needs a timeline."""
    runs: list[PacketRun] = []
    for frame_id in frame_ids:
        index = table.presented[frame_id]
        run = PacketRun(_first_needed(table, index), table.last_of(index) + 1, (frame_id,))
        # A leading frame may need the GOPs of several runs before it.
        while runs and run.start < runs[-1].stop:
            last = runs.pop()
            start, stop = min(run.start, last.start), max(run.stop, last.stop)
            run = PacketRun(start, stop, (*last.wanted, *run.wanted))
        runs.append(run)
    return runs


def _first_needed(table: PacketTable, index: int) -> int:
    gop = table.gop_of(index)
    start = table.gop_starts[gop]
    if table.pts[index] >= table.pts[start]:
        return start
    # A leading frame of an open GOP also refers to the previous GOP. If that holds only a keyframe
    # and leading frames, the reference may be in the GOP before it, unless the decoder forgets that
    # one, which may be of another recording and have the same times.
    while gop > 0:
        stop, gop = start, gop - 1
        start = table.gop_starts[gop]
        if table.resets(start) or any(
            table.pts[i] > table.pts[start] for i in range(start + 1, stop)
        ):
            break
    return start


def with_packets(
    runs: Sequence[PacketRun], packets: Iterable[Packet[VideoStream]] | PacketReader
) -> Iterator[tuple[PacketRun, Iterable[Packet[VideoStream]]]]:
    """Yield each run with its packets; `packets` are all packets of the stream.

    Unless `packets` is a list, packets are read lazily: consume those of a run before the next run.
    """
    if isinstance(packets, PacketReader):
        for run in runs:
            yield run, packets.part(run.start, run.stop)
        return
    position, source = 0, iter(packets)
    for run in runs:
        if isinstance(packets, list):
            yield run, packets[run.start : run.stop]
        else:
            yield run, islice(source, run.start - position, run.stop - position)
            position = run.stop


def decode_run(
    codec: VideoCodecContext,
    packets: Iterable[Packet[VideoStream]],
    run: PacketRun,
    table: PacketTable,
    counters: Counters,
) -> Iterator[tuple[int, av.VideoFrame]]:
    """Decode the packets of a run and yield its wanted frames, with their ids, in order.

    Raises:
        RunFailedError: the decoder did not return a wanted frame, or returned it damaged.
    """
    expected = iter(run.wanted)
    frame_id = next(expected, None)
    firsts = [table.presented[i] for i in run.wanted]
    wanted = {*firsts, *map(table.last_of, firsts)}
    for pictures in _pictures(codec, packets, run, table, counters, wanted=wanted):
        counters.count_frames(pictures)
        for picture in pictures:
            if frame_id is None:
                break
            wanted_pts = table.pts[table.presented[frame_id]]
            if picture.pts is None or picture.is_corrupt or picture.pts > wanted_pts:
                raise _not_returned(run, frame_id)
            if picture.pts == wanted_pts:
                yield frame_id, picture
                frame_id = next(expected, None)
    if frame_id is not None:
        raise _not_returned(run, frame_id)


def _pictures(
    codec: VideoCodecContext,
    packets: Iterable[Packet[VideoStream]],
    run: PacketRun,
    table: PacketTable,
    counters: Counters,
    *,
    wanted: set[int],
) -> Iterator[Sequence[av.VideoFrame]]:
    needed = table.needed_of(run.start, wanted)
    # A run may go on behind a join of recordings, where all times are earlier.
    following = table.gop_of(run.start) + 1
    gop_stop = table.gop_starts[following] if following < len(table.gop_starts) else run.stop
    # There are none behind an IDR picture, whatever the times say.
    has_leading = codec.name == "h264" and not table.resets(run.start)
    try:
        codec.flush_buffers()
        for index, packet in enumerate(packets, run.start):
            # Skip leading frames of an open GOP at the start of the run. They are not wanted, no
            # later frame refers to them, and FFmpeg's H.264 decoder would report damage.
            if has_leading and index < gop_stop and table.pts[index] < table.pts[run.start]:
                continue
            if needed is not None and not needed[index - run.start]:
                continue
            if codec.name in SKIPS_NONREF:
                is_needed = index in wanted or not table.may_skip(index)
                codec.skip_frame = "DEFAULT" if is_needed else "NONREF"
            counters.decoded += 1
            table.mark_keyframe(index, is_keyframe=packet.is_keyframe)
            yield codec.decode(packet)
        yield codec.decode(None)
    except av.error.FFmpegError as error:
        raise_if_out_of_memory(error, codec.width * codec.height)
        raise RunFailedError(str(error), run.start) from error


def _not_returned(run: PacketRun, frame_id: int) -> RunFailedError:
    return RunFailedError(f"the decoder did not return frame {frame_id}", run.start)
