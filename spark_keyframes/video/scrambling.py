"""Tells whether an MPEG transport or program stream is scrambled, by the headers of its packets.

FFmpeg ignores what these headers say, and makes noise of scrambled bytes.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

_SYNC = 0x47
_TS_PACKET = 188  # bytes
_TS_DISTANCES = (188, 192, 204)  # bytes from packet to packet: broadcast, Blu-ray, with FEC
_TS_HEAD = 64 * 1024  # bytes to find the distance in
_TS_FLAGS = 0xC0  # transport_scrambling_control
_START_CODE = b"\0\0\1"
_PES_HEADER = 7  # bytes up to the flags
_UNKNOWN, _CLEAR, _LEFT_OVER = 0, 1, 2  # what the latest beginning of a PES packet was

_TS_SIGN = "its transport stream packets are scrambled, as those of pay TV"
_PES_SIGN = "its PES packets are scrambled, as those of a DVD with CSS"


class ScramblingScan(Protocol):
    """Looks at the bytes of a file as they are read."""

    def add(self, data: bytes) -> None:
        """Take the next bytes of the file, from its start, without gaps."""

    def sign(self, *, has_packets: bool) -> str:
        """Return how the stream is scrambled; "" if it is not.

        Args:
            has_packets: whether FFmpeg found packets of the stream.
        """


def scan_for_scrambling(container_format: str, stream_id: int) -> ScramblingScan | None:
    """Return a scan for one video stream; None if the format cannot be scrambled.

    Args:
        container_format: FFmpeg's name of the format.
        stream_id: FFmpeg's id of the stream.
    """
    if container_format == "mpegts":
        return _TransportScan(stream_id)
    if container_format == "mpeg":
        return _ProgramScan(stream_id)
    return None


class _TransportScan:
    """The packets of one PID.

    Some receivers leave the scrambling flags set in packets that they have descrambled. Packets
    with flags are clear if the one that begins their PES packet has flags too and holds a start
    code. A scrambled packet is scrambled as a whole, so it would not.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._distance = 0
        self._rest = b""
        self._latest = _UNKNOWN
        self._has_flags = False
        self._sign = ""

    def add(self, data: bytes) -> None:
        data = self._rest + data
        if not self._distance:
            if len(data) < _TS_HEAD:
                self._rest = data
                return
            self._distance = _distance_in(data)
        self._rest = self._look_at(data)

    def sign(self, *, has_packets: bool) -> str:
        if self._rest:
            self._distance = self._distance or _distance_in(self._rest)
            self._rest = self._look_at(self._rest)
        return self._sign or ("" if has_packets or not self._has_flags else _TS_SIGN)

    def _look_at(self, data: bytes) -> bytes:
        """Look at all complete packets and return the bytes that follow them."""
        array = np.frombuffer(data, np.uint8)
        at, marks = 0, None
        while len(data) - at >= _TS_PACKET:
            count = (len(data) - at - _TS_PACKET) // self._distance + 1
            lost = np.flatnonzero(array[at :: self._distance][:count] != _SYNC)
            if len(lost):
                count = int(lost[0])
            if count:
                self._look_at_packets(array[at:], count)
                at += count * self._distance
            if len(lost):  # damage, or not a packet: find the next one
                marks = _syncs(array, self._distance) if marks is None else marks
                following = int(np.searchsorted(marks, at + 1))
                at = int(marks[following]) if following < len(marks) else len(data)
                if at == len(data):
                    at = max(0, len(data) - self._distance)
                    break
        return data[at:]

    def _look_at_packets(self, array: NDArray[np.uint8], count: int) -> None:
        distance = self._distance
        first, second, third = (array[n::distance][:count] for n in (1, 2, 3))
        # A packet with transport_error_indicator may say anything.
        is_own = (first & 0x9F == self._pid >> 8) & (second == self._pid & 0xFF)
        own = np.flatnonzero(is_own & (third & 0x10 != 0))
        has_flags = third[own] & _TS_FLAGS != 0
        begins = first[own] & 0x40 != 0
        states = [self._latest]
        for packet, is_flagged in zip(own[begins].tolist(), has_flags[begins], strict=True):
            start = packet * distance
            payload = start + 4 + (1 + int(array[start + 4]) if array[start + 3] & 0x20 else 0)
            header = array[payload : min(payload + _PES_HEADER, start + _TS_PACKET)].tobytes()
            is_pes = header.startswith(_START_CODE)
            states.append(_LEFT_OVER if is_flagged and is_pes else _CLEAR)
            if is_pes and _is_pes_scrambled(header[-1]) and len(header) == _PES_HEADER:
                self._sign = _PES_SIGN
        self._latest = states[-1]
        if has_flags.any():
            self._has_flags = True
            if (np.array(states)[np.cumsum(begins)][has_flags] == _CLEAR).any():
                self._sign = _TS_SIGN


class _ProgramScan:
    """The PES packets of one stream."""

    def __init__(self, stream_id: int) -> None:
        # Ids of the video streams are 0x1E0 to 0x1EF; others are those of extension streams.
        self._code = stream_id & 0xFF if stream_id >> 4 == 0x1E else 0xFD
        self._rest = b""
        self._is_scrambled = False

    def add(self, data: bytes) -> None:
        if self._is_scrambled:
            return
        data = self._rest + data
        rest = max(0, len(data) - _PES_HEADER + 1)
        for start in self._scrambled_headers(data):
            end = start + 6 + int.from_bytes(data[start + 4 : start + 6], "big")
            if end + len(_START_CODE) > len(data):
                rest = start
                break
            # Sound may look like a header by chance, but then no other header follows.
            self._is_scrambled |= data.startswith(_START_CODE, end)
        self._rest = data[rest:]

    def sign(self, *, has_packets: bool) -> str:
        is_last = 0 in self._scrambled_headers(self._rest)
        return _PES_SIGN if self._is_scrambled or is_last else ""

    def _scrambled_headers(self, data: bytes) -> list[int]:
        array = np.frombuffer(data, np.uint8)
        starts = np.flatnonzero(array[3 : len(data) - 3] == self._code)
        flags = array[starts + 6]
        starts = starts[(array[starts + 2] == 1) & (flags >= 0x90) & (flags < 0xC0)]
        return [start for start in starts.tolist() if data.startswith(_START_CODE, start)]


def _is_pes_scrambled(flags: int) -> bool:
    return flags & 0xC0 == 0x80 and flags & 0x30 != 0  # MPEG-1 has no such flags


def _distance_in(data: bytes) -> int:
    array = np.frombuffer(data[:_TS_HEAD], np.uint8)
    return max(_TS_DISTANCES, key=lambda distance: len(_syncs(array, distance)))


def _syncs(array: NDArray[np.uint8], distance: int) -> NDArray[np.int64]:
    """Return where packets may begin: at two sync bytes in the right distance."""
    return np.flatnonzero((array[:-distance] == _SYNC) & (array[distance:] == _SYNC))
