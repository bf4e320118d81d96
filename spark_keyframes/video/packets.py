"""Reads all packets of a video without decoding, and checks whether its timestamps are reliable."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
from av.packet import Packet
from av.video.stream import VideoStream
from numpy.typing import NDArray

from spark_keyframes.errors import LimitError
from spark_keyframes.limits import Limits
from spark_keyframes.video.bitstream import (
    PacketFacts,
    h264_may_have_fields,
    inspect,
    length_size_of,
)
from spark_keyframes.video.container import VideoContainer
from spark_keyframes.video.encryption import encrypted
from spark_keyframes.video.frame_order import DecodingTimes, FrameOrder
from spark_keyframes.video.timeline import (
    DEFAULT_RATE,
    LONGEST_STAY,
    Timeline,
    end_of,
    longest_stay,
)
from spark_keyframes.video.window import Window

# Codecs where decoding may start at a keyframe, and each packet yields one frame or none. All
# others are decoded in sequence.
_INTRA_ONLY = {"mjpeg", "prores", "dnxhd", "rawvideo", "huffyuv", "ffvhuff", "utvideo", "v210"}
_SEEKABLE = {"h264", "hevc", "mpeg2video", "mpeg1video", "vp8", "vp9", "libdav1d"} | _INTRA_ONLY
SKIPS_NONREF = {"h264", "hevc", "mpeg2video", "mpeg1video"}
"""Codecs whose decoder can skip non-reference frames without changing any other frame.

