"""Reads all packets of a video without decoding, and checks whether its timestamps are reliable."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction

import numpy as np
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream
from numpy.typing import NDArray

from spark_keyframes.errors import LimitError
from spark_keyframes.limits import Limits
from spark_keyframes.video.codecs.facts import (
    FIELDS,
    LOST_KEYFRAME,
    SEQUENCE,
    PacketFacts,
    state_of,
)
from spark_keyframes.video.codecs.reader import SKIPS_UNREAD, reader_of
from spark_keyframes.video.container import VideoContainer
from spark_keyframes.video.encryption import encrypted
from spark_keyframes.video.frame_order import FrameOrder
from spark_keyframes.video.packet_table import (
    CONTINUES,
    FIRST_FIELD,
    KEYFRAME,
    MUST_DECODE,
    RANDOM_ACCESS,
    RESET,
    SHOWN,
    PacketTable,
    Reach,
)
from spark_keyframes.video.problems import Problems, Stamps, add_problems_of_order
from spark_keyframes.video.returned_order import ReturnedOrder, low_median
from spark_keyframes.video.stretches import GAP, find_stretches, join_short, longest_step
from spark_keyframes.video.timeline import DEFAULT_RATE, LONGEST_STAY, Timeline, end_of
from spark_keyframes.video.window import Window

# Codecs where decoding may start at a keyframe, and each packet yields one frame or none. All
# others are decoded in sequence.
INTRA_ONLY = {"mjpeg", "prores", "dnxhd", "rawvideo", "huffyuv", "ffvhuff", "utvideo", "v210"}
SEEKABLE = {"h264", "hevc", "mpeg2video", "mpeg1video", "vp8"} | SKIPS_UNREAD | INTRA_ONLY
SKIPS_NONREF = {"h264", "hevc", "mpeg2video", "mpeg1video"}
"""Codecs whose decoder can skip non-reference frames without changing any other frame.

