"""The file object that FFmpeg reads."""

from __future__ import annotations

import errno
import io
from bisect import bisect_right
from collections.abc import Sequence
from typing import BinaryIO

from spark_keyframes.video.header_parts import Span, Window
from spark_keyframes.video.scrambling import ScramblingScan
from spark_keyframes.video.timed_file import read_error

# One read from Python costs about 10 µs, and ranged HTTP reads must not be small.
BUFFER_SIZE = 256 * 1024

# What was read while a container was opened. FFmpeg reads 5 MB to learn what the streams are.
_MOST_HELD = 8 * 1024 * 1024


class FileReader:
    """The file object that FFmpeg reads. It has no `name`, from which FFmpeg would guess a format.

    In many places, FFmpeg takes an exception for the end of the file. So a failed read always looks
    like the end of the file here, and `error` keeps the exception.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.tell = file.tell
        try:
            self._size = file.seek(0, io.SEEK_END)
            file.seek(0)
        except OSError as error:
            raise read_error(error) from error
        self.error: Exception | None = None
        self._edges: list[int] = []
        """Where hidden parts begin and end, by turns."""
        self._held: list[bytes] | None = []
        self._scans: list[ScramblingScan] = []
        self._known = 0  # bytes from the start of the file that are held, or were scanned

    def scan(self, scans: Sequence[ScramblingScan]) -> None:
        """Pass all bytes to `scans`, from the start of the file, as they are or were read."""
        held, self._held = self._held or [], None
        self._scans = list(scans)
        for data in held:
            self._pass_on(data)
        position = self.tell()
        if scans and self._known < position:  # more was read than may be held
            self.seek(self._known)
            while self._known < position and self.read(BUFFER_SIZE):
                pass
            self.seek(position)

    def _pass_on(self, data: bytes) -> None:
        for scan in self._scans:
            scan.add(data)

    def _look_at(self, position: int, data: bytes) -> None:
        # FFmpeg reads some parts again, and the end of the file early to learn how long it is.
        if not position <= self._known < position + len(data):
            return
        data = data[self._known - position :]
        if self._held is None:
            self._pass_on(data)
        elif self._known + len(data) > _MOST_HELD:
            return
        else:
            self._held.append(data)
        self._known += len(data)

    def hide(self, spans: Sequence[Span]) -> None:
        """Return zeros for these parts of the file from now on; they are sorted and apart."""
        self._edges = [min(edge, self._size) for span in spans for edge in span]

    def read_at(self, start: int, stop: int) -> bytes:
        """Return a part of the file, hidden or not; none after an error. The position stays."""
        edges, self._edges = self._edges, []
        with Window(self) as window:
            data = window.read(start, stop)
        self._edges = edges
        return data

    def read(self, size: int) -> bytes:
        """Return up to `size` bytes; none at the end of the file and after an error."""
        try:
            position = self.tell()
            if self._edges:
                passed = bisect_right(self._edges, position)
                if passed < len(self._edges):
                    size = min(size, self._edges[passed] - position)
                if passed % 2:
                    self._file.seek(position + size)
                    return bytes(size)
            data = self._file.read(size)
            if data is None or len(data) > size:
                got = "no data yet" if data is None else f"{len(data)} bytes"
                raise ValueError(f"the file returned {got}, but {size} bytes were requested")
        except Exception as error:  # noqa: BLE001 -- raised again by packets()
            self.error = read_error(error)
            return b""
        data = bytes(data)
        if self._held is not None or self._scans:
            self._look_at(position, data)
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        """Set the position and return it; return a negative number if the file has none such."""
        try:
            base = {io.SEEK_SET: 0, io.SEEK_CUR: self.tell(), io.SEEK_END: self._size}
            position = base[whence] + offset
            if not 0 <= position <= self._size:
                # A damaged header names such a position, so this is no failure of the file. FFmpeg
                # expects a negative error number.
                return -errno.EINVAL
            return self._file.seek(position)
        except Exception as error:
            self.error = error
            raise
