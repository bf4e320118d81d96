"""Opening a video and taking frames from it: the fast path where it is safe, else the sure one."""

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
from spark_keyframes.video.closing import Closing
from spark_keyframes.video.container import (
    Opened,
    new_codec,
    open_container,
    prepare_codec,
)
from spark_keyframes.video.counters import Counters
from spark_keyframes.video.frame import Frame
from spark_keyframes.video.gops import Run, RunFailed, decode_run, plan_runs, with_packets
from spark_keyframes.video.packets import read_packets
from spark_keyframes.video.pool import THREAD_BYTES, RunPool
from spark_keyframes.video.sequential import Clock, decode_all
from spark_keyframes.video.thread_slots import Slots
from spark_keyframes.video.timeline import Timeline, candidate_step, exact_fps, is_candidate

_log = logging.getLogger(__name__)

# What a codec holds at most: 16 frames for reference, and those that it is at work on.
_FRAMES_PER_THREAD = 20


def open_video(
    file: BinaryIO,
    *,
    format_hint: str | None = None,
    threads: int = 1,
    slots: Slots | None = None,
    limits: Limits = Limits(),
) -> AvVideo:
    """Open a video from a seekable file of bytes and read its timeline; decodes nothing yet.

    `format_hint` ("mp4") is tried where the content alone does not tell the format.

    With `threads` above 1, as many GOPs are decoded at the same time, in threads that read the
    file; frames are the same and come in the same order. Each thread holds up to 64 MB of packets
    and frames, besides what its decoder holds. Close the iterator to stop them early. With `slots`,
    the threads but the first are only as many as these have room for.

    Raises `ParameterError` unless threads ≥ 1, `NotAVideoError`, `NoVideoStreamError`,
    `NoFramesError`, `DecodeError` or `LimitError`.
    """
    return AvVideo(file, format_hint=format_hint, threads=threads, slots=slots, limits=limits)


