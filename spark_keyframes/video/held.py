"""The candidates of a video, held until they are forgotten."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from spark_keyframes.video.av_video import AvVideo
from spark_keyframes.video.closing import Closing
from spark_keyframes.video.frame import Frame
from spark_keyframes.video.thread_slots import Slots


class HeldFrames(Closing):
    """The frames of a video, some of which are held."""

    def __init__(self, video: AvVideo, slots: Slots) -> None:
        self.video = video
        self.decoded_again = 0
        self._slots = slots
        self._held: dict[int, Frame] = {}

    def candidates(self, fps: float, *, hold: bool, skip: int = 0) -> Iterator[Frame]:
        """See `Video.candidates`; the first `skip` are left out, and not held."""
        with self._slots.held():
            for number, frame in enumerate(self.video.candidates(fps)):
                if number < skip:
                    continue
                if hold:
                    self._held[frame.frame_id] = frame
                yield frame

    def forget(self, frame_ids: Iterable[int]) -> None:
        """See `Video.forget`."""
        for frame_id in frame_ids:
            self._held.pop(frame_id, None)

    def frames(self, frame_ids: Sequence[int]) -> Iterator[Frame]:
        """See `Video.pictures`."""
        held = {frame_id: self._held.get(frame_id) for frame_id in frame_ids}
        missing = [frame_id for frame_id, frame in held.items() if frame is None]
        self.decoded_again += len(missing)
        again = self.video.frames(missing) if missing else iter(())
        for frame in held.values():
            yield frame or next(again)

    def close(self) -> None:
        """Free all; the file stays open."""
        self._held.clear()
        self.video.close()
