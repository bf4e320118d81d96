"""Which packets are decoded for which frames, on tables of packets written out by hand."""

from __future__ import annotations

from array import array
from fractions import Fraction
from itertools import accumulate
from types import SimpleNamespace
from typing import Any

import pytest

from spark_keyframes.video.counters import Counters
from spark_keyframes.video.gops import (
    PacketRun,
    RunFailedError,
    decode_run,
    plan_runs,
    with_packets,
)
from spark_keyframes.video.packet_table import PacketTable


def table_of(*gops: list[int]) -> PacketTable:
    """A table of GOPs, each the timestamps of its packets in decode order, the keyframe first."""
    pts = [timestamp for gop in gops for timestamp in gop]
    return PacketTable(
        time_base=Fraction(1, 25),
        pts=array("q", pts),
        flags=bytearray(len(pts)),
        presented=sorted(range(len(pts)), key=pts.__getitem__),
        gop_starts=[0, *accumulate(len(gop) for gop in gops[:-1])],
    )


CLOSED = table_of([0, 1, 2], [3, 4, 5], [6, 7, 8])


@pytest.mark.parametrize(
    ("frame_ids", "runs"),
    [
        ([0], [PacketRun(0, 1, (0,))]),
        ([0, 4, 8], [PacketRun(0, 1, (0,)), PacketRun(3, 5, (4,)), PacketRun(6, 9, (8,))]),
        ([1, 2, 3], [PacketRun(0, 3, (1, 2)), PacketRun(3, 4, (3,))]),
        ([], []),
    ],
)
def test_a_run_goes_from_a_keyframe_to_its_last_wanted_frame(
    frame_ids: list[int], runs: list[PacketRun]
) -> None:
    assert plan_runs(CLOSED, frame_ids) == runs


@pytest.mark.parametrize(
    ("gops", "frame_id", "start", "stop"),
    [
        # A frame after its keyframe needs its own GOP only.
        (([0, 1, 2], [5, 3, 4, 6]), 6, 3, 7),
        # A leading frame needs the GOP before, too.
        (([0, 1, 2], [5, 3, 4, 6]), 3, 0, 5),
        (([0, 1, 2], [3, 4, 5], [8, 6, 7]), 6, 3, 8),
        (([0, 1, 2], [3, 4], [7, 5, 6]), 5, 3, 7),
        # A GOP of a keyframe and leading frames alone is not enough.
        (([0, 1, 2], [5, 3, 4], [8, 6, 7]), 6, 0, 8),
        (([0, 1, 2], [3, 4, 5], [8, 6, 7], [11, 9, 10]), 9, 3, 11),
        (([0], [3, 1, 2]), 1, 0, 3),
    ],
)
def test_a_leading_frame_is_decoded_from_an_earlier_gop(
    gops: tuple[list[int], ...], frame_id: int, start: int, stop: int
) -> None:
    assert plan_runs(table_of(*gops), [frame_id]) == [PacketRun(start, stop, (frame_id,))]


def test_runs_that_share_packets_become_one() -> None:
    """Frame 2 alone starts at packet 0, and so does the leading frame 3."""
    table = table_of([0, 1, 2], [5, 3, 4, 6])
    assert plan_runs(table, [2, 3, 6]) == [PacketRun(0, 7, (2, 3, 6))]


def test_a_run_joins_all_runs_that_it_shares_packets_with() -> None:
    """Frame 6 is decoded from packet 0 on; frames 1 and 5 alone would be two runs after that."""
    table = table_of([0, 1, 2], [5, 3, 4], [8, 6, 7])
    assert plan_runs(table, [1, 5]) == [PacketRun(0, 2, (1,)), PacketRun(3, 4, (5,))]
    assert plan_runs(table, [1, 5, 6]) == [PacketRun(0, 8, (1, 5, 6))]


@pytest.mark.parametrize("kind", [list, iter])
def test_each_run_gets_its_own_packets(kind: Any) -> None:
    runs = [PacketRun(1, 3, ()), PacketRun(5, 6, ()), PacketRun(7, 10, ())]
    packets: Any = kind(list(range(12)))
    taken = [list(own) for _, own in with_packets(runs, packets)]
    assert taken == [[1, 2], [5], [7, 8, 9]]


@pytest.mark.parametrize(
    "picture",
    [
        {"pts": None, "is_corrupt": False},
        {"pts": 1, "is_corrupt": True},
        {"pts": 2, "is_corrupt": False},
    ],
    ids=["no timestamp", "damaged", "later than wanted"],
)
def test_a_picture_that_is_not_the_wanted_one_fails_the_run(picture: dict[str, Any]) -> None:
    """FFmpeg returns such pictures for damaged videos only, so the codec is a stand-in."""
    codec: Any = SimpleNamespace(
        name="vp9",
        flush_buffers=lambda: None,
        decode=lambda packet: [SimpleNamespace(**picture)] if packet is not None else [],
    )
    packets: Any = [SimpleNamespace(is_keyframe=False)] * 2
    run = PacketRun(0, 2, (1,))
    frames = decode_run(codec, packets, run, CLOSED, Counters())
    with pytest.raises(RunFailedError, match="did not return frame 1"):
        list(frames)