FFmpeg's VP8 decoder can too, but libvpx marks no such frames. VP9 and dav1d cannot per packet.
"""

# Codecs whose packets tell more than their container.
_INSPECTED = {"h264", "hevc", "mpeg2video", "vp8", "vp9"}
_KEYED_BY_CONTAINER = {"mpeg2video", "vp9"}

# Packets of a small video stay in memory, so that it is not opened and probed again. For a clip of
# ten seconds, probing is up to a tenth of the CPU time.
_KEEP_BYTES = 32 * 1024 * 1024
_KEPT_PACKET_BYTES = 512  # of a kept packet besides its data, as measured
_TABLE_BYTES = 80  # of a packet in PacketTable and Timeline, as measured

_RANDOM_ACCESS, _SHOWN, _MUST_DECODE = 1, 2, 4  # bits of PacketTable.flags


@dataclass
class PacketTable:
    """All packets of a video stream in decode order, without their data."""

    time_base: Fraction
    pts: array[int] = field(default_factory=lambda: array("q"))
    """Presentation timestamps in units of `time_base`; 0 if a packet has none."""
    flags: bytearray = field(default_factory=bytearray)
    """For each packet: whether decoding may start, whether it is shown, and `may_skip`."""
    presented: Sequence[int] = ()
    """Index of the packet of each frame, by frame id."""
    timeline: Timeline | None = None
    """None if only decoding tells which frames there are."""
    sequential_reason: str = ""
    """Why there is no timeline, so that the video is decoded in sequence; otherwise empty."""
    kept: list[Packet[VideoStream]] | None = None
    """The packets themselves; None if they are too large to keep."""
    decoding_times: DecodingTimes | None = None
    """Times of the frames if the file stores no presentation timestamps."""
    gop_starts: Sequence[int] = ()
    """Indexes of the packets where decoding may start."""

    def __len__(self) -> int:
        return len(self.pts)

    def may_skip(self, index: int) -> bool:
        """Return whether the decoder may skip this packet if it holds a non-reference frame."""
        return not self.flags[index] & _MUST_DECODE

    def gop_of(self, index: int) -> int:
        """Return the number of the GOP that holds the packet."""
        return bisect_right(self.gop_starts, index) - 1


def read_packets(
    opened: VideoContainer, limits: Limits = Limits(), window: Window = Window()
) -> PacketTable:
    """Read all packets of the video stream, without decoding any.

    Raises:
        EncryptedVideoError: a packet is encrypted.
        LimitError: the video has too many frames, or its part in the window is too long.
    """
    stream = opened.stream
    codec = stream.codec_context
    name = codec.name
    table = PacketTable(time_base=stream.time_base or Fraction(1, 1_000_000), kept=[])
    length_size = length_size_of(name, codec.extradata)
    layers = array("b")
    order = FrameOrder(codec, opened.container.format.name)
    problems = set(_problems_of_stream(stream))
    durations = array("q")
    kept_bytes = 0
    last_dts: int | None = None
    has_jump, most_stay = False, longest_stay(table.time_base)
    most_packets = min(limits.max_frames, limits.max_decode_bytes // _TABLE_BYTES)
    for packet in opened.packets():
        if table.kept is not None:
            kept_bytes += packet.size + _KEPT_PACKET_BYTES
            table.kept.append(packet)
            if kept_bytes > _KEEP_BYTES:
                table.kept = None
        pts, dts = packet.pts, packet.dts
        if pts is None:
            problems.add("a timestamp is missing")
        if dts is not None:
            if last_dts is not None and dts < last_dts:
                problems.add("decoding timestamps go backwards")
            has_jump |= last_dts is not None and dts - last_dts > most_stay
            last_dts = dts
        if packet.is_corrupt:
            problems.add("a packet is corrupt")
        problems |= _problems_of_side_data(
            packet, None if len(table.pts) else codec.extradata, is_mp4=opened.is_mp4
        )
        facts = _facts(name, packet, length_size)
        if facts.has_fields:
            problems.add("fields may be coded separately")
        order.add(packet, begins_gop=facts.is_random_access)
        layers.append(facts.temporal_layer)
        is_shown = facts.is_shown and not packet.is_discard
        table.pts.append(pts or 0)
        table.flags.append(
            (_RANDOM_ACCESS if facts.is_random_access else 0) | (_SHOWN if is_shown else 0)
        )
        durations.append(packet.duration or 0)
        if len(durations) > most_packets:
            raise _too_many_packets(most_packets, limits)
    _mark_lower_layers(table, layers)
    shown = np.flatnonzero(np.frombuffer(table.flags, np.uint8) & _SHOWN)
    table.decoding_times = order.decoding_times(table.pts, shown)
    if table.decoding_times is not None:
        problems.add("timestamps are decoding times, and the frames are reordered")
    _build_timeline(table, shown, durations, stream, problems)
    _check_length(table, stream, limits, window, has_jump=has_jump)
    return table


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
    if codec.name not in _SEEKABLE:
        problems.append(f"codec {codec.name} is decoded in sequence only")
    if codec.name == "h264" and h264_may_have_fields(codec.extradata):
        problems.append("fields may be coded separately")
    return problems


def _problems_of_side_data(
    packet: Packet[VideoStream], first_extradata: bytes | None, *, is_mp4: bool
) -> set[str]:
    if is_mp4:
        # Most packets have none. To ask for each kind takes longer.
        if next(packet.iter_sidedata(), None) is None:
            return set()
        if packet.has_sidedata("encryption_info"):
            raise encrypted("a packet has encryption information")
    if packet.has_sidedata("new_extradata") and (
        bytes(packet.get_sidedata("new_extradata")) != first_extradata
    ):
        return {"the codec's parameters change"}
    # A palette applies to all later packets, but a decoder that starts later would not get it.
    if packet.has_sidedata("palette"):
        return {"a packet holds a palette"}
    return set()


def _facts(codec: str, packet: Packet[VideoStream], length_size: int) -> PacketFacts:
    is_keyframe = packet.is_keyframe
    if codec not in _INSPECTED:
        return PacketFacts(is_random_access=is_keyframe)
    if codec == "h264" and not is_keyframe:
        return PacketFacts()
    facts = inspect(codec, memoryview(packet), length_size)
    return replace(facts, is_random_access=is_keyframe) if codec in _KEYED_BY_CONTAINER else facts


def _mark_lower_layers(table: PacketTable, layers: array[int]) -> None:
    # In HEVC, a non-reference frame is one to which no frame of its own temporal layer refers.
    # Frames of higher layers may refer to it.
    top = max(layers, default=0)
    for index, layer in enumerate(layers):
        if layer < top:
            table.flags[index] |= _MUST_DECODE


def _build_timeline(
    table: PacketTable,
    shown: NDArray[np.int64],
    durations: array[int],
    stream: VideoStream,
    problems: set[str],
) -> None:
    pts, flags = table.pts, table.flags
    # Arrays, because a list of integers takes 40 bytes for each.
    table.gop_starts = array("q", (i for i, flag in enumerate(flags) if flag & _RANDOM_ACCESS))
    by_pts = np.argsort(np.frombuffer(pts, np.int64)[shown], kind="stable")
    order = array("q", shown[by_pts].astype(np.int64).tobytes())
    problems |= _problems_of_order(table, order)
    if problems:
        table.sequential_reason = "; ".join(sorted(problems))
        return
    table.presented = order
    times = array("q", (pts[i] for i in order))
    rate = stream.average_rate or stream.guessed_rate
    frame_duration = round(1 / (rate * table.time_base)) if rate else 1
    end = end_of(times, durations[order[-1]], frame_duration=frame_duration)
    table.timeline = Timeline(times, table.time_base, end)


def _problems_of_order(table: PacketTable, order: Sequence[int]) -> set[str]:
    pts = table.pts
    if not order:
        return {"no packet is shown"}
    if not table.gop_starts or table.gop_starts[0] != 0:
        return {"the video does not begin with a keyframe"}
    problems = set()
    if any(pts[a] == pts[b] for a, b in pairwise(order)):
        problems.add("a timestamp is repeated")
    stops = [*table.gop_starts[1:], len(pts)]
    # Leading frames of the first keyframe refer to frames that were cut off. Only the decoder
    # knows whether they are shown.
    if min(pts[: stops[0]]) < pts[0]:
        problems.add("the first keyframe has leading frames")
    latest = pts[0] - 1
    for start, stop in zip(table.gop_starts, stops, strict=True):
        if pts[start] <= latest:
            problems.add("timestamps go backwards")
            break
        latest = max(pts[start:stop])
    return problems
