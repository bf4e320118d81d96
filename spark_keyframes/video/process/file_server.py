"""A file of the engine that a decode process reads over a socket.

Used for files without a descriptor of their own: downloads in progress, and bytes in memory.
"""

from __future__ import annotations

import io
import socket
import struct
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

from spark_keyframes.storage.seekable import SeekableFile
from spark_keyframes.video.interface import Closeable
from spark_keyframes.video.process.received import close_received, receive_with_descriptors
from spark_keyframes.video.timed_file import TimedFile

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_REQUEST = struct.Struct("<qq")  # position, size
_ANSWER = struct.Struct("<q")  # size of the data that follows, or _FAILED
_FAILED = -1
_MAX_READ = 16 << 20  # bytes


class FileServerError(OSError):
    """The engine could not read the file; `FileServer.error` says why."""


class InvalidRequestError(Exception):
    """A decode process sent what is no request for bytes of this file."""


class FileServer(Closeable):
    """Serves reads of a file to another process, from a thread of its own."""

    def __init__(self, file: TimedFile) -> None:
        self._file = file
        self.size = file.seek(0, io.SEEK_END)
        self.error: Exception | None = None
        """The exception that reading raised, or InvalidRequestError."""
        self._socket, self.client_socket = socket.socketpair()
        # A daemon thread, so that a file which blocks for ever does not keep Python from exiting.
        self._thread = threading.Thread(target=self._serve, name="read-for-decoder", daemon=True)
        self._thread.start()

    def join(self, timeout: float) -> None:
        """Wait until no thread reads the file, after `close`, or for `timeout` seconds."""
        self._thread.join(min(timeout, threading.TIMEOUT_MAX))

    def close(self) -> None:
        """Close the connection. A read in progress ends when the file is closed."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self.client_socket.close()

    def _serve(self) -> None:
        try:
            while True:
                request = self._receive_request()
                try:
                    data = self._read(*request)
                except Exception as error:  # noqa: BLE001 -- raised again in the decoding thread
                    self.error = error
                    self._socket.sendall(_ANSWER.pack(_FAILED))
                else:
                    self._socket.sendall(_ANSWER.pack(len(data)))
                    self._socket.sendall(data)
        except (OSError, EOFError):
            pass  # the connection was closed
        finally:
            close_received([self._socket.detach()])

    def _receive_request(self) -> tuple[int, int, bool]:
        """Return a position, a size, and whether file descriptors came with them."""
        request, has_descriptors = b"", False
        while missing := _REQUEST.size - len(request):
            data, descriptors, is_truncated = receive_with_descriptors(self._socket, missing)
            if descriptors or is_truncated:
                has_descriptors = True
                close_received(descriptors)
            if not data:
                raise EOFError
            request += data
        position, size = _REQUEST.unpack(request)
        return position, size, has_descriptors

    def _read(self, position: int, size: int, has_descriptors: bool) -> bytes:
        if has_descriptors:
            raise InvalidRequestError("it sent file descriptors")
        if not (0 <= position <= self.size and 0 <= size <= _MAX_READ):
            raise InvalidRequestError(
                f"it asked for {size} bytes at position {position} of {self.size}"
            )
        self._file.seek(position)
        return self._file.read(size)


class ServedFile(SeekableFile):
    """The client of a `FileServer`: a read-only, seekable file."""

    def __init__(self, descriptor: int, size: int) -> None:
        super().__init__(size)
        self._socket = socket.socket(fileno=descriptor)

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        """Read into the buffer up to the end of the file; FileServerError if that fails."""
        target = memoryview(buffer).cast("B")
        if self.position >= self.size:
            return 0
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