class AvVideo(Closing):
    """A video decoded with PyAV in this process."""

    def __init__(
        self,
        file: BinaryIO,
        *,
        format_hint: str | None = None,
        threads: int = 1,
        slots: Slots | None = None,
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
        self._turn = 0
        try:
            self._opened = self._open()
            self._table = read_packets(self._opened, limits)
            self.counters = Counters(self._table.timeline)
            """What decoding took so far."""
        except BaseException:
            self.close()
            raise
        if not len(self._table):
            self.close()
            raise NoFramesError("the video stream is empty: it holds no packet")
        if self._table.distrust:
            _log.debug("decoding in sequence: %s", self._table.distrust)

    @property
    def distrust(self) -> str:
        """Why the video is decoded in sequence; empty where the fast path is taken."""
        return self._table.distrust

    @property
    def timeline(self) -> Timeline | None:
        """When each frame is on screen; None where only decoding can tell."""
        return self._table.timeline

    @property
    def frames_decoded(self) -> int:
        """Frames that came out of the decoder so far; one that did so twice counts twice."""
        return self.counters.frames

    @property
    def frames_skipped(self) -> int:
        """Frames of the video that did not: not needed, damaged, or not reached so far.

        0 where only decoding tells which frames there are: then all packets are decoded.
        """
        return self.counters.skipped

    def candidate_count(self, fps: float) -> int | None:
        """How many candidates there are; None where only decoding can tell.

        Frames that turn out to be damaged may leave fewer.
        """
        exact_fps(fps)
        return len(self.timeline.candidate_ids(fps)) if self.timeline else None

    def candidates(self, fps: float) -> Iterator[Frame]:
        """The frames on screen at k/fps seconds, k = 0, 1, …, each once, in presentation order.

        Where such a frame cannot be decoded, the frame before it stays on screen. Raises
        `ParameterError`, `NoFramesError` or `DecodeError`.
        """
        exact_fps(fps)
        if self.timeline is not None:
            frames = self._fast(self.timeline, self.timeline.candidate_ids(fps))
        else:
            frames = self._candidates_in_sequence(fps)
        return self._exclusive(frames)

    def frames(self, frame_ids: Sequence[int]) -> Iterator[Frame]:
        """The frames with these ids (of `Frame.frame_id`), sorted, each once.

        Raises `ParameterError` for an id that the video does not have, or `DecodeError`.
        """
        wanted = sorted({int(frame_id) for frame_id in frame_ids})
        count = len(self.timeline) if self.timeline is not None else None
        if wanted and (wanted[0] < 0 or (count is not None and wanted[-1] >= count)):
            bad = wanted[0] if wanted[0] < 0 else wanted[-1]
            raise _no_such_frame(bad, count)
        if self.timeline is not None:
            frames = self._fast(self.timeline, wanted, exactly=True)
        else:
            frames = self._frames_in_sequence(wanted)
        return self._exclusive(frames)

    def close(self) -> None:
        """Free what is held; the file stays open. Frames stay usable."""
        self._begin_turn()
        self._resources.close()

    def _open(self) -> Opened:
        self._resources.close()
        opening = open_container(self._file, self._format_hint, limits=self._limits)
        return self._resources.enter_context(opening)

    def _begin(self, *, strict: bool) -> tuple[VideoCodecContext, Iterable[Packet[VideoStream]]]:
        """A codec context and all packets from the first; strict: damage is an error."""
        codec = self._opened.stream.codec_context
        kept = self._table.kept
        # A context that is open keeps its options, and what it learnt about the order of frames.
        # The fast path does not mind; decoding in sequence shall be as if for the first time.
        if kept is None or (codec.is_open and not (strict and "err_detect" in codec.options)):
            self._opened = self._open()
            codec = self._opened.stream.codec_context
        if not codec.is_open:
            prepare_codec(codec, strict=strict, limits=self._limits)
        return codec, self._opened.packets() if kept is None else kept

    def _begin_turn(self) -> int:
        self._turn += 1
        if self._pool is not None:
            self._pool.close()
            self._pool = None
        return self._turn

    def _exclusive(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        turn = self._begin_turn()
        for frame in frames:
            yield frame
            if turn != self._turn:
                raise RuntimeError("the video was closed, or another iterator was begun")

    def _fast(
        self, timeline: Timeline, frame_ids: Sequence[int], *, exactly: bool = False
    ) -> Iterator[Frame]:
        done = 0
        runs = plan_runs(self._table, frame_ids)
        try:
            with closing(self._decode_runs(runs)) as pictures:
                for frame_id, picture in pictures:
                    yield Frame(frame_id, timeline.seconds(frame_id), picture)
                    done += 1
        except RunFailed as error:
            _log.info("decoding in sequence from here: %s", error)
            yield from self._recover(timeline, frame_ids, done, exactly=exactly)

    def _decode_runs(self, runs: Sequence[Run]) -> Generator[tuple[int, av.VideoFrame]]:
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
            yield from pool.pictures()

    def _affordable_threads(self) -> int:
        """How many threads keep within the memory that the video may take."""
        codec = self._opened.stream.codec_context
        each = _FRAMES_PER_THREAD * codec.width * codec.height * 3 // 2 + THREAD_BYTES
        return max(1, self._limits.max_decode_bytes * 3 // 4 // each)

    def _codecs(self) -> Iterator[VideoCodecContext]:
        """Codec contexts of this stream, without end; none where more than one cannot be had."""
        while (codec := new_codec(self._opened.stream)) is not None:
            prepare_codec(codec, strict=True, limits=self._limits)
            yield codec

    def _recover(
        self, timeline: Timeline, frame_ids: Sequence[int], done: int, *, exactly: bool
    ) -> Iterator[Frame]:
        """The frames from frame_ids[done] on; for one that is damaged, the one before it."""
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
                    # All candidates are damaged: the first frame that is not stands for them.
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
        clock = self._clock()
        step = candidate_step(fps, clock.time_base)
        last = start = gap = picture = None
        for frame_id, following in enumerate(self._decode_all()):
            time = clock.time_of(following)
            if picture is not None and start is not None:
                gap = time - start
                if is_candidate(start, time, step):
                    yield Frame(frame_id - 1, float(start * clock.time_base), picture)
            last, start, picture = frame_id, time, following
        if picture is None or start is None or last is None:
            raise self._nothing_decoded()
        if is_candidate(start, clock.end_after(picture, gap), step):
            yield Frame(last, float(start * clock.time_base), picture)

    def _frames_in_sequence(self, frame_ids: Sequence[int]) -> Iterator[Frame]:
        if not frame_ids:
            return
        clock = self._clock()
        wanted = set(frame_ids)
        count = 0
        for frame_id, picture in enumerate(self._decode_all()):
            time = clock.time_of(picture)
            count = frame_id + 1
            if frame_id in wanted:
                yield Frame(frame_id, float(time * clock.time_base), picture)
                if frame_id == frame_ids[-1]:
                    return
        raise _no_such_frame(frame_ids[-1], count)

    def _nothing_decoded(self) -> NoFramesError | DecodeError:
        count = len(self._table)
        if not self.counters.failed:
            return NoFramesError(f"none of the video's {count} packets gave a frame to show")
        return DecodeError(
            f"none of the video's {count} packets could be decoded: they are damaged, or the "
            f"picture is larger than the {self._limits.max_pixels} of max_pixels in limits"
        )

    def _clock(self) -> Clock:
        return Clock(self._opened.stream, trust_pts=self._table.has_pts)


def _no_such_frame(frame_id: int, count: int | None) -> ParameterError:
    return ParameterError(
        f"the video has no frame {frame_id}; frame ids go from 0"
        + (f" to {count - 1}" if count is not None else "")
    )


def _damaged(frame_id: int) -> DecodeError:
    return DecodeError(f"frame {frame_id} is damaged and cannot be decoded")
