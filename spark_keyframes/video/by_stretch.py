"""Decodes a video with unreliable timestamps stretch by stretch, see `find_stretches`.

Frames have the ids and times that a decode in sequence gives them: in a sound stretch by counting
packets, in a doubtful one by counting decoded frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from fractions import Fraction

import av

from spark_keyframes.errors import DecodeError
from spark_keyframes.video.frame import Frame
from spark_keyframes.video.packet_source import PacketSource
from spark_keyframes.video.replacement import LostFrameError
from spark_keyframes.video.run_decoder import RunDecoder
from spark_keyframes.video.sequential import MonotonicTimes, no_such_frame
from spark_keyframes.video.stretch_walk import Item, StretchWalk, parts_of
from spark_keyframes.video.timeline import candidate_step, is_candidate
from spark_keyframes.video.window import Window


class StretchDecoder:
    """Decodes the frames of a video with stretches.

    Args:
        source: the packets, whose table has stretches.
        runs: decodes frames of the sound ones.
        new_times: begins to count the times of all frames.
        look: called with each frame before it is yielded.
    """

    def __init__(
        self,
        source: PacketSource,
        runs: RunDecoder,
        new_times: Callable[[], MonotonicTimes],
        look: Callable[[av.VideoFrame], None],
    ) -> None:
        self._source = source
        self._runs = runs
        self._new_times = new_times
        self._look = look
        self._parts = parts_of(source.table.stretches)
        self.duration: float | None = None
        """Seconds up to the end of the last frame; None until that was reached."""

    def candidates(self, fps: float, window: Window) -> Iterator[Frame]:
        """Yield the candidates of a window; decode no frame behind the one at its end."""
        done = -1
        for frame in self._candidates(fps, window):
            if frame.frame_id > done and frame.timestamp >= window.start:
                done = frame.frame_id
                yield frame

    def _candidates(self, fps: float, window: Window) -> Iterator[Frame]:
        """Yield the candidates, and for a damaged one the frame before it, maybe once more."""
        walk = self._begin()
        step = candidate_step(fps, walk.times.time_base)
        batch: list[Item] = []
        """Candidates that are not decoded yet."""
        last: Item | None = None
        """The last frame so far: only the next one tells whether it is a candidate."""
        gap: Fraction | None = None

        def is_wanted(item: Item, end: Fraction) -> bool:
            is_inside = walk.times.seconds(item.time) >= window.start
            return is_inside and is_candidate(item.time, end, step)

        for at, part in walk.parts():
            if part.reason:
                # The decoder cannot do both at the same time, so the last one is decoded anyway.
                yield from walk.decode(batch, last, at, window)
                batch = []
            with closing(walk.items(at)) as items:
                for item in items:
                    if last is not None:
                        gap = item.time - last.time
                        if is_wanted(last, item.time):
                            if last.is_decoded:
                                yield from last.frames
                            else:
                                batch.append(last)
                    last = item
                    if walk.times.seconds(item.time) >= window.end:
                        yield from walk.decode(batch, None, at, window)
                        return
        yield from walk.decode(batch, last, len(self._parts), window)
        if last is not None:
            end = walk.times.end_after(last.picture, gap)
            self.duration = walk.times.seconds(end)
            if is_wanted(last, end):
                yield from last.frames

    def frames(self, frame_ids: Sequence[int]) -> Iterator[Frame]:
        """Yield the frames with these ids, which increase; decode none behind the last of them.

        Raises:
            ParameterError: the video has no frame with this id.
            DecodeError: a frame is damaged.
        """
        if not frame_ids:
            return
        walk = self._begin()
        wanted = set(frame_ids)
        batch: list[Item] = []
        for at, part in walk.parts():
            is_needed = walk.may_hold(part, wanted)
            if part.reason and is_needed:
                yield from self._exactly(walk, batch, at)
                batch = []
            with closing(walk.items(at, is_needed=is_needed)) as items:
                for item in items:
                    if item.frame_id in wanted:
                        if item.is_decoded:
                            yield from item.frames
                        else:
                            batch.append(item)
                        if item.frame_id == frame_ids[-1]:
                            yield from self._exactly(walk, batch, at)
                            return
        yield from self._exactly(walk, batch, len(self._parts))
        raise no_such_frame(frame_ids[-1], walk.next_id)

    def _exactly(self, walk: StretchWalk, batch: list[Item], at: int) -> Iterator[Frame]:
        try:
            yield from walk.decode(batch, None, at, exactly=True)
        except LostFrameError as error:
            frame_id = next(item.frame_id for item in batch if item.number == error.number)
            raise DecodeError(f"frame {frame_id} is damaged and cannot be decoded") from error

    def _begin(self) -> StretchWalk:
        return StretchWalk(self._source, self._runs, self._new_times, self._parts, self._look)
