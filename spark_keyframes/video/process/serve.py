"""The decoding process: `python -m spark_keyframes.video.process.serve`, one video after another.

It knows no network, no storage and no model. Its commands come over a connection; where that
ends, so does the process, and where the engine dies, the kernel kills it whatever it is doing.
"""

from __future__ import annotations

import fcntl
import io
import math
import os
import resource
import select
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from spark_keyframes.errors import KeyframesError
from spark_keyframes.limits import Limits
from spark_keyframes.video.av_video import AvVideo
from spark_keyframes.video.frame import Frame
from spark_keyframes.video.held import HeldFrames
from spark_keyframes.video.process.files import ServedFile, SourceFailedError
from spark_keyframes.video.process.link import Link
from spark_keyframes.video.process.memory import limit_memory, map_memory, shared_memory
from spark_keyframes.video.process.shared_slots import Cells, SharedSlots
from spark_keyframes.video.shortage import check_memory, is_worn

_GRAIN = 1 << 20  # shared memory comes in steps, so that it need not grow often


def main() -> None:
    """Serve the engine that started this process, until it is gone."""
    control, life, cells, cell = map(int, sys.argv[1:])
    die_with(life)
    # Ctrl-C in a terminal reaches all processes of a job: it is the engine's to decide.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    link = Link(control)
    session = Session(link, Cells(cells), cell)
    try:
        while (request := link.receive()) is not None:
            session.answer(request)
    except (EOFError, OSError):
        return


def die_with(life: int) -> None:
    """Let this process be killed when nobody holds the other end of this pipe any more."""
    if hasattr(fcntl, "F_SETSIG"):
        # The kernel does it, even while a codec hangs and holds Python's lock.
        fcntl.fcntl(life, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(life, fcntl.F_SETSIG, signal.SIGKILL)
        flags = fcntl.fcntl(life, fcntl.F_GETFL)
        fcntl.fcntl(life, fcntl.F_SETFL, flags | os.O_ASYNC)
        if select.select([life], [], [], 0)[0]:  # it was too late
            os._exit(1)
    else:
        threading.Thread(target=lambda: os._exit(bool(os.read(life, 1))), daemon=True).start()


class Session:
    """What the commands of the engine do; each is a method, and has one answer."""

    def __init__(self, link: Link, cells: Cells, cell: int) -> None:
        self._link = link
        self._cells = cells
        self._cell = cell
        self._resources = ExitStack()
        self._frames: HeldFrames | None = None
        self._iterator: Iterator[Frame] = iter(())
        self._buffers: dict[int, NDArray[np.uint8]] = {}

    def answer(self, request: dict[str, Any]) -> None:
        """Do what is asked for and send the answer, an error too."""
        new_memory = None
        try:
            command = getattr(self, request.pop("command"))
            if (forgotten := request.pop("forget", None)) and self._frames is not None:
                self._frames.forget(forgotten)
            answer, new_memory = command(**request)
        except Exception as error:  # noqa: BLE001 -- raised again by the engine
            self._iterator = iter(())
            answer = _as_message(error)
        self._link.send(answer, descriptor=new_memory)
        if new_memory is not None:
            os.close(new_memory)

    def open(
        self,
        *,
        served_bytes: int | None,
        format_hint: str | None,
        threads: int,
        limits: dict[str, float | None],
    ) -> tuple[dict[str, Any], None]:
        """Open the video in the file whose descriptor follows, or which the engine reads."""
        descriptor = self._link.receive_descriptor()
        file = self._resources.enter_context(
            cast("BinaryIO", os.fdopen(descriptor, "rb"))
            if served_bytes is None
            else cast("BinaryIO", io.BufferedReader(ServedFile(descriptor, served_bytes)))
        )
        # JSON knows no infinity.
        known = Limits(**{k: math.inf if v is None else v for k, v in limits.items()})  # type: ignore[arg-type]
        limit_memory(known.max_decode_bytes)
        slots = SharedSlots(threads, self._cells, self._cell)
        video = AvVideo(file, format_hint=format_hint, threads=threads, slots=slots, limits=known)
        self._frames = self._resources.enter_context(HeldFrames(video, slots))
        return {}, None

    def count(self, *, fps: float) -> tuple[dict[str, Any], None]:
        """How many candidates there are."""
        return {"count": self._opened.video.candidate_count(fps)}, None

    def candidates(self, *, fps: float, hold: bool, skip: int) -> tuple[dict[str, Any], None]:
        """Begin the candidates, after the first `skip` of them."""
        self._iterator = self._opened.candidates(fps, hold=hold, skip=skip)
        return {}, None

    def pictures(self, *, frame_ids: Sequence[int]) -> tuple[dict[str, Any], None]:
        """Begin the pictures of these frames."""
        self._iterator = self._opened.frames(frame_ids)
        return {}, None

    def next(self, *, buffer: int) -> tuple[dict[str, Any], int | None]:
        """Put the next picture into a buffer; `memory` bytes of it follow where it is a new one."""
        frame = next(self._iterator, None)
        if frame is None:
            return {"end": True}, None
        height, width = frame.height, frame.width
        size, memory = height * width * 3, None
        if buffer not in self._buffers or len(self._buffers[buffer]) < size:
            total = -(-size // _GRAIN) * _GRAIN
            memory = shared_memory(total)
            self._buffers[buffer] = map_memory(os.dup(memory), total)
        frame.to_rgb(out=self._buffers[buffer][:size].reshape(height, width, 3))
        answer = {
            "frame_id": frame.frame_id,
            "timestamp": frame.timestamp,
            "height": height,
            "width": width,
            "nbytes": frame.nbytes,
        }
        if memory is not None:
            answer |= {"buffer": buffer, "memory": len(self._buffers[buffer])}
        return answer, memory

    def close(self) -> tuple[dict[str, Any], None]:
        """Close the video, and say what it took."""
        self._iterator = iter(())
        frames, self._frames = self._frames, None
        self._resources.close()
        return {
            "decoded": frames.video.frames_decoded if frames else 0,
            "skipped": frames.video.frames_skipped if frames else 0,
            "again": frames.decoded_again if frames else 0,
            "last": is_worn(),
        }, None

    @property
    def _opened(self) -> HeldFrames:
        if self._frames is None:
            raise RuntimeError("no video is open")
        return self._frames


def _as_message(error: Exception) -> dict[str, Any]:
    if isinstance(error, SourceFailedError | EOFError):
        return {"error": "source"}
    try:
        check_memory(error)
    except KeyframesError as limit:
        error = limit
    is_known = isinstance(error, KeyframesError)
    return {
        "error": type(error).__name__,
        "message": str(error),
        "stage": error.stage if isinstance(error, KeyframesError) else "",
        "traceback": "" if is_known else "".join(traceback.format_exception(error)),
        # Short of memory, this process would not serve another video well.
        "last": isinstance(error.__cause__, MemoryError),
    }


if __name__ == "__main__":
    main()
