"""A file of the engine, read by a decoding process: what is still arriving, or lies in memory."""

from __future__ import annotations

import io
import os
import socket
import stat
import struct
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

from spark_keyframes.storage.seekable import SeekableFile
from spark_keyframes.video.closing import Closing

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_REQUEST = struct.Struct("<qq")  # position, size
_ANSWER = struct.Struct("<q")  # size of what follows, or _FAILED
_FAILED = -1
_LARGEST = 16 << 20


class SourceFailedError(OSError):
    """The engine could not read the file; it knows why."""


def descriptor_of(file: BinaryIO) -> int | None:
    """The descriptor of a regular file, which another process can read by itself; else None."""
    try:
        descriptor = file.fileno()
    except OSError:  # io.UnsupportedOperation is one
        return None
    return descriptor if stat.S_ISREG(os.fstat(descriptor).st_mode) else None


class FileServer(Closing):
    """Reads a file for another process, in a thread of its own."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = file.seek(0, io.SEEK_END)
        self.error: Exception | None = None
        """What reading raised."""
        self._waited = 0.0
        self._began: float | None = None
        self._here, self.there = socket.socketpair()
        # A daemon: where it waits for a file that nobody closes, Python need not.
        self._thread = threading.Thread(target=self._serve, name="read-for-decoder", daemon=True)
        self._thread.start()

    @property
    def waited(self) -> float:
        """Seconds that were spent reading the file, for the network above all."""
        began = self._began
        return self._waited + (time.perf_counter() - began if began is not None else 0.0)

    def join(self) -> None:
        """Wait until the file is free: the other process is gone, or has closed its end."""
        self._thread.join()

    def close(self) -> None:
        """End the connection. A read that is under way ends when the file is closed."""
        with suppress(OSError):
            self._here.shutdown(socket.SHUT_RDWR)
        self.there.close()

    def _serve(self) -> None:
        with self._here, suppress(OSError, EOFError):
            while True:
                position, size = _REQUEST.unpack(_receive(self._here, _REQUEST.size))
                try:
                    data = self._read(position, size)
                except Exception as error:  # noqa: BLE001 -- raised again by whoever asked for frames
                    self.error = error
                    self._here.sendall(_ANSWER.pack(_FAILED))
                else:
                    self._here.sendall(_ANSWER.pack(len(data)))
                    self._here.sendall(data)

    def _read(self, position: int, size: int) -> bytes:
        if not (position >= 0 and 0 <= size <= _LARGEST):
            raise ValueError(f"a decoding process asked for {size} bytes at {position}")
        self._began = time.perf_counter()
        try:
            self._file.seek(position)
            return self._file.read(size)
        finally:
            self._waited, self._began = self.waited, None


class ServedFile(SeekableFile):
    """The other side: a read-only file whose bytes come from a FileServer."""

    def __init__(self, descriptor: int, size: int) -> None:
        super().__init__(size)
        self._socket = socket.socket(fileno=descriptor)

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Fill the buffer, as far as the file goes; SourceFailedError where it cannot be read."""
        target = memoryview(buffer).cast("B")
        self._socket.sendall(_REQUEST.pack(self.position, min(len(target), _LARGEST)))
        (size,) = _ANSWER.unpack(_receive(self._socket, _ANSWER.size))
        if size == _FAILED:
            raise SourceFailedError("the file cannot be read")
        _receive_into(self._socket, target[:size])
        self.position += size
        return int(size)

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()
        super().close()


def _receive(connection: socket.socket, size: int) -> bytearray:
    data = bytearray(size)
    _receive_into(connection, memoryview(data))
    return data


def _receive_into(connection: socket.socket, target: memoryview) -> None:
    while target:
        count = connection.recv_into(target)
        if not count:
            raise EOFError
        target = target[count:]
