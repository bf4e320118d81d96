"""A decode process whose card is a stand-in: it decodes on the CPU, and fails as it is told.

The first argument is JSON: how it fails, and at which picture.
"""

from __future__ import annotations

import json
import os
import sys
import time

import av
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import VideoReformatter

from spark_keyframes.errors import AcceleratorError
from spark_keyframes.video.card import CardError, as_planar
from spark_keyframes.video.process import serve

_INTERLEAVED = {"yuv420p": "nv12", "yuvj420p": "nv12", "yuv420p10le": "p010le"}


class StandIn:
    """Returns pictures as NVDEC does, but for where they are."""

    how = ""
    at = 0
    videos = 0

    def __init__(self, number: int) -> None:
        self._pictures = 0
        self._reformatter = VideoReformatter()
        if self.how == "no card":
            raise AcceleratorError(f"GPU {number} does not decode videos: no card")
        if self.how == "hang at the start":
            time.sleep(3600)

    def hwaccel(self) -> None:
        return None

    def check(self, codec: VideoCodecContext) -> None:
        if self.how == "no codec":
            raise CardError(f"it does not decode {codec.name}")

    def in_memory(self, picture: av.VideoFrame, codec: VideoCodecContext) -> av.VideoFrame:
        assert (picture.width, picture.height) == (codec.width, codec.height)
        if self._pictures == self.at and self.how == "refuse":
            raise CardError("it does not decode this picture")
        if self._pictures == self.at and self.how == "exit":
            os._exit(3)
        if self._pictures == self.at and self.how == "hang":
            time.sleep(3600)
        self._pictures += 1
        interleaved = _INTERLEAVED.get(picture.format.name, picture.format.name)
        return as_planar(picture.reformat(format=interleaved), self._reformatter)


def main() -> None:
    """Run the decode process with the stand-in."""
    StandIn.how, StandIn.at = json.loads(sys.argv.pop(1))
    serve.Card = StandIn  # type: ignore[misc,assignment]
    serve.main()


if __name__ == "__main__":
    main()
