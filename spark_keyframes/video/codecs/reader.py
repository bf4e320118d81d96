"""Chooses what reads the packets of a stream, by its codec."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

from spark_keyframes.video.codecs.av1 import Av1
from spark_keyframes.video.codecs.bitstream import INSPECTED, inspect, length_size_of
from spark_keyframes.video.codecs.facts import PacketFacts
from spark_keyframes.video.codecs.vp9 import vp9_facts

SKIPS_UNREAD = {"libdav1d", "vp9"}
"""Codecs whose packets tell which others they use, so that the rest need not be decoded."""

_KEYED_BY_CONTAINER = {"mpeg2video"}


class Reader(Protocol):
    """Reads the packets of a stream."""

    def __call__(self, data: memoryview, *, is_keyframe: bool) -> PacketFacts:
        """Return the properties of the next packet in decode order.

        Args:
            data: of the packet.
            is_keyframe: whether the container or FFmpeg's parser says so.
        """


def reader_of(codec: str, extradata: bytes | None) -> Reader:
    """Return the reader for FFmpeg's decoder `codec`."""
    if codec == "libdav1d":
        return Av1(extradata).facts
    if codec == "vp9":
        return vp9_facts
    if codec in INSPECTED:
        return _by_inspection(codec, length_size_of(codec, extradata))
    return lambda data, *, is_keyframe: PacketFacts(is_random_access=is_keyframe)


def _by_inspection(codec: str, length_size: int) -> Reader:
    def read(data: memoryview, *, is_keyframe: bool) -> PacketFacts:
        if codec == "h264" and not is_keyframe:
            return PacketFacts()
        facts = inspect(codec, data, length_size)
        is_keyed = codec in _KEYED_BY_CONTAINER
        return replace(facts, is_random_access=is_keyframe) if is_keyed else facts

    return read
