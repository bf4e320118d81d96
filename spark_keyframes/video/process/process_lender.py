"""Lends decode processes to the videos of one decoder."""

from __future__ import annotations

import math
import threading
from dataclasses import asdict

from spark_keyframes.limits import Limits
from spark_keyframes.video.interface import Closeable
from spark_keyframes.video.process.decode_process import DecodeProcess
from spark_keyframes.video.process.expected_pictures import AT_ONCE
from spark_keyframes.video.process.process_pool import process_pool


class ProcessLender(Closeable):
    """What the videos of a decoder share: their processes, and how they are decoded."""

    def __init__(
        self,
        threads: int,
        *,
        limits: Limits = Limits(),
        prefetch: bool = True,
        video_stream: int | None = None,
    ) -> None:
        self.limits = limits
        of_json = {k: None if math.isinf(v) else v for k, v in asdict(limits).items()}
        self.how = {"threads": threads, "limits": of_json, "video_stream": video_stream}
        """Arguments of the command that opens a video."""
        self.buffers = 2 if prefetch else 1
        """Frame buffers per process. With 2, it decodes into one while the engine uses another."""
        self.pictures_at_once = AT_ONCE
        """The most pictures in a buffer."""
        self._at_work: set[DecodeProcess] = set()
        process_pool().warm_up()
        self._is_closed = False
        self._lock = threading.Lock()

    def acquire(self, *, is_new: bool) -> DecodeProcess:
        """Return a process for a video: an idle one, or always a new one with `is_new`."""
        process = process_pool().acquire(is_new=is_new)
        with self._lock:
            if not self._is_closed:
                process.videos += 1
                self._at_work.add(process)
                return process
        process_pool().release(process)
        raise RuntimeError("the decoder was closed")

    def release(self, process: DecodeProcess) -> None:
        """Return a process to the pool, usable or not."""
        with self._lock:
            self._at_work.discard(process)
        process_pool().release(process)

    def close(self) -> None:
        """Implement `Decoder.close`."""
        with self._lock:
            self._is_closed = True
            for process in self._at_work:
                process.kill()
