"""Decodes a video with PyAV: only the needed GOPs, or everything if timestamps are unreliable."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import islice
from typing import BinaryIO

import av

from spark_keyframes.errors import DecodeError, NoFramesError, ParameterError
from spark_keyframes.limits import Limits
from spark_keyframes.redaction import redact_text
from spark_keyframes.video.by_stretch import StretchDecoder
from spark_keyframes.video.card import Card, CardError
from spark_keyframes.video.counters import Counters
from spark_keyframes.video.frame import Frame
from spark_keyframes.video.gops import RunFailedError, plan_runs
from spark_keyframes.video.interface import Closeable, FrameTime
from spark_keyframes.video.packet_source import PacketSource
from spark_keyframes.video.replacement import LostFrameError, nothing_decoded
from spark_keyframes.video.run_decoder import RunDecoder
from spark_keyframes.video.sequential import (
    MonotonicTimes,
    candidates_in_sequence,
    check_frame_ids,
    decode_all,
    frames_in_sequence,
)
from spark_keyframes.video.stream_choice import check_video_stream
from spark_keyframes.video.thread_slots import ThreadSlots
from spark_keyframes.video.timeline import Timeline, exact_fps
from spark_keyframes.video.view import View
from spark_keyframes.video.window import Window

logger = logging.getLogger("spark_keyframes")


class AvVideo(Closeable):
    """A video decoded with PyAV in this process. Opening it reads its timestamps only.

    Args:
        file: seekable binary file, read from its start; must stay open until the video is closed.
        format_hint: container to try if the content does not tell, e.g. "mp4".
        threads: GOPs to decode at the same time, each in a thread of its own that reads the file.
            Frames and their order do not depend on it. Each thread holds up to 64 MB of packets
            and frames, besides its codec. Close the iterator to stop the threads early.
        slots: limit on the threads of all videos together; the first thread ignores it.
        limits: bounds on the size and length of the video.
        video_stream: number of the video stream, from 0; None: FFmpeg's own choice, or another one
            if that holds no packet.
        window: the part of the video whose candidates will be asked for.
        card: the GPU that decodes; None: the CPU does.

    Raises:
        CardError: the card does not decode this video. Asking for frames may raise it too.
        ParameterError: threads is less than 1, or video_stream is not a valid number.
        NotAVideoError: the file is no video in a supported format.
        NoVideoStreamError: the container holds no video stream, or none of this number.
        NoFramesError: the video stream is empty.
        EncryptedVideoError: the video stream is encrypted.
        DecodeError: the codec is unknown.
        LimitError: the video exceeds one of the limits.
        WindowError: the video ends before the window begins.
    """

    def __init__(
        self,
        file: BinaryIO,
        *,
        format_hint: str | None = None,
        threads: int = 1,
        slots: ThreadSlots | None = None,
        limits: Limits = Limits(),
        video_stream: int | None = None,
        window: Window = Window(),
        card: Card | None = None,
    ) -> None:
        if threads < 1:
            raise ParameterError(f"threads must be at least 1, got {threads}; use e.g. 2")
        check_video_stream(video_stream)
        self._limits = limits
        self._window = window
        self._duration: float | None = None
        self._view: View | None = None
        """How frames are shown; None until the first frame is decoded."""
        self._iterators = 0
        """Iterators begun so far; only the latest may be used."""
        self._source = PacketSource(
            file,
            format_hint=format_hint,
            limits=limits,
            video_stream=video_stream,
            window=window,
            card=card,
        )
        self._table = self._source.table
        self._runs = RunDecoder(self._source, Counters(self._table.timeline), threads, slots)
        self._stretches: StretchDecoder | None = None
        """None if the video has none, or if they cannot be decoded one by one."""
        self._check_table()

    @property
    def sequential_reason(self) -> str:
        """Why the video is decoded in sequence; empty if single GOPs can be decoded."""
        return self._table.sequential_reason

    @property
    def stream_choice(self) -> str:
        """Which video stream is decoded, and of which; empty if there was no choice."""
        return self._source.stream_choice

    @property
    def timeline(self) -> Timeline | None:
        """Timestamps of all frames; None if only decoding can tell."""
        return self._table.timeline

    @property
    def duration(self) -> float | None:
        """Implement `Video.duration`. Without a timeline, or in a window, only the end tells."""
        if self.timeline is None or self._table.reach == "window":
            return self._duration
        return self.timeline.duration

    @property
    def counters(self) -> Counters:
        """Packets and frames decoded so far."""
        return self._runs.counters

    @property
    def frames_decoded(self) -> int:
        """Implement `Video.frames_decoded`."""
        return self.counters.frames

    @property
    def frames_skipped(self) -> int:
        """Implement `Video.frames_skipped`."""
        return self.counters.skipped

    @property
    def frames_doubtful(self) -> int:
        """Implement `Video.frames_doubtful`."""
        return self.counters.doubtful

    def candidate_count(self, fps: float) -> int | None:
        """Return the number of candidates in the window, or more; None if only decoding tells."""
        exact_fps(fps)
        if self.timeline is None:
            return None
        return len(self.timeline.within(self.timeline.candidate_ids(fps), self._window))

    def candidates(self, fps: float) -> Iterator[Frame]:
        """Implement `Video.candidates`. A damaged frame is replaced by the one before it.

        Raises:
            ParameterError: fps is not greater than 0.
            NoFramesError: the video has no frame.
            DecodeError: no frame can be decoded.
            WindowError: the video ends before the window begins.
        """
        exact_fps(fps)
        return self._exclusive(self._candidates(fps))

    def candidate_times(self, fps: float) -> Iterator[FrameTime]:
        """Implement `Video.candidate_times`."""
        timeline, table = self.timeline, self._table
        if timeline is None:
            frames = self.candidates(fps)
            return (FrameTime(f.frame_id, f.timestamp, f.is_keyframe_packet) for f in frames)
        ids = timeline.within(timeline.candidate_ids(fps), self._window)
        return (FrameTime(i, timeline.seconds(i), table.is_keyframe(i)) for i in ids)

    def gop_times(self, fps: float) -> Iterator[FrameTime]:
        """Implement `Video.gop_times`."""
        if self.timeline is None:
            return iter(())
        ids = [frame.frame_id for frame in self.candidate_times(fps)]
        return self._table.gop_times(ids)

    def frames(self, frame_ids: Sequence[int], *, alone: bool = False) -> Iterator[Frame]:
        """Yield the frames with these ids, sorted, none twice.

        Raises:
            ParameterError: the video has no frame with this id.
            DecodeError: a frame is damaged; `alone`: or open GOPs need those before them.
        """
        wanted = sorted({int(frame_id) for frame_id in frame_ids})
        count = len(self.timeline) if self.timeline is not None else None
        check_frame_ids(wanted, count)
        return self._exclusive(self._candidates(ids=wanted, alone=alone))

    def close(self) -> None:
        """Stop decoding and free the decoder; the file stays open, and frames stay usable."""
        self._begin_iterator()
        self._source.close()

    def _begin_iterator(self) -> int:
        self._iterators += 1
        self._runs.close()
        return self._iterators

    def _exclusive(self, frames: Iterator[Frame]) -> Iterator[Frame]:
        number = self._begin_iterator()
        for frame in frames:
            if self._view is not None:
                frame.view = self._view
            if self.timeline is not None:
                frame.is_keyframe_packet = self._table.is_keyframe(frame.frame_id)
            yield frame
            if number != self._iterators:
                raise RuntimeError("the video was closed, or another iterator was begun")

    def _look_at_first(self, picture: av.VideoFrame) -> None:
        if self._view is None:
            self._view = View.of(picture, self._source.crop)

    def _candidates(
        self, fps: float = 1.0, ids: Sequence[int] | None = None, *, alone: bool = False
    ) -> Iterator[Frame]:
        """Yield the candidates in the window, or exactly the frames with these ids."""
        done = -1
        while True:
            if self.timeline is not None:
                frames = self._decode_needed_gops(self.timeline, fps, ids, alone=alone)
            elif self._stretches is not None:
                frames = self._decode_stretches(self._stretches, fps, ids)
            elif ids is None:
                frames = self._candidates_in_sequence(fps)
            else:
                frames = frames_in_sequence(self._times(), self._decode_all(), ids)
            try:
                for frame in frames:
                    if frame.frame_id > done:
                        yield frame
                        done = frame.frame_id
                return
            except RunFailedError as error:
                logger.info("the whole video is read: %s", redact_text(str(error)))
                self._source.read_everything()
                self._table = self._source.table
                self._runs.counters = replace(
                    self.counters, timeline=self.timeline, was_returned=bytearray()
                )
                self._check_table()

    def _check_table(self) -> None:
        if self.duration is not None:
            self._window.check_start(self.duration)
        if self.timeline is None and self._source.card is not None:
            raise CardError(self.sequential_reason)
        if self._table.sequential_reason:
            logger.debug("decoding in sequence: %s", self._table.sequential_reason)
        self._stretches = None
        if self._table.stretches and next(self._source.codecs(), None) is not None:
            self.counters.expect(self._table)
            look, source = self._look_at_first, self._source
            self._stretches = StretchDecoder(source, self._runs, self._times, look)

    def _decode_needed_gops(
        self, timeline: Timeline, fps: float, ids: Sequence[int] | None, *, alone: bool
    ) -> Iterator[Frame]:
        frame_ids = timeline.candidate_ids(fps) if ids is None else ids
        window, exactly = self._window if ids is None else Window(), ids is not None
        wanted = timeline.within(frame_ids, window)
        if self._view is None and wanted and wanted[0] > 0:
            is_partial = self._table.reach == "times"
            self._decode_first(plan_runs(self._table, [0])[0].stop if is_partial else None)
            if self._view is None and self._table.reach == "times":
                raise RunFailedError("the first frame cannot be decoded")
        is_empty = True
        behind = [frame_id for frame_id in frame_ids if wanted and frame_id > wanted[-1]][:1]
        runs = self._runs.frames(wanted, exactly=exactly, alone=alone, behind=behind)
        try:
            with closing(runs) as found:
                for each in found:
                    self._look_at_first(each.picture)
                    frame = Frame(each.number, timeline.seconds(each.number), each.picture)
                    if window.start <= frame.timestamp < window.end:
                        yield frame
                        is_empty = False
        except LostFrameError as error:
            raise DecodeError(f"frame {error.number} is damaged and cannot be decoded") from error
        if wanted and is_empty:
            yield from self._first_undamaged(timeline, frame_ids[-1])

    def _first_undamaged(self, timeline: Timeline, last_id: int) -> Iterator[Frame]:
        """Yield the first frame that is not damaged if it is behind all candidates."""
        with closing(self._runs.numbered(0)) as found:
            frame_id, picture = next(found, (-1, None))
        if picture is None:
            raise self._nothing_decoded()
        self._look_at_first(picture)
        frame = Frame(frame_id, timeline.seconds(frame_id), picture)
        if frame_id > last_id and self._window.start <= frame.timestamp < self._window.end:
            yield frame

    def _decode_stretches(
        self, stretches: StretchDecoder, fps: float, ids: Sequence[int] | None
    ) -> Iterator[Frame]:
        if self._view is None and (self._window.start > 0 or (ids and ids[0] > 0)):
            self._decode_first(None)
        if ids is not None:
            yield from stretches.frames(ids)
            return
        is_empty = True
        for frame in stretches.candidates(fps, self._window):
            yield frame
            is_empty = False
        if stretches.duration is not None:
            self._duration = stretches.duration
            self._window.check_start(self._duration)
        if is_empty and self._window.is_whole:
            raise self._nothing_decoded()

    def _decode_first(self, packets: int | None) -> None:
        """Decode the first frame, from so many packets at most, and look at it."""
        codec, source = self._source.begin(strict=False)
        for picture in islice(decode_all(codec, islice(source, packets), Counters()), 1):
            self._look_at_first(picture)

    def _decode_all(self) -> Iterator[av.VideoFrame]:
        codec, packets = self._source.begin(strict=False)
        for picture in decode_all(codec, packets, self.counters):
            self._look_at_first(picture)
            yield picture

    def _candidates_in_sequence(self, fps: float) -> Iterator[Frame]:
        times = self._times()
        yield from candidates_in_sequence(times, self._decode_all(), fps, self._window)
        if not times.has_begun:
            raise self._nothing_decoded()
        if times.duration is not None:
            self._duration = times.duration
            self._window.check_start(times.duration)

    def _nothing_decoded(self) -> NoFramesError | DecodeError:
        count, most = len(self._table), self._limits.max_pixels
        return nothing_decoded(count, most, is_damaged=self.counters.failed > 0)

    def _times(self) -> MonotonicTimes:
        return MonotonicTimes(self._source.stream, self._table.decoding_times)


open_video = AvVideo
"""Opens a video, and reads its timestamps."""
