"""Decodes a video with PyAV: only the needed GOPs, or everything if timestamps are unreliable."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from itertools import chain
from typing import BinaryIO

import av
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream

from spark_keyframes.errors import DecodeError, NoFramesError, ParameterError
from spark_keyframes.limits import Limits
from spark_keyframes.redaction import redact_text
from spark_keyframes.video.container import (
    VideoContainer,
    new_codec,
    open_container,
    prepare_codec,
)
from spark_keyframes.video.counters import Counters
from spark_keyframes.video.frame import Frame
from spark_keyframes.video.gops import (
    PacketRun,
    RunFailedError,
    decode_run,
    plan_runs,
    with_packets,
)
from spark_keyframes.video.interface import Closeable
from spark_keyframes.video.packets import read_packets
from spark_keyframes.video.run_pool import THREAD_BYTES, RunPool
from spark_keyframes.video.sequential import MonotonicTimes, candidates_in_sequence, decode_all
from spark_keyframes.video.thread_slots import ThreadSlots
from spark_keyframes.video.timeline import Timeline, exact_fps

logger = logging.getLogger("spark_keyframes")

# Frames that a codec holds at most: 16 reference frames, and those in progress.
_FRAMES_PER_THREAD = 20


def open_video(
    file: BinaryIO,
    *,
    format_hint: str | None = None,
    threads: int = 1,
    slots: ThreadSlots | None = None,
    limits: Limits = Limits(),
) -> AvVideo:
    """Open a video and read its timestamps, without decoding anything yet.

    Args:
        file: seekable binary file, read from its start; must stay open until the video is closed.
        format_hint: container to try if the content does not tell, e.g. "mp4".
        threads: GOPs to decode at the same time, each in a thread of its own that reads the file.
            Frames and their order do not depend on it. Each thread holds up to 64 MB of packets
            and frames, besides its codec. Close the iterator to stop the threads early.
        slots: limit on the threads of all videos together; the first thread ignores it.
        limits: bounds on the size and length of the video.

    Raises:
        ParameterError: threads is less than 1.
        NotAVideoError: the file is no video in a supported format.
        NoVideoStreamError: the container holds no video stream.
        NoFramesError: the video stream is empty.
        DecodeError: the codec is unknown.
        LimitError: the video exceeds one of the limits.
    """
    return AvVideo(file, format_hint=format_hint, threads=threads, slots=slots, limits=limits)


class AvVideo(Closeable):
    """A video decoded with PyAV in this process; see `open_video` for the arguments."""

    def __init__(
        self,
        file: BinaryIO,
        *,
        format_hint: str | None = None,
        threads: int = 1,
        slots: ThreadSlots | None = None,
        limits: Limits = Limits(),
    ) -> None:
        if threads < 1:
            raise ParameterError(f"threads must be at least 1, got {threads}; use e.g. 2")
        self._file = file
        self._format_hint = format_hint
        self._threads = threads
        self._slots = slots
        self._limits = limits
        self._pool: RunPool | None = None
        self._resources = ExitStack()
        self._iterators = 0
        """Iterators begun so far; only the latest may be used."""
        try:
            self._opened = self._open()
            self._table = read_packets(self._opened, limits)
            self.counters = Counters(self._table.timeline)
            """Packets and frames decoded so far."""
        except BaseException:
            self.close()
            raise
        if not len(self._table):
            self.close()
            raise NoFramesError("the video stream is empty: it holds no packet")
        if self._table.sequential_reason:
            logger.debug("decoding in sequence: %s", self._table.sequential_reason)

    @property
    def sequential_reason(self) -> str:
        """Why the video is decoded in sequence; empty if single GOPs can be decoded."""
        return self._table.sequential_reason

    @property
    def timeline(self) -> Timeline | None:
        """Timestamps of all frames; None if only decoding can tell."""
        return self._table.timeline

    @property
    def frames_decoded(self) -> int:
        """Frames that the decoder returned so far. A frame decoded twice counts twice."""
        return self.counters.frames

    @property
    def frames_skipped(self) -> int:
        """Frames that the decoder never returned so far: not needed, damaged, or not reached.

        0 where the number of frames is unknown before decoding: then all packets are decoded.
        """
        return self.counters.skipped

    def candidate_count(self, fps: float) -> int | None:
        """Return the number of candidates; None if only decoding can tell.

        Damaged frames may leave fewer.
        """
        exact_fps(fps)
        return len(self.timeline.candidate_ids(fps)) if self.timeline else None

    def candidates(self, fps: float) -> Iterator[Frame]:
        """Yield the frames on screen at k/fps seconds, k = 0, 1, …, in presentation order.

        No frame is yielded twice. A frame that cannot be decoded is replaced by the one before it.

        Raises:
            ParameterError: fps is not greater than 0.
            NoFramesError: the video has no frame.
            DecodeError: no frame can be decoded.
        """
        exact_fps(fps)
        if self.timeline is not None:
            frames = self._decode_needed_gops(self.timeline, self.timeline.candidate_ids(fps))
        else:
            frames = self._candidates_in_sequence(fps)
        return self._exclusive(frames)

    def frames(self, frame_ids: Sequence[int]) -> Iterator[Frame]:
        """Yield the frames with these ids, sorted, none twice.

        Raises:
            ParameterError: the video has no frame with this id.
            DecodeError: a frame is damaged.
        """
        wanted = sorted({int(frame_id) for frame_id in frame_ids})
        count = len(self.timeline) if self.timeline is not None else None
        if wanted and (wanted[0] < 0 or (count is not None and wanted[-1] >= count)):
            bad = wanted[0] if wanted[0] < 0 else wanted[-1]
            raise _no_such_frame(bad, count)
        if self.timeline is not None:
            frames = self._decode_needed_gops(self.timeline, wanted, exactly=True)
        else:
            frames = self._frames_in_sequence(wanted)
        return self._exclusive(frames)

    def close(self) -> None:
        """Stop decoding and free the decoder; the file stays open, and frames stay usable."""
        self._begin_iterator()
        self._resources.close()

    def _open(self) -> VideoContainer:
        self._resources.close()
        opening = open_container(self._file, self._format_hint, limits=self._limits)
        return self._resources.enter_context(opening)

    def _begin(self, *, strict: bool) -> tuple[VideoCodecContext, Iterable[Packet[VideoStream]]]:
        """Return a codec context and all packets; with `strict`, damage is an error."""
        codec = self._opened.stream.codec_context
        kept = self._table.kept
        # An open context keeps its options, and its estimate of the frame order. That does not
        # matter for single GOPs, but decoding in sequence needs a fresh context.
        if kept is None or (codec.is_open and not (strict and "err_detect" in codec.options)):
            self._opened = self._open()
            codec = self._opened.stream.codec_context
        if not codec.is_open:
            prepare_codec(codec, strict=strict, limits=self._limits)
        return codec, self._opened.packets() if kept is None else kept

    def _begin_iterator(self) -> int:
        self._iterators += 1
        if self._pool is not None:
            self._pool.close()
            self._pool = None
        return self._iterators

    def _exclusive(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        number = self._begin_iterator()
        for frame in frames:
            yield frame
            if number != self._iterators:
                raise RuntimeError("the video was closed, or another iterator was begun")

    def _decode_needed_gops(
        self, timeline: Timeline, frame_ids: Sequence[int], *, exactly: bool = False
    ) -> Iterator[Frame]:
        done = 0
        runs = plan_runs(self._table, frame_ids)
        try:
            with closing(self._decode_runs(runs)) as pictures:
                for frame_id, picture in pictures:
                    yield Frame(frame_id, timeline.seconds(frame_id), picture)
                    done += 1
        except RunFailedError as error:
            logger.info("decoding in sequence from here: %s", redact_text(str(error)))
            yield from self._decode_rest_in_sequence(timeline, frame_ids, done, exactly=exactly)

    def _decode_runs(self, runs: Sequence[PacketRun]) -> Generator[tuple[int, av.VideoFrame]]:
        codec, packets = self._begin(strict=True)
        threads = min(self._threads, len(runs), self._affordable_threads())
        codecs = self._codecs()
        first = next(codecs, None) if threads > 1 else None
        if first is None:
            for run, part in with_packets(runs, packets):
                yield from decode_run(codec, part, run, self._table, self.counters)
            return
        self._pool = RunPool(
            threads,
            chain([first], codecs),
            runs,
            packets,
            table=self._table,
            counters=self.counters,
            slots=self._slots,
        )
        with self._pool as pool:
            yield from pool.frames()

    def _affordable_threads(self) -> int:
        """Return how many threads fit into the memory limit of the video."""
        codec = self._opened.stream.codec_context
        each = _FRAMES_PER_THREAD * codec.width * codec.height * 3 // 2 + THREAD_BYTES
        return max(1, self._limits.max_decode_bytes * 3 // 4 // each)

    def _codecs(self) -> Iterator[VideoCodecContext]:
        """Yield codec contexts of this stream without end; none if PyAV cannot copy its context."""
        while (codec := new_codec(self._opened.stream)) is not None:
            prepare_codec(codec, strict=True, limits=self._limits)
            yield codec

    def _decode_rest_in_sequence(
        self, timeline: Timeline, frame_ids: Sequence[int], done: int, *, exactly: bool
    ) -> Iterator[Frame]:
        """Yield frame_ids[done:], decoded in sequence; a damaged one is replaced by the one before.

        With `exactly`, a damaged frame is an error instead.
        """
        last_id = frame_ids[done - 1] if done else -1
        on_screen: Frame | None = None
        for picture in self._decode_all():
            frame_id = timeline.id_at(picture.pts) if picture.pts is not None else None
            if frame_id is None or (on_screen is not None and frame_id <= on_screen.frame_id):
                continue
            while done < len(frame_ids) and frame_ids[done] < frame_id:
                if exactly:
                    raise _damaged(frame_ids[done])
                if on_screen is not None and on_screen.frame_id > last_id:
                    yield on_screen
                    last_id = on_screen.frame_id
                done += 1
            on_screen = Frame(frame_id, timeline.seconds(frame_id), picture)
            if done < len(frame_ids) and frame_ids[done] == frame_id:
                yield on_screen
                last_id = frame_id
                done += 1
            if done == len(frame_ids):
                if last_id < 0:
                    # All candidates are damaged: yield the first undamaged frame instead.
                    yield on_screen
                return
        if exactly:
            raise _damaged(frame_ids[done])
        if on_screen is None:
            raise self._nothing_decoded()
        if on_screen.frame_id > last_id:
            yield on_screen

    def _decode_all(self) -> Iterator[av.VideoFrame]:
        codec, packets = self._begin(strict=False)
        return decode_all(codec, packets, self.counters)

    def _candidates_in_sequence(self, fps: float) -> Iterator[Frame]:
        times = self._times()
        is_empty = True
        for frame in candidates_in_sequence(times, self._decode_all(), fps):
            is_empty = False
            yield frame
        if is_empty:
            raise self._nothing_decoded()

    def _frames_in_sequence(self, frame_ids: Sequence[int]) -> Iterator[Frame]:
        if not frame_ids:
            return
        times = self._times()
        wanted = set(frame_ids)
        count = 0
        for frame_id, picture in enumerate(self._decode_all()):
            time = times.time_of(picture)
            count = frame_id + 1
            if frame_id in wanted:
                yield Frame(frame_id, float(time * times.time_base), picture)
                if frame_id == frame_ids[-1]:
                    return
        raise _no_such_frame(frame_ids[-1], count)

    def _nothing_decoded(self) -> NoFramesError | DecodeError:
        count = len(self._table)
        if not self.counters.failed:
            return NoFramesError(f"none of the video's {count} packets holds a frame to show")
        return DecodeError(
            f"none of the video's {count} packets could be decoded: they are damaged, or their "
            f"frames have more than {self._limits.max_pixels} pixels, the max_pixels of limits"
        )

    def _times(self) -> MonotonicTimes:
        return MonotonicTimes(self._opened.stream, has_pts=self._table.has_pts)


def _no_such_frame(frame_id: int, count: int | None) -> ParameterError:
    return ParameterError(
        f"the video has no frame {frame_id}; frame ids go from 0"
        + (f" to {count - 1}" if count is not None else "")
    )


def _damaged(frame_id: int) -> DecodeError:
    return DecodeError(f"frame {frame_id} is damaged and cannot be decoded")
