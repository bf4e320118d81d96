"""The processes of one video that ended unexpectedly."""

from __future__ import annotations

from spark_keyframes.video.process.decode_process import ProcessExitedError, crash_error

# The video need not be the cause of a crash: the kernel may kill a process when memory is short.
_MAX_CRASHES = 2
_MAX_ATTEMPTS = 3  # with processes that SIGKILL or SIGTERM ended


class Exits:
    """Counts them, and ends the video's attempts. It is true once there was one."""

    def __init__(self) -> None:
        self._exits: list[ProcessExitedError] = []

    def __bool__(self) -> bool:
        return bool(self._exits)

    def add(self, error: ProcessExitedError) -> None:
        """Count another; raise DecoderCrashedError if there is no attempt left."""
        self._exits.append(error)
        by_itself = [exit for exit in self._exits if not exit.is_from_outside]
        if len(self._exits) == _MAX_ATTEMPTS or len(by_itself) == _MAX_CRASHES:
            raise crash_error(self._exits)
