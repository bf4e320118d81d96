"""Chooses what reads the packets of a stream, by its codec."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from av.video.codeccontext import VideoCodecContext

from spark_keyframes.video.codecs.av1 import Av1
from spark_keyframes.video.codecs.bitstream import vp8_facts
from spark_keyframes.video.codecs.facts import PacketFacts
from spark_keyframes.video.codecs.h263 import SorensonH263, Wmv2, microsoft_facts
from spark_keyframes.video.codecs.h264 import H264
from spark_keyframes.video.codecs.hevc import Hevc
from spark_keyframes.video.codecs.mpeg4 import Mpeg4
from spark_keyframes.video.codecs.mpeg12 import Mpeg12
from spark_keyframes.video.codecs.vp9 import vp9_facts

SKIPS_UNREAD = {"libdav1d", "vp9", "mpeg4", "flv", "msmpeg4v2", "wmv1", "wmv2"}
"""Codecs whose packets tell which others they use, so that the rest need not be decoded."""


class Reader(Protocol):
    """Reads the packets of a stream."""

    def __call__(self, data: memoryview, *, is_keyframe: bool) -> PacketFacts:
        """Return the properties of the next packet in decode order.

        Args:
            data: of the packet.
            is_keyframe: whether the container or FFmpeg's parser says so.
        """


def reader_of(codec: VideoCodecContext) -> Reader:
    """Return the reader for a stream; `codec` has the parameters of the container."""
    name, extradata = codec.name, codec.extradata
    readers: dict[str, Callable[[], Reader]] = {
        "h264": lambda: H264(extradata).facts,
        "hevc": lambda: Hevc(extradata).facts,
        "libdav1d": lambda: Av1(extradata).facts,
        "vp8": lambda: vp8_facts,
        "vp9": lambda: vp9_facts,
        "mpeg1video": lambda: Mpeg12(extradata, has_fields=False).facts,
        "mpeg2video": lambda: Mpeg12(extradata, has_fields=True).facts,
        "mpeg4": lambda: Mpeg4(extradata, codec.codec_tag).facts,
        "flv": lambda: SorensonH263().facts,
        "msmpeg4v2": lambda: microsoft_facts,
        "wmv1": lambda: microsoft_facts,
        "wmv2": lambda: Wmv2(extradata, codec.width, codec.height).facts,
    }
    return readers.get(name, lambda: _by_container)()


def _by_container(data: memoryview, *, is_keyframe: bool) -> PacketFacts:
    del data
    return PacketFacts(is_random_access=is_keyframe)
