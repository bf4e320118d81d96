"""The file of a video, as its decode processes get it."""

from __future__ import annotations

import os
from typing import BinaryIO

from spark_keyframes.limits import Limits
from spark_keyframes.video.process.decode_process import ProcessExitedError
from spark_keyframes.video.process.file_server import FileServer, InvalidRequestError
from spark_keyframes.video.process.shared_memory import create_shared_memory
from spark_keyframes.video.source import bytes_in_memory
from spark_keyframes.video.timed_file import TimedFile, descriptor_of

_MOST_COPIED = 4 << 20  # bytes; larger ones are read in parts, without taking their memory again


class HandedFile:
    """A file that one process after another reads.

    Args:
        file: seekable binary file.
        limits: of the video.
    """

    def __init__(self, file: BinaryIO, limits: Limits) -> None:
        self.reads = TimedFile(file, limits.max_download_seconds)
        """Reads the file for a process that cannot."""
        self.server: FileServer | None = None
        self._file = file
        self._copy: int | None = None
        """Descriptor of a copy of bytes in memory, while a process has it."""

    def hand_over(self) -> tuple[int, int | None]:
        """Return a descriptor for a process; if it is a server's socket, the file's size too."""
        descriptor = descriptor_of(self._file)
        if descriptor is not None:
            return descriptor, None
        data = bytes_in_memory(self._file)
        if data is not None and len(data) <= _MOST_COPIED:
            self._copy = create_shared_memory(len(data))
            os.pwrite(self._copy, data, 0)
            return self._copy, None
        self.server = FileServer(self.reads)
        return self.server.client_socket.fileno(), self.server.size

    def take_back(self) -> None:
        """Serve the file no longer."""
        if self._copy is not None:
            os.close(self._copy)
            self._copy = None
        if self.server is not None:
            self.server.close()

    def wait(self) -> None:
        """Wait after `take_back` until no thread reads the file, so that the next one may.

        Raises:
            LimitError: the time for reading the file is used up.
        """
        server, self.server = self.server, None
        if server is not None:
            server.join(self.reads.seconds_left)
            self.reads.check()

    def error(self) -> Exception:
        """Return why a process could not read the file."""
        error = self.server.error if self.server is not None else None
        if error is None or isinstance(error, InvalidRequestError):
            reason = error or "it reported an error of the file, but there was none"
            return ProcessExitedError(f"it sent an invalid answer: {reason}")
        return error
