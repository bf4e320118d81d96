"""The decode process: `python -m spark_keyframes.video.process.serve`.

It executes commands that arrive over a link, for one video after another. It uses no network, no
storage and no model. It ends when the link closes. If the engine's process ends, the kernel kills
it.
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
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from spark_keyframes.limits import Limits
from spark_keyframes.video.av_video import AvVideo
from spark_keyframes.video.card import Card, CardError, refusing
from spark_keyframes.video.centre import CentreCrop
from spark_keyframes.video.decoded_frame_cache import DecodedFrameCache
from spark_keyframes.video.frame import Frame
from spark_keyframes.video.interface import FrameTime
from spark_keyframes.video.memory_limit import limit_memory, used_over_half_of_memory
from spark_keyframes.video.process.error_message import error_message
from spark_keyframes.video.process.expected_times import TIMES_AT_ONCE
from spark_keyframes.video.process.file_server import ServedFile
from spark_keyframes.video.process.link import Link
from spark_keyframes.video.process.shared_memory import (
    buffer_bytes,
    create_shared_memory,
    map_shared_memory,
)
from spark_keyframes.video.process.shared_thread_slots import SharedThreadSlots, ThreadCounts
from spark_keyframes.video.thread_slots import ThreadSlots
from spark_keyframes.video.window import Window

_MAX_COMMAND = 1 << 30  # bytes; the ids of all frames of a long video take some megabytes
_SECONDS_AT_ONCE = 0.1  # of decoding, after which frames do not wait for the next ones


def main() -> None:
    """Execute the engine's commands until the link closes."""
    link_descriptor, parent_pipe, thread_counts, index, *card = map(int, sys.argv[1:])
    exit_with_parent(parent_pipe)
    # Ctrl-C in a terminal reaches all processes of a job; the engine decides when this one ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    link = Link(link_descriptor, max_message=_MAX_COMMAND)
    session = Session(link, ThreadCounts(thread_counts), index, *card)
    try:
        while (received := link.receive()) is not None:
            session.answer(*received)
    except (EOFError, OSError):
        return


