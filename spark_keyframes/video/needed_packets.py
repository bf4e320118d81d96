"""The packets that a window of an MP4 needs, found without reading the others.

The header of an MP4 without fragments tells times and places of all packets. So FFmpeg demuxes the
whole file while it gets zeros in place of the coded data, and only what is decoded is read.

The header does not tell all that a look into each packet would. Where that could make a difference
to which frames there are, or to their times, everything is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from spark_keyframes.video.codecs.h264 import H264
from spark_keyframes.video.codecs.reader import reader_of
from spark_keyframes.video.container import VideoContainer
from spark_keyframes.video.gops import plan_runs
from spark_keyframes.video.header_parts import Span
from spark_keyframes.video.packet_table import PacketTable
from spark_keyframes.video.packets import INTRA_ONLY
from spark_keyframes.video.window import Window

LEAST_BYTES = 16 << 20
"""Of coded data: less is read as a whole."""

# In MP4, each packet of these is a frame that is shown.
_CODECS = {"h264", "hevc", "libdav1d"} | INTRA_ONLY


def coded_spans(opened: VideoContainer) -> list[Span]:
    """Return where the coded data of a file is, if packets can be found without reading it."""
    codec = opened.stream.codec_context
    if not opened.is_mp4 or codec.name not in _CODECS:
        return []
    if codec.name == "h264" and H264(codec.extradata).may_have_fields:
        return []  # each packet must be looked into
    spans = opened.coded_spans()
    return spans if sum(stop - start for start, stop in spans) >= LEAST_BYTES else []


def needed_spans(opened: VideoContainer, table: PacketTable, window: Window) -> list[Span] | None:
    """Return what to read of a file, and correct in the table where decoding may start.

    Args:
        opened: whose packets hold zeros.
        table: of these packets.
        window: the part of the video whose frames will be decoded.

    Returns:
        The bytes of the packets to decode; None if all packets must be looked into.
    """
    timeline = table.timeline
    if timeline is None or not table.has_presentation_times:
        return None
    # Otherwise there are leading frames without their references, or packets without a place.
    if min(table.pts) < table.pts[0] or min(table.places) < 0:
        return None
    wanted = timeline.within(range(len(timeline)), window)
    known: set[int] = set()  # packets that were looked into
    needed: set[int] = set()
    while True:
        # The first frame tells the orientation.
        runs = [*plan_runs(table, [0]), *plan_runs(table, wanted)]
        needed |= {index for run in runs for index in range(run.start, run.stop)}
        if needed <= known:
            return _joined(table.span(index) for index in needed)
        for index in sorted(needed - known):
            if not _is_sound(opened, table, index):
                return None
        known |= needed
        if not table.gop_starts or table.gop_starts[0] != 0:
            return None


def _is_sound(opened: VideoContainer, table: PacketTable, index: int) -> bool:
    """Look into a packet, and correct what the table says of it; False: the table is wrong."""
    codec = opened.stream.codec_context
    if codec.name == "hevc":
        # To skip frames, the temporal layers of all would have to be known.
        table.must_decode(index)
    if not table.may_start(index):
        return True
    data = memoryview(opened.read_at(*table.span(index)))
    facts = reader_of(codec)(data, is_keyframe=True)
    if not facts.is_random_access:
        table.refuse_start(index)
    return facts.is_shown and not facts.problem


def _joined(spans: Iterable[Span]) -> list[Span]:
    """Return the spans sorted, those that touch as one."""
    found: list[Span] = []
    for start, stop in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = found[-1][0], max(stop, found[-1][1])
        else:
            found.append((start, stop))
    return found


def without(spans: Sequence[Span], needed: Sequence[Span]) -> list[Span]:
    """Return the parts of `spans` that are not in `needed`; both are sorted."""
    rest: list[Span] = []
    for start, stop in spans:
        inside = [(max(a, start), min(b, stop)) for a, b in needed if a < stop and start < b]
        edges = [start, *(edge for span in inside for edge in span), stop]
        rest += [span for span in zip(edges[::2], edges[1::2], strict=True) if span[0] < span[1]]
    return rest
