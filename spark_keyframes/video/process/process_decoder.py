"""A `Decoder` that decodes each video in a separate process."""

from __future__ import annotations

from typing import BinaryIO

from spark_keyframes.video.interface import Ahead
from spark_keyframes.video.process.process_lender import ProcessLender
from spark_keyframes.video.process.process_video import ProcessVideo
from spark_keyframes.video.window import Window


class ProcessDecoder(ProcessLender):
    """A `Decoder` whose videos, each in a process of its own, share `threads` decode threads.

    A codec that crashes, hangs, or exceeds its time or memory fails only its own video. The
    processes have no credentials, no network access and no model. Each decodes one video after
    another. With a `card`, some of them decode on a GPU.
    """

    def open(
        self,
        file: BinaryIO,
        *,
        format_hint: str | None = None,
        window: Window = Window(),
        ahead: Ahead | None = None,
    ) -> ProcessVideo:
        """Implement `Decoder.open`."""
        return ProcessVideo(self, file, format_hint, window, ahead)
