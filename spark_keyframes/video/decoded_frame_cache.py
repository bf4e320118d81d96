"""A read-through cache of a video's decoded frames."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from spark_keyframes.video.av_video import AvVideo
from spark_keyframes.video.frame import Frame
from spark_keyframes.video.interface import Closeable, FrameTime
from spark_keyframes.video.thread_slots import ThreadSlots


class DecodedFrameCache(Closeable):
    """Keeps candidates at full size, as the codec returned them, until they are released.

    The engine's `FrameCache` decides which candidates to keep; this class stores their pixels.
    """

    def __init__(self, video: AvVideo, slots: ThreadSlots) -> None:
        self.video = video
        self.decoded_again = 0
        self._slots = slots
        self._frames: dict[int, Frame] = {}

    def candidate_times(self, fps: float) -> Iterator[FrameTime]:
        """Implement `Video.candidate_times`."""
        with self._slots.first_thread():
            yield from self.video.candidate_times(fps)

    def candidates(self, fps: float, *, hold: bool, skip: int = 0) -> Iterator[Frame]:
        """Implement `Video.candidates`, without the first `skip`, which are not held either."""
        with self._slots.first_thread():
            for number, frame in enumerate(self.video.candidates(fps)):
                if number < skip:
                    continue
                if hold:
                    self._frames[frame.frame_id] = frame
                yield frame

    def candidates_by_id(self, frame_ids: Sequence[int], *, hold: bool) -> Iterator[Frame]:
        """Implement `Video.candidates_by_id`."""
        with self._slots.first_thread():
            for frame in self.video.frames(frame_ids, alone=True):
                if hold:
                    self._frames[frame.frame_id] = frame
                yield frame

    def release(self, frame_ids: Iterable[int]) -> None:
        """Implement `Video.release`."""
        for frame_id in frame_ids:
            self._frames.pop(frame_id, None)

    def frames_by_id(self, frame_ids: Sequence[int]) -> Iterator[Frame]:
        """Implement `Video.frames_by_id`."""
        held = {frame_id: self._frames.get(frame_id) for frame_id in frame_ids}
        missing = [frame_id for frame_id, frame in held.items() if frame is None]
        self.decoded_again += len(missing)
        again = self.video.frames(missing) if missing else iter(())
        for frame in held.values():
            yield frame or next(again)

    def close(self) -> None:
        """Implement `Video.close`."""
        self._frames.clear()
        self.video.close()