FFmpeg's VP8 decoder can too, but libvpx marks no such frames. For others, see `SKIPS_UNREAD`.
"""

# Packets of a small video stay in memory, so that it is not opened and probed again. For a clip of
# ten seconds, probing is up to a tenth of the CPU time.
_KEEP_BYTES = 32 * 1024 * 1024
_KEPT_PACKET_BYTES = 512  # of a kept packet besides its data, as measured
_TABLE_BYTES = 84  # of a packet in PacketTable and Timeline, as measured


def read_packets(
    opened: VideoContainer,
    limits: Limits = Limits(),
    window: Window = Window(),
    *,
    reach: Reach = "all",
    again: Callable[[], Iterable[Packet[VideoStream]]] = tuple,
) -> PacketTable:
    """Read the packets of the video stream, without decoding any.

    Args:
        opened: the container.
        limits: bounds on the number of packets, and on the length of the part in the window.
        window: the part of the video that will be decoded.
        reach: how far packets are read. Without all of them, only a table without a
            `sequential_reason` is of use.
        again: reads all packets once more, of an odd video that is too large to keep them.

    Raises:
        EncryptedVideoError: a packet is encrypted.
        LimitError: the video has too many frames, or its part in the window is too long.
    """
    stream = opened.stream
    codec = stream.codec_context
    has_data = reach != "times"
    # Not by the packets: FFmpeg's parser of H.264 decides about them by their data.
    keyframes = set() if has_data else {e.pos for e in stream.index_entries if e.is_keyframe}
    table = PacketTable(stream.time_base or Fraction(1, 1_000_000), reach=reach)
    read = reader_of(codec)
    layers, durations = array("b"), array("q")
    order = FrameOrder(codec, opened.container.format.name)
    problems = Problems(set(_problems_of_stream(stream)))
    stamps = Stamps(table.time_base, problems)
    kept, end = _Kept(), _WindowEnd(window, table.time_base)
    most_packets = min(limits.max_frames, limits.max_decode_bytes // _TABLE_BYTES)
    for packet in opened.packets():
        known = None if len(table) else codec.extradata
        if reason := _problem_of_side_data(packet, known, is_mp4=opened.is_mp4):
            problems.add(len(table), reason, "on")
        if has_data:
            is_keyframe = packet.is_keyframe
            facts = read(memoryview(packet), is_keyframe=is_keyframe)
            kept.add(packet)
        else:
            is_keyframe = packet.pos in keyframes
            facts = PacketFacts(is_random_access=is_keyframe)
            table.add_place(packet)
        stamps.add(packet, continues=facts.continues)
        is_shown = facts.is_shown and not packet.is_discard
        is_behind = end.is_behind(packet, facts.is_random_access, is_shown=is_shown)
        if reach == "window" and is_behind and order.is_certain and not problems:
            break
        _add_problem(problems, len(table), facts.problem)
        if codec.name in SKIPS_UNREAD:
            table.states.append(state_of(facts))
        if not facts.continues:
            order.add(packet, begins_gop=facts.is_random_access, has_data=has_data)
        layers.append(facts.temporal_layer)
        table.pts.append(table.pts[-1] if facts.continues else packet.pts or 0)
        table.flags.append(
            (RANDOM_ACCESS if facts.is_random_access else 0)
            | (SHOWN if is_shown else 0)
            | (KEYFRAME if is_keyframe else 0)
            | (RESET if _is_reset(codec.name, facts) else 0)
            | (FIRST_FIELD if facts.is_first_field else 0)
            | (CONTINUES if facts.continues else 0)
        )
        durations.append(packet.duration or 0)
        if len(durations) > most_packets:
            raise _too_many_packets(most_packets, limits)
    else:
        table.reach = "all" if has_data else reach
    table.kept = kept.packets if has_data else None
    table.has_presentation_times = order.is_certain
    _mark_lower_layers(table, layers)
    shown = np.flatnonzero(np.frombuffer(table.flags, np.uint8) & SHOWN)
    table.decoding_times = order.decoding_times(table.pts, shown)
    if table.decoding_times is not None:
        problems.of_stream.add("timestamps are decoding times, and the frames are reordered")
    _build_timeline(table, shown, durations, stream, problems, again=again)
    _check_length(table, stream, limits, window, has_jump=stamps.has_jump)
    return table


class _Kept:
    """The packets of a video, as long as they are small."""

    def __init__(self) -> None:
        self.packets: list[Packet[VideoStream]] | None = []
        self._bytes = 0

    def add(self, packet: Packet[VideoStream]) -> None:
        """Take the next packet."""
        if self.packets is not None:
            self.packets.append(packet)
            self._bytes += packet.size + _KEPT_PACKET_BYTES
            if self._bytes > _KEEP_BYTES:
                self.packets = None


class _WindowEnd:
    """Looks for the packet before which all frames in a window are complete."""

    def __init__(self, window: Window, time_base: Fraction) -> None:
        self._end = window.end
        self._time_base = time_base
        self._first: int | None = None
        self._starts = 0
        """Packets behind the window, so far, where decoding may start."""

    def is_behind(
        self, packet: Packet[VideoStream], is_random_access: bool, *, is_shown: bool
    ) -> bool:
        """Take the next packet in decode order; return whether no later one can be needed."""
        pts = packet.pts
        if self._first is None and is_shown:
            self._first = pts
        if is_random_access and pts is not None and self._first is not None:
            self._starts += (pts - self._first) * self._time_base >= self._end
            # Leading frames of the first of them may belong to the window.
            return self._starts > 1
        return False


def _too_many_packets(most: int, limits: Limits) -> LimitError:
    what = f"{most} frames, which is max_frames of limits"
    if most < limits.max_frames:
        what = (
            f"{most} frames, and the table of them takes more memory than max_decode_bytes of "
            f"limits, {limits.max_decode_bytes}"
        )
    return LimitError(
        f"the video has more than {what}; raise it, or cut the video into parts", stage="demux"
    )


def _check_length(
    table: PacketTable, stream: VideoStream, limits: Limits, window: Window, *, has_jump: bool
) -> None:
    if table.timeline is not None:
        seconds = table.timeline.sound_seconds_in(window)
    else:
        # Unreliable timestamps do not tell the length either, and a jump makes the average rate
        # meaningless.
        rate = stream.guessed_rate if has_jump else stream.average_rate or stream.guessed_rate
        seconds = min(float(len(table) / (rate or DEFAULT_RATE)), window.end) - window.start
    if seconds > limits.max_video_seconds:
        jumps = (
            f" (each jump in its timestamps counts as at most {LONGEST_STAY} s)" if has_jump else ""
        )
        raise LimitError(
            f"the video plays for {seconds:.0f} s{jumps}, max_video_seconds of limits is "
            f"{limits.max_video_seconds:g}; raise it, or ask for parts of the video with start and "
            "end",
            stage="demux",
        )


def _problems_of_stream(stream: VideoStream) -> list[str]:
    codec = stream.codec_context
    problems = []
    if codec.name not in SEEKABLE:
        problems.append(f"codec {codec.name} is decoded in sequence only")
    return problems


def _add_problem(problems: Problems, index: int, reason: str) -> None:
    if reason in {FIELDS, LOST_KEYFRAME, SEQUENCE}:
        problems.add(index, reason)
    elif reason:
        problems.of_stream.add(reason)


def _problem_of_side_data(
    packet: Packet[VideoStream], first_extradata: bytes | None, *, is_mp4: bool
) -> str:
    if is_mp4:
        # Most packets have none. To ask for each kind takes longer.
        if next(packet.iter_sidedata(), None) is None:
            return ""
        if packet.has_sidedata("encryption_info"):
            raise encrypted("a packet has encryption information")
    if packet.has_sidedata("new_extradata") and (
        bytes(packet.get_sidedata("new_extradata")) != first_extradata
    ):
        return "the codec's parameters change"
    # A palette applies to all later packets, but a decoder that starts later would not get it.
    return "a packet holds a palette" if packet.has_sidedata("palette") else ""


def _is_reset(codec: str, facts: PacketFacts) -> bool:
    return facts.is_reset if codec in {"h264", "hevc"} else facts.is_random_access


def _mark_lower_layers(table: PacketTable, layers: array[int]) -> None:
    # In HEVC, a non-reference frame is one to which no frame of its own temporal layer refers.
    # Frames of higher layers may refer to it.
    top = max(layers, default=0)
    for index, layer in enumerate(layers):
        if layer < top:
            table.flags[index] |= MUST_DECODE


def _look_for_gaps(
    problems: Problems,
    table: PacketTable,
    order: Sequence[int],
    *,
    codec: VideoCodecContext,
    again: Callable[[], Iterable[Packet[VideoStream]]],
) -> None:
    """Look for lost frames in what was read for a window: odd places behind it make them count."""
    # Other decoders return a frame for each packet.
    if codec.name not in {"h264", "hevc"} or len(order) < 2:
        return
    steps = np.diff(np.frombuffer(table.pts, np.int64)[np.asarray(order, np.int64)])
    if (steps > longest_step(low_median(steps))).any():
        returned = ReturnedOrder(codec, table, table.kept or again(), Problems())
        if not returned.is_regular(order):
            problems.of_order.add(GAP)


def _build_timeline(
    table: PacketTable,
    shown: NDArray[np.int64],
    durations: array[int],
    stream: VideoStream,
    problems: Problems,
    *,
    again: Callable[[], Iterable[Packet[VideoStream]]],
) -> None:
    pts = table.pts
    table.find_starts()
    by_pts = np.argsort(np.frombuffer(pts, np.int64)[shown], kind="stable")
    order = array("q", shown[by_pts].astype(np.int64).tobytes())
    last = len(pts) - 1
    is_whole = table.reach == "all" and last >= 0
    if stream.codec_context.name == "mpeg4" and is_whole and not table.is_shown(last):
        # FFmpeg then returns the last frame once more, with the time of that packet.
        problems.add(last, "the video ends with a packet that holds no frame")
    if is_whole and table.flags[last] & FIRST_FIELD:
        problems.add(last, FIELDS)
    add_problems_of_order(problems, table, order)
    if not problems and table.reach == "window":
        _look_for_gaps(problems, table, order, codec=stream.codec_context, again=again)
    if problems:
        table.sequential_reason = problems.reason()
        if not problems.of_stream and table.reach == "all":
            # FFmpeg's decoder of H.264 may lose frames while it learns how far they are reordered.
            codec = stream.codec_context
            depth = codec.reorder_depth if codec.name == "h264" else None
            returned = ReturnedOrder(codec, table, table.kept or again(), problems)
            if not problems.of_stream:
                found = find_stretches(table, problems, depth, returned)
                table.set_stretches(join_short(found))
        return
    table.presented = order
    times = array("q", (pts[i] for i in order))
    rate = stream.average_rate or stream.guessed_rate
    frame_duration = round(1 / (rate * table.time_base)) if rate else 1
    end = end_of(times, durations[order[-1]], frame_duration=frame_duration)
    table.timeline = Timeline(times, table.time_base, end)
