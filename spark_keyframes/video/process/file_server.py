"""A file of the engine that a decode process reads over a socket.

Used for files without a descriptor of their own: downloads in progress, and bytes in memory.
"""

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
from spark_keyframes.video.interface import Closeable

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_REQUEST = struct.Struct("<qq")  # position, size
_ANSWER = struct.Struct("<q")  # size of the data that follows, or _FAILED
_FAILED = -1
_MAX_READ = 16 << 20  # bytes


class FileServerError(OSError):
    """The engine could not read the file; `FileServer.error` says why."""


def descriptor_of(file: BinaryIO) -> int | None:
    """Return the descriptor of a regular file, which a process can read itself; otherwise None."""
    try:
        descriptor = file.fileno()
    except OSError:  # includes io.UnsupportedOperation
        return None
    return descriptor if stat.S_ISREG(os.fstat(descriptor).st_mode) else None


class FileServer(Closeable):
    """Serves reads of a file to another process, from a thread of its own."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = file.seek(0, io.SEEK_END)
        self.error: Exception | None = None
        """The exception that reading raised."""
        self._read_seconds = 0.0
        self._read_began: float | None = None
        self._socket, self.client_socket = socket.socketpair()
        # A daemon thread, so that a file which blocks for ever does not keep Python from exiting.
        self._thread = threading.Thread(target=self._serve, name="read-for-decoder", daemon=True)
        self._thread.start()

    @property
    def read_seconds(self) -> float:
        """Wall-clock seconds spent reading the file so far, network included."""
        began = self._read_began
        return self._read_seconds + (time.perf_counter() - began if began is not None else 0.0)

    def join(self) -> None:
        """Wait until no thread reads the file: the other process has ended or closed its end."""
        self._thread.join()

    def close(self) -> None:
        """Close the connection. A read in progress ends when the file is closed."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self.client_socket.close()

    def _serve(self) -> None:
        with self._socket, suppress(OSError, EOFError):
            while True:
                position, size = _REQUEST.unpack(_receive(self._socket, _REQUEST.size))
                try:
                    data = self._read(position, size)
                except Exception as error:  # noqa: BLE001 -- raised again in the decoding thread
                    self.error = error
                    self._socket.sendall(_ANSWER.pack(_FAILED))
                else:
                    self._socket.sendall(_ANSWER.pack(len(data)))
                    self._socket.sendall(data)

    def _read(self, position: int, size: int) -> bytes:
        if not (position >= 0 and 0 <= size <= _MAX_READ):
            raise ValueError(f"a decode process asked for {size} bytes at position {position}")
        self._read_began = time.perf_counter()
        try:
            self._file.seek(position)
            return self._file.read(size)
        finally:
            self._read_seconds, self._read_began = self.read_seconds, None


class ServedFile(SeekableFile):
    """The client of a `FileServer`: a read-only, seekable file."""

    def __init__(self, descriptor: int, size: int) -> None:
        super().__init__(size)
        self._socket = socket.socket(fileno=descriptor)

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read into the buffer up to the end of the file; FileServerError if that fails."""
        target = memoryview(buffer).cast("B")
        self._socket.sendall(_REQUEST.pack(self.position, min(len(target), _MAX_READ)))
        (size,) = _ANSWER.unpack(_receive(self._socket, _ANSWER.size))
        if size == _FAILED:
            raise FileServerError("the file cannot be read")
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
