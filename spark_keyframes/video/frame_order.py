"""Checks timestamps against the order of presentation that the coded frames tell.

Some files store decoding times only: AVI, FLV without composition times, MP4 without its box
`ctts`. FFmpeg then gives decoding times as presentation times. They increase in decode order,
although B-frames are presented before a frame that is decoded earlier.

References: H.264 (ITU-T H.264 7.3.3), MPEG-1 and MPEG-2 (ITU-T
H.262 6.2.3), MPEG-4 part 2 (ISO/IEC 14496-2 6.2.5).
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream
from numpy.typing import NDArray

from spark_keyframes.video.codecs.bitstream import length_size_of, nal_units
from spark_keyframes.video.codecs.hevc_slices import HevcSlices

_HEAD = 4096  # bytes of a packet in which a picture begins


@dataclass(frozen=True)
class DecodingTimes:
    """The times of a stream that stores no presentation times."""

    times: Sequence[int]
    """Times of all packets that are shown, sorted."""
    pts: Sequence[int]
    """What FFmpeg gives as their presentation times, sorted."""
    delay: int
    """Frames that the decoder holds back. A packet is decoded that many frames before the frame in
    its place in the order of presentation is shown."""

    def place_of(self, pts: int | None, after: int) -> int:
        """Return the place of a frame in the order of presentation; `after` is that of the last.

        It is the next one. After lost frames, it is at least where the frame's packet allows.
        """
        if pts is None:
            return after + 1
        return max(after + 1, bisect_left(self.pts, pts) - self.delay)

    def time_at(self, place: int) -> int:
        """Return the time of a frame. Those of the last ones are not stored: they follow evenly."""
        index = place + self.delay
        if index < len(self.times):
            return self.times[index]
        step = self.times[-1] - self.times[-2] if len(self.times) > 1 else 1
        return self.times[-1] + step * (index - len(self.times) + 1)


class FrameOrder:
    """Finds out from all packets of a stream whether their timestamps are only decoding times.

    A GOP shows it if a frame of it must be presented before an earlier one, but no timestamp of the
    GOP goes back. As soon as one goes back, the GOP's packets are not looked into any more.
    """

    def __init__(self, codec: VideoCodecContext, container_format: str) -> None:
        """Prepare for a stream; `container_format` is FFmpeg's name of the format."""
        self._codec = codec
        # AVI stores decoding times only.
        is_avi = container_format == "avi" and codec.name in {"h264", "hevc"}
        self._found = is_avi and codec.has_b_frames
        self._coded = _coded_order(codec)
        # Without a parser for the codec, timestamps that all equal the decoding times are in doubt.
        self._are_equal = self._coded is None and codec.has_b_frames
        self._latest: int | None = None
        self.is_certain = not codec.has_b_frames
        """Whether it was seen that the stream stores presentation times, or that it needs none."""
        self._goes_back = self._contradicts = self._lacks_pts = False
        self._dts: array[int] | None = array("q")
        """Decoding times in FFmpeg's sense; None unless all packets have one, and they increase."""

    def add(self, packet: Packet[VideoStream], *, begins_gop: bool, has_data: bool = True) -> None:
        """Take the next packet in decode order; without its data, only its times."""
        pts, dts = packet.pts, packet.dts
        if self._dts is not None:
            if dts is None or (self._dts and dts <= self._dts[-1]):
                self._dts = None
            else:
                self._dts.append(dts)
        self._lacks_pts |= pts is None
        self._are_equal = self._are_equal and pts is not None and pts == dts
        if begins_gop:
            self._found |= self._contradicts
            self._goes_back = self._contradicts = False
            self._latest = None
        if pts is None or (self._latest is not None and pts < self._latest):
            # A frame of an unknown time may be the one that a B-frame is presented before.
            self._goes_back, self._contradicts = True, False
            self.is_certain |= pts is not None
            return
        if has_data and self._coded is not None and not self._goes_back and not self._contradicts:
            goes_back = self._coded.goes_back(memoryview(packet), begins_gop=begins_gop)
            self._contradicts = goes_back and self._latest is not None and pts > self._latest
        self._latest = pts

    def decoding_times(self, pts: array[int], shown: NDArray[np.int64]) -> DecodingTimes | None:
        """Return the decoding times if the stream stores no presentation times, otherwise None.

        Args:
            pts: of all packets.
            shown: indexes of the packets that are shown.
        """
        is_found = self._found or self._contradicts or (self._are_equal and len(pts) > 1)
        if not is_found or not len(shown) or (self._dts is None and self._lacks_pts):
            return None
        # FFmpeg invents presentation times of AVI, but decoding times of other containers.
        known = _sorted(pts, shown)
        times = known if self._dts is None else _sorted(self._dts, shown)
        return DecodingTimes(times, known, self._codec.reorder_depth)


