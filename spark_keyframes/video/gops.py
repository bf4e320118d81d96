"""The fast path: decode only the GOPs that hold wanted frames, each only as far as needed.

A run is a self-contained unit of work: packets which start where decoding may start, so that runs
can be decoded in any order, or at the same time with a codec context for each.
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
from spark_keyframes.video.packets import SKIPS_NONREF, PacketTable
from spark_keyframes.video.shortage import check_memory


class RunFailed(Exception):  # noqa: N818 -- a turn in the path, which never reaches the user
    """The decoder did not give what the packets promise: decode in sequence instead."""


@dataclass(frozen=True)
class Run:
    """Packets to decode after a flush, and the frames wanted of them."""

    start: int
    """Index of the first packet, a keyframe."""
    stop: int
    """Index after the last packet that is needed."""
    wanted: tuple[int, ...]
    """Frame ids, increasing."""


def plan_runs(table: PacketTable, frame_ids: Iterable[int]) -> list[Run]:
    """The runs that decode these frames (increasing ids) of a table with a timeline."""
    runs: list[Run] = []
    for frame_id in frame_ids:
        index = table.presented[frame_id]
        start = _first_needed(table, index)
        if runs and start < runs[-1].stop:
            last = runs.pop()
            start, index = min(start, last.start), max(index, last.stop - 1)
            runs.append(Run(start, index + 1, (*last.wanted, frame_id)))
        else:
            runs.append(Run(start, index + 1, (frame_id,)))
    return runs


def _first_needed(table: PacketTable, index: int) -> int:
    gop = table.gop_of(index)
    start = table.gop_starts[gop]
    if table.pts[index] >= table.pts[start]:
        return start
    # A leading frame of an open GOP also refers to frames of the GOP before. If that consists of
    # its keyframe and leading frames alone, the reference may lie in the one before that.
    while gop > 0:
        stop, gop = start, gop - 1
        start = table.gop_starts[gop]
        if any(table.pts[i] > table.pts[start] for i in range(start + 1, stop)):
            break
    return start


def with_packets(
    runs: Sequence[Run], packets: Iterable[Packet[VideoStream]]
) -> Iterator[tuple[Run, Iterable[Packet[VideoStream]]]]:
    """Each run with its packets, out of all packets of the stream.

    Unless `packets` is a list, those of a run are read as they are taken: all of them before the
    next run is.
    """
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
    run: Run,
    table: PacketTable,
    counters: Counters,
) -> Iterator[tuple[int, av.VideoFrame]]:
    """Decode a run, given exactly its packets; yields its wanted frames in order.

    Raises `RunFailed` where a wanted frame does not come out, or comes out damaged.
    """
    expected = iter(run.wanted)
    frame_id = next(expected, None)
    wanted = {table.presented[i] for i in run.wanted} if codec.name in SKIPS_NONREF else None
    for pictures in _pictures(codec, packets, run, table, counters, wanted=wanted):
        counters.take(pictures)
        for picture in pictures:
            if frame_id is None:
                break
            wanted_pts = table.pts[table.presented[frame_id]]
            if picture.pts is None or picture.is_corrupt or picture.pts > wanted_pts:
                raise RunFailed(f"frame {frame_id} did not come out of the decoder")
            if picture.pts == wanted_pts:
                yield frame_id, picture
                frame_id = next(expected, None)
    if frame_id is not None:
        raise RunFailed(f"frame {frame_id} did not come out of the decoder")


def _pictures(
    codec: VideoCodecContext,
    packets: Iterable[Packet[VideoStream]],
    run: Run,
    table: PacketTable,
    counters: Counters,
    *,
    wanted: set[int] | None,
) -> Iterator[Sequence[av.VideoFrame]]:
    try:
        codec.flush_buffers()
        for index, packet in enumerate(packets, run.start):
            # A leading frame of an open GOP where decoding starts: its references are not there, it
            # is not wanted, and no later frame refers to it. H.264's decoder would call it damage.
            if codec.name == "h264" and table.pts[index] < table.pts[run.start]:
                continue
            if wanted is not None:
                is_needed = index in wanted or not table.may_skip(index)
                codec.skip_frame = "DEFAULT" if is_needed else "NONREF"
            counters.decoded += 1
            yield codec.decode(packet)
        yield codec.decode(None)
    except av.error.FFmpegError as error:
        check_memory(error, codec.width * codec.height)
        raise RunFailed(str(error)) from error
