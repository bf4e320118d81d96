"""Waits for the answers of decode processes, within the limits of a video."""

from __future__ import annotations

import time

from spark_keyframes.errors import LimitError
from spark_keyframes.limits import Limits
from spark_keyframes.video.process.answers import Answer, Failed, Refused, Totals, pictures_in
from spark_keyframes.video.process.decode_process import CardRefusedError, DecodeProcess
from spark_keyframes.video.timed_file import TimedFile

_MAX_WAIT_SECONDS = 60.0  # of a single wait; waits are repeated until the time limit


class TimedAnswers:
    """The answers of the processes of one video, one after another.

    Args:
        limits: of the video.
        reads: the file as it is read for a process that cannot.
    """

    def __init__(self, limits: Limits, reads: TimedFile) -> None:
        self._limits = limits
        self._reads = reads
        self._decode_seconds = 0.0
        """Wall-clock seconds spent waiting for the processes, without their reads of the file."""

    def receive(self, process: DecodeProcess) -> Answer:
        """Return the next answer.

        Raises:
            ProcessExitedError: as `DecodeProcess.receive`, or a card does not decode the video.
            LimitError: the time of the video is used up, for decoding or for reading its file.
        """
        limit = self._limits.max_decode_seconds
        while (left := limit - self._decode_seconds) > 0:
            began, read_before = time.perf_counter(), self._reads.seconds
            timeout = max(0.0, min(left, self._reads.seconds_left, _MAX_WAIT_SECONDS))
            answer = process.receive(timeout)
            read = self._reads.seconds - read_before
            self._decode_seconds += time.perf_counter() - began - read
            if answer is not None:
                found = pictures_in(answer)
                ended = found.end.totals if found and found.end else answer
                if isinstance(ended, Totals | Failed) and ended.must_be_replaced:
                    process.kill()
                if isinstance(answer, Refused):
                    raise CardRefusedError(answer.why)
                return answer
            try:
                self._reads.check()
            except LimitError:
                process.kill()
                raise
        process.kill()
        raise LimitError(
            f"decoding the video took longer than {limit:g} s, which is max_decode_seconds of "
            "limits; raise it, lower fps, or scale the video down"
        )