def _sorted(stamps: array[int], shown: NDArray[np.int64]) -> array[int]:
    return array("q", np.sort(np.frombuffer(stamps, np.int64)[shown]).tobytes())


class _CodedOrder(Protocol):
    """The order of presentation of one codec."""

    def goes_back(self, data: memoryview, *, begins_gop: bool) -> bool:
        """Return whether the frame is presented before the one decoded before it."""


def _coded_order(codec: VideoCodecContext) -> _CodedOrder | None:
    length_size = length_size_of(codec.name, codec.extradata)
    if codec.name == "h264":
        return _H264(length_size)
    if codec.name == "hevc":
        return _Hevc(codec.extradata)
    if codec.name in {"mpeg1video", "mpeg2video"}:
        return _StartCodes(b"\0\0\1\0", 5, 0b0011_1000, 0b0001_1000)
    if codec.name == "mpeg4":
        return _StartCodes(b"\0\0\1\xb6", 4, 0b1100_0000, 0b1000_0000)
    return None


class _StartCodes:
    """MPEG-1, MPEG-2 and MPEG-4 part 2: whether a picture is a B-frame.

    A packet of a "packed bitstream" in AVI holds a P-frame and the B-frame before it.
    """

    def __init__(self, start_code: bytes, offset: int, mask: int, b_frame: int) -> None:
        self._start_code = start_code
        self._offset = offset
        self._mask = mask
        self._b_frame = b_frame

    def goes_back(self, data: memoryview, *, begins_gop: bool) -> bool:
        """Implement `_CodedOrder.goes_back`."""
        raw = bytes(data)
        start = raw.find(self._start_code)
        while 0 <= start < len(raw) - self._offset:
            if raw[start + self._offset] & self._mask == self._b_frame:
                return True
            start = raw.find(self._start_code, start + self._offset)
        return False


class _H264:
    """H.264: whether a picture is a B-frame, by its first slice."""

    def __init__(self, length_size: int) -> None:
        self._length_size = length_size

    def goes_back(self, data: memoryview, *, begins_gop: bool) -> bool:
        """Implement `_CodedOrder.goes_back`."""
        if begins_gop:
            return False
        for unit in nal_units(data[:_HEAD], self._length_size):
            if len(unit) > 1 and 1 <= unit[0] & 31 <= 5:
                # first_mb_in_slice is 0, coded as 1; slice_type is 1 or 6, as 010 or 00111.
                return unit[1] & 0xF0 == 0b1010_0000 or unit[1] & 0xFC == 0b1001_1100
        return False


class _Hevc:
    """HEVC: whether the picture order count goes back. P-frames may be coded as B-slices."""

    def __init__(self, extradata: bytes | None) -> None:
        self._slices = HevcSlices(extradata)
        self._last: int | None = None

    def goes_back(self, data: memoryview, *, begins_gop: bool) -> bool:
        """Implement `_CodedOrder.goes_back`."""
        head = self._slices.first_of(data if begins_gop else data[:_HEAD])
        if head is None:
            return False
        last, self._last = self._last, head.lowest
        if begins_gop or last is None:
            return False
        size = 1 << head.count_bits
        return (head.lowest - last) % size >= size // 2
