"""The file of a video, as its decode processes get it."""

from __future__ import annotations

from typing import BinaryIO

from spark_keyframes.limits import Limits
from spark_keyframes.video.process.decode_process import ProcessExitedError
from spark_keyframes.video.process.file_server import FileServer, InvalidRequestError
from spark_keyframes.video.timed_file import TimedFile, descriptor_of


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

    def hand_over(self) -> tuple[int, int | None]:
        """Return a descriptor for a process; if it is a server's socket, the file's size too."""
        descriptor = descriptor_of(self._file)
        if descriptor is not None:
            return descriptor, None
        self.server = FileServer(self.reads)
        return self.server.client_socket.fileno(), self.server.size

    def take_back(self) -> None:
        """Serve the file no longer."""
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
