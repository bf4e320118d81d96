"""AV1 and VP9: packets that no wanted frame uses are not decoded, and no frame differs."""

from __future__ import annotations

import io
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import av
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spark_keyframes.video.av_video import AvVideo
from spark_keyframes.video.codecs.facts import ALWAYS, EVERYTHING, PacketFacts, needed_of, state_of
from spark_keyframes.video.codecs.reader import Reader, reader_of

from .clips import clip_named
from .comparison import assert_any_frames

SAVING = ["av1 mp4", "av1 mkv, one keyframe", "av1 webm, low delay", "vp9 resilient layers"]
OTHERS = ["av1 ivf, film grain", "vp9 layers", "vp9 webm"]


def facts_of(data: bytes) -> list[PacketFacts]:
    with av.open(io.BytesIO(data)) as container:
        stream = container.streams.video[0]
        read = reader_of(stream.codec_context)
        packets = [packet for packet in container.demux(stream) if packet.size]
        return [read(memoryview(packet), is_keyframe=packet.is_keyframe) for packet in packets]


@pytest.mark.parametrize("name", [*SAVING, *OTHERS])
@settings(max_examples=25, deadline=None)
@given(ids=st.sets(st.integers(0, 89), min_size=1, max_size=8))
def test_any_set_of_frames_equals_a_full_decode(name: str, ids: set[int]) -> None:
    assert_any_frames(name, ids)


@pytest.mark.parametrize("name", SAVING)
def test_most_packets_are_not_decoded(name: str) -> None:
    with AvVideo(io.BytesIO(clip_named(name))) as video:
        last = 89 if "one" in name else 29
        assert [frame.frame_id for frame in video.frames([last])] == [last]
        assert video.counters.decoded < (last + 1) * 0.6


def test_vp9_is_decoded_as_a_whole_where_frames_use_the_one_before() -> None:
    """Half of the packets replace no reference frame, but leave motion vectors and the like."""
    facts = facts_of(clip_named("vp9 layers"))
    assert sum(not each.writes & 255 for each in facts) == 45
    with AvVideo(io.BytesIO(clip_named("vp9 layers"))) as video:
        list(video.frames([29]))
        assert video.counters.decoded == 30


@pytest.mark.parametrize("name", [*SAVING, *OTHERS])
def test_every_packet_is_understood(name: str) -> None:
    facts = facts_of(clip_named(name))
    assert all(each.is_shown and not each.problem for each in facts)
    unknown = [i for i, each in enumerate(facts) if each.writes & ALWAYS]
    starts = [i for i, each in enumerate(facts) if each.is_random_access]
    assert unknown == (starts if name.startswith("av1") else [])
    assert all(each.reads for i, each in enumerate(facts) if i not in starts)


def reader(name: str, extradata: bytes | None = None) -> Reader:
    """Return a reader as for a stream of frames of 96×64."""
    codec: Any = SimpleNamespace(
        name=name, extradata=extradata, codec_tag="FMP4", width=96, height=64
    )
    return reader_of(codec)


CODECS = {
    "libdav1d": "av1 mp4",
    "vp9": "vp9 webm",
    "mpeg4": "mpeg4 avi",
    "flv": "flv1",
    "msmpeg4v2": "msmpeg4v2 avi",
    "wmv1": "wmv1",
    "wmv2": "wmv2",
}
"""By the decoder: a clip."""


@pytest.mark.parametrize("codec", CODECS)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_damaged_packets_raise_nothing(codec: str, data: st.DataObject) -> None:
    with av.open(io.BytesIO(clip_named(CODECS[codec]))) as container:
        stream = container.streams.video[0]
        extradata = stream.codec_context.extradata
        packets = [bytes(packet) for packet in container.demux(stream) if packet.size]
    headers = st.sampled_from([extradata, None, b"", b"\x81", b"\x81\0\0\0\x0a", b"\0\0\1\x20"])
    changes = st.dictionaries(st.integers(0, 60), st.integers(0, 255))
    header = data.draw(headers)
    read = reader(codec, header and damaged(header, data.draw(changes)))
    for _ in range(3):
        packet = data.draw(st.sampled_from(packets) | st.binary(min_size=1))
        facts = read(memoryview(damaged(packet, data.draw(changes))), is_keyframe=False)
        assert 0 <= state_of(facts) < 1 << 32


def damaged(data: bytes, changes: dict[int, int]) -> bytes:
    """Return the data with other bytes at some places."""
    copy = bytearray(data)
    for at, value in changes.items():
        copy[at % len(copy)] = value
    return bytes(copy)


def test_what_cannot_be_read_is_decoded() -> None:
    for codec in ("libdav1d", "vp9"):
        facts = reader(codec)(memoryview(b"\xff\xff"), is_keyframe=True)
        assert facts == PacketFacts(is_random_access=True)
    for codec in ("mpeg4", "flv", "msmpeg4v2", "wmv1", "wmv2"):
        assert reader(codec)(memoryview(b"\xff\xff"), is_keyframe=True).problem
    unknown = state_of(PacketFacts())
    assert needed_of([unknown, unknown, unknown], {2}) == [True, True, True]


def test_several_shown_frames_in_a_packet_are_a_problem() -> None:
    with av.open(io.BytesIO(clip_named("vp9 webm"))) as container:
        first, second = (bytes(packet) for packet in list(container.demux(video=0))[5:7])
    marker = bytes([0b110_01_001])
    sizes = len(first).to_bytes(2, "little") + len(second).to_bytes(2, "little")
    superframe = first + second + marker + sizes + marker
    facts = reader("vp9")(memoryview(superframe), is_keyframe=False)
    assert facts.problem == "a packet holds several frames"


packets = st.tuples(st.integers(0, EVERYTHING), st.integers(0, 0xFFFF))


@settings(max_examples=300, deadline=None)
@given(states=st.lists(packets, min_size=1, max_size=12), wanted=st.sets(st.integers(0, 11)))
def test_wanted_packets_find_all_that_they_use_unchanged(
    states: list[tuple[int, int]], wanted: set[int]
) -> None:
    """A decoder whose memory holds, for each bit, which packet wrote it and what that had read."""
    wanted = {index for index in wanted if index < len(states)}
    needed = needed_of([writes << 16 | reads for reads, writes in states], wanted)
    every = _seen(states, [True] * len(states))
    some = _seen(states, needed)
    for index, (_, writes) in enumerate(states):
        if index in wanted:
            assert needed[index]
            assert some[index] == every[index]
        assert needed[index] or not writes & ALWAYS


def _seen(states: Sequence[tuple[int, int]], given: Sequence[bool]) -> dict[int, int]:
    """Return, for each packet that is given, a hash of all that it depends on."""
    memory = [0] * 15
    seen = {}
    for index, (reads, writes) in enumerate(states):
        if given[index]:
            used = tuple(memory[bit] for bit in range(15) if reads >> bit & 1)
            seen[index] = hash((index, used))
            for bit in range(15):
                if writes >> bit & 1:
                    memory[bit] = seen[index]
    return seen