def exit_with_parent(parent_pipe: int) -> None:
    """Have this process killed as soon as the other end of the pipe is closed."""
    if hasattr(fcntl, "F_SETSIG"):
        # The kernel sends the signal, so it works even while a codec hangs and holds the GIL.
        fcntl.fcntl(parent_pipe, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(parent_pipe, fcntl.F_SETSIG, signal.SIGKILL)
        flags = fcntl.fcntl(parent_pipe, fcntl.F_GETFL)
        fcntl.fcntl(parent_pipe, fcntl.F_SETFL, flags | os.O_ASYNC)
        if select.select([parent_pipe], [], [], 0)[0]:  # closed before the signal was set up
            os._exit(1)
    else:
        threading.Thread(
            target=lambda: os._exit(bool(os.read(parent_pipe, 1))), daemon=True
        ).start()


class Session:
    """Executes commands. Each command is a method of the same name and has one answer."""

    def __init__(
        self, link: Link, thread_counts: ThreadCounts, index: int, card: int | None = None
    ) -> None:
        self._link = link
        self._card_number = card
        """of the GPU that decodes; None: the CPU does"""
        self._card: Card | None = None
        self._thread_counts = thread_counts
        self._index = index
        self._resources = ExitStack()
        self._frames: DecodedFrameCache | None = None
        self._iterator: Iterator[Frame] = iter(())
        self._left: Frame | None = None
        """The next frame, if it did not fit into the last buffer."""
        self._looks_at: CentreCrop | None = None
        """What matters of the iterator's frames; None: all of them."""
        self._is_to_close = False
        """Whether to close the video at the end of the iterator."""
        self._times: Iterator[FrameTime] = iter(())
        self._times_sent = 0
        self._buffers: dict[int, NDArray[np.uint8]] = {}

    def answer(self, request: dict[str, Any], descriptor: int | None) -> None:
        """Execute a command and send its answer, or its error."""
        number, command = request.pop("number"), getattr(self, request.pop("command"))
        if descriptor is not None:
            request["descriptor"] = descriptor
        new_memory = None
        try:
            if (frame_ids := request.pop("release", None)) and self._frames is not None:
                self._frames.release(frame_ids)
            result, new_memory = command(**request)
            message = {"number": number, "result": result}
        except Exception as error:  # noqa: BLE001 -- raised again by the engine
            self._iterator, self._left = iter(()), None
            if isinstance(error, CardError):
                self.close()  # another process decodes it
            message = {"number": number, "error": error_message(error)}
        self._link.send(message, descriptor=new_memory)
        if new_memory is not None:
            os.close(new_memory)

    def open(
        self,
        *,
        descriptor: int,
        served_bytes: int | None,
        format_hint: str | None,
        threads: int,
        limits: dict[str, float | None],
        video_stream: int | None,
        window: tuple[float, float | None],
        ahead: dict[str, Any] | None = None,
    ) -> tuple[dict[str, Any], int | None]:
        """Open a video.

        Args:
            descriptor: its file, or the socket of a `FileServer`.
            served_bytes: size of the file if the descriptor is a socket, otherwise None.
            format_hint: container to try if the content does not tell.
            threads: decode threads of all processes together.
            limits: the fields of `Limits`; None stands for infinity, which JSON cannot express.
            video_stream: number of the video stream, or None.
            window: its start and its end; None stands for infinity here too.
            ahead: arguments of `candidates`, which are counted and begun at once; or None.
        """
        file = self._resources.enter_context(
            cast("BinaryIO", os.fdopen(descriptor, "rb"))
            if served_bytes is None
            else cast("BinaryIO", io.BufferedReader(ServedFile(descriptor, served_bytes)))
        )
        known = Limits(**{k: math.inf if v is None else v for k, v in limits.items()})  # type: ignore[arg-type]
        slots: ThreadSlots
        if self._card_number is None:
            limit_memory(known.max_decode_bytes)
            slots = SharedThreadSlots(threads, self._thread_counts, self._index)
        else:
            # CUDA takes as much address space as there is memory, and only the copies take a CPU.
            with refusing():
                self.check_card()
            slots = ThreadSlots(1)
        video = AvVideo(
            file,
            format_hint=format_hint,
            threads=threads,
            slots=slots,
            limits=known,
            video_stream=video_stream,
            window=Window.of(*window),
            card=self._card,
        )
        self._frames = self._resources.enter_context(DecodedFrameCache(video, slots))
        facts: dict[str, Any] = {"stream_choice": video.stream_choice, "duration": video.duration}
        if ahead is None:
            return facts, None
        facts["count"], memory, began = video.candidate_count(ahead["fps"]), None, time.monotonic()
        try:
            facts["first"], memory = self.candidates(**ahead)
        except Exception as error:  # noqa: BLE001 -- of the next command
            self._iterator, facts["first"] = _raising(error), None
        return facts | {"seconds": time.monotonic() - began}, memory

    def check_card(self) -> tuple[dict[str, Any], None]:
        """Open the card, if that is still to be done."""
        if self._card is None and self._card_number is not None:
            self._card = Card(self._card_number)
        return {}, None

    def count(self, *, fps: float) -> tuple[dict[str, Any], None]:
        """Count the candidates."""
        return {"count": self._opened.video.candidate_count(fps)}, None

    def times(self, *, fps: float, of: str, skip: int) -> tuple[dict[str, Any], None]:
        """Return the next frames without their pixels, none at the end.

        Args:
            fps: of the candidates.
            of: "candidates", or "gops" for the first frames of their GOPs.
            skip: how many of them the engine has; 0 begins.
        """
        if skip == 0 or self._times_sent != skip:
            frames, gops = self._opened.candidate_times, self._opened.video.gop_times
            self._times = islice(gops(fps) if of == "gops" else frames(fps), skip, None)
            self._times_sent = skip
        found = list(islice(self._times, TIMES_AT_ONCE))
        self._times_sent += len(found)
        return {
            "frame_ids": [each.frame_id for each in found],
            "timestamps": [each.timestamp for each in found],
            "keyframe_packets": [each.is_keyframe_packet for each in found],
        }, None

    def candidates(
        self,
        *,
        fps: float,
        hold: bool,
        looks_at: Sequence[int] | None,
        skip: int,
        buffer: int,
        most: int,
        close: bool = False,
    ) -> tuple[dict[str, Any], int | None]:
        """Begin to decode the candidates, without the first `skip`; go on as `next`.

        Args:
            fps: of the candidates.
            hold: keep them.
            looks_at: the fields of a `CentreCrop`, or None.
            skip: how many of them the engine has.
            buffer: as for `next`.
            most: as for `next`.
            close: close the video after the last one.
        """
        self._start(self._opened.candidates(fps, hold=hold, skip=skip), looks_at, close=close)
        return self.next(buffer=buffer, most=most)

    def frames_by_id(
        self, *, frame_ids: Sequence[int], buffer: int, most: int
    ) -> tuple[dict[str, Any], int | None]:
        """Begin to decode the frames with these ids; go on as `next`."""
        self._start(self._opened.frames_by_id(frame_ids), None)
        return self.next(buffer=buffer, most=most)

    def candidates_by_id(
        self,
        *,
        frame_ids: Sequence[int],
        hold: bool,
        looks_at: Sequence[int] | None,
        buffer: int,
        most: int,
    ) -> tuple[dict[str, Any], int | None]:
        """Begin to decode the frames with these ids; the others are as for `candidates`."""
        self._start(self._opened.candidates_by_id(frame_ids, hold=hold), looks_at)
        return self.next(buffer=buffer, most=most)

    def _start(
        self, frames: Iterator[Frame], looks_at: Sequence[int] | None, *, close: bool = False
    ) -> None:
        self._looks_at = CentreCrop(*looks_at) if looks_at else None
        self._iterator, self._left = frames, None
        self._is_to_close = close

    def next(self, *, buffer: int, most: int) -> tuple[dict[str, Any], int | None]:
        """Write the next frames into a buffer; a new buffer's descriptor goes with the answer.

        At least one, and up to `most` that fit into the buffer, and that are decoded soon.
        """
        pictures: list[dict[str, Any]] = []
        memory, used, end = None, 0, dict[str, Any]()
        until = time.monotonic() + _SECONDS_AT_ONCE
        try:
            while len(pictures) < most and (not pictures or time.monotonic() < until):
                frame = next(self._iterator, None) if self._left is None else self._left
                self._left = None
                if frame is None:
                    end = {"duration": self._opened.video.duration}
                    if self._is_to_close:
                        end |= self.close()[0]
                    break
                height, width = frame.height, frame.width
                size = height * width * 3
                pixels = self._buffers.get(buffer)
                if pixels is None or used + size > len(pixels):
                    if pictures:
                        self._left = frame
                        break
                    total = buffer_bytes(size)
                    memory = create_shared_memory(total)
                    pixels = map_shared_memory(memory, total)
                part = pixels[used : used + size].reshape(height, width, 3)
                frame.to_rgb(out=part, looks_at=self._looks_at)
                self._buffers[buffer] = pixels
                used += size
                pictures.append(_as_picture(frame, height, width))
        except BaseException as error:
            if not isinstance(error, Exception) or not pictures:
                if memory is not None:
                    os.close(memory)
                raise
            self._iterator = _raising(error)  # after the pictures before it
        return {"pictures": pictures} | ({"end": end} if end else {}), memory

    def close(self) -> tuple[dict[str, Any], None]:
        """Close the video and return its counts."""
        self._iterator, self._left, self._times = iter(()), None, iter(())
        self._resources.close()
        frames, self._frames = self._frames, None
        return {
            "decoded": frames.video.frames_decoded if frames else 0,
            "skipped": frames.video.frames_skipped if frames else 0,
            "doubtful": frames.video.frames_doubtful if frames else 0,
            "again": frames.decoded_again if frames else 0,
            "must_be_replaced": used_over_half_of_memory(),
        }, None

    @property
    def _opened(self) -> DecodedFrameCache:
        if self._frames is None:
            raise RuntimeError("no video is open")
        return self._frames


def _as_picture(frame: Frame, height: int, width: int) -> dict[str, Any]:
    return {
        "frame_id": frame.frame_id,
        "timestamp": frame.timestamp,
        "height": height,
        "width": width,
        "nbytes": frame.nbytes,
        "is_keyframe_packet": frame.is_keyframe_packet,
    }


def _raising(error: Exception) -> Iterator[Frame]:
    yield from ()
    raise error


if __name__ == "__main__":
    main()
