"""Which parts of a video with unreliable timestamps are decoded in sequence, on tables by hand."""

from __future__ import annotations

from array import array
from fractions import Fraction
from itertools import accumulate, chain

import pytest

from spark_keyframes.video.packet_table import RANDOM_ACCESS, RESET, SHOWN, PacketTable, Stretch
from spark_keyframes.video.problems import Extent, Problems
from spark_keyframes.video.stretches import find_stretches, join_short

CORRUPT = "a packet is corrupt"
BACK = "timestamps go backwards"


def table_of(*gops: list[int], head: int = 0, resets: bool = True) -> PacketTable:
    """GOPs, each the timestamps of its packets in decode order, after `head` other packets."""
    starts = [*accumulate((len(gop) for gop in gops[:-1]), initial=head)]
    pts = [*range(-head, 0), *chain.from_iterable(gops)]
    start = RANDOM_ACCESS | SHOWN | (RESET if resets else 0)
    flags = bytearray(start if i in starts else SHOWN for i in range(len(pts)))
    return PacketTable(Fraction(1, 25), array("q", pts), flags, gop_starts=starts)


def found(
    table: PacketTable, *places: tuple[int, Extent, str], depth: int | None = None
) -> list[tuple[int, int, list[int], str]]:
    stretches = find_stretches(table, Problems(places=list(places)), depth)
    return [(s.start, s.stop, list(s.frames), s.reason) for s in stretches]


CLOSED = table_of([0, 2, 1], [3, 4, 5], [6, 7, 8])
OPEN = table_of([0, 1, 2], [5, 3, 4, 6], [9, 7, 8, 10], resets=False)


def test_only_the_gop_of_a_damaged_packet_is_doubtful() -> None:
    assert found(CLOSED, (4, "here", CORRUPT)) == [
        (0, 3, [0, 2, 1], ""),
        (3, 6, [], CORRUPT),
        (6, 9, [6, 7, 8], ""),
    ]


def test_leading_frames_belong_to_the_stretch_before() -> None:
    assert found(OPEN, (9, "here", CORRUPT)) == [(0, 3, [0, 1, 2, 4, 5], ""), (3, 11, [], CORRUPT)]
    assert found(OPEN, (1, "here", CORRUPT)) == [
        (0, 3, [], CORRUPT),
        (3, 7, [3, 6, 8, 9], ""),
        (7, 11, [7, 10], ""),
    ]


def test_damage_where_a_gop_begins_puts_the_one_before_in_doubt() -> None:
    assert found(CLOSED, (3, "here", CORRUPT)) == [(0, 6, [], CORRUPT), (6, 9, [6, 7, 8], "")]


def test_recordings_that_are_joined_where_the_decoder_is_reset_are_sound() -> None:
    joined = table_of([0, 1, 2], [3, 4, 5], [0, 1, 2], [3, 4, 5])
    place: tuple[int, Extent, str] = (6, "join", BACK)
    assert [reason for *_, reason in found(joined, place)] == ["", "", "", ""]


def test_recordings_that_are_joined_elsewhere_are_doubtful_there() -> None:
    joined = table_of([0, 1, 2], [3, 4, 5], [0, 1, 2], [3, 4, 5], resets=False)
    reasons = [reason for *_, reason in found(joined)]
    assert reasons == ["", BACK, ""]


def test_repeated_packets_inside_of_a_gop() -> None:
    repeated = table_of([0, 1, 2], [3, 4, 5, 3, 4, 5], [6, 7, 8])
    assert [s[2:] for s in found(repeated, (6, "join", "decoding timestamps go backwards"))] == [
        ([0, 1, 2], ""),
        ([], "a timestamp is repeated; decoding timestamps go backwards"),
        ([9, 10, 11], ""),
    ]


def test_what_applies_to_all_later_packets() -> None:
    palette: tuple[int, Extent, str] = (4, "on", "a packet holds a palette")
    assert [s[2:] for s in found(CLOSED, palette)] == [
        ([0, 2, 1], ""),
        ([], "a packet holds a palette"),
    ]
    assert found(CLOSED, (0, "on", "a packet holds a palette")) == []


def test_packets_before_the_first_keyframe() -> None:
    cut = table_of([0, 1, 2], [3, 4, 5], head=2)
    reason = "the video does not begin with a keyframe"
    assert [s[1:] for s in found(cut)] == [(2, [], reason), (5, [2, 3, 4], ""), (8, [5, 6, 7], "")]


def test_leading_frames_of_the_first_keyframe() -> None:
    cut = table_of([2, 0, 1], [3, 4, 5])
    assert [s[1:] for s in found(cut)] == [
        (3, [], "the first keyframe has leading frames"),
        (6, [3, 4, 5], ""),
    ]


def test_leading_frames_that_refer_to_a_doubtful_stretch() -> None:
    """The second GOP has only a keyframe, so leading frames of the third may refer to the first."""
    short = table_of([0, 1, 2], [3], [6, 4, 5, 7], [8, 9])
    assert [s[2:] for s in found(short, (1, "here", CORRUPT))] == [
        ([], CORRUPT),
        ([4, 7], ""),
        ([8, 9], ""),
    ]


@pytest.mark.parametrize(("depth", "is_sound"), [(None, True), (2, True), (1, True), (0, False)])
def test_frames_that_the_decoder_would_lose(depth: int | None, is_sound: bool) -> None:
    one = table_of([0, 2, 1], [3, 4, 5], [0, 1, 2])
    assert (found(one, depth=depth)[0][3] == "") == is_sound


def test_too_many_places_are_a_problem_of_the_whole_stream() -> None:
    problems = Problems()
    for index in range(1001):
        problems.add(index, CORRUPT)
    assert problems.of_stream == {CORRUPT}
    assert len(problems.places) == 1000


def test_a_short_sound_part_between_doubtful_ones_is_decoded_in_sequence_too() -> None:
    def stretches(*lengths: tuple[int, str]) -> list[Stretch]:
        found, start = [], 0
        for length, reason in lengths:
            frames = () if reason else range(start, start + length)
            found.append(Stretch(start, start + length, frames, reason))
            start += length
        return found

    odd = stretches((9, ""), (3, "a"), (4, ""), (5, ""), (3, "a; b"), (10, ""), (3, "c"), (9, ""))
    assert [(s.stop - s.start, s.reason) for s in join_short(odd, 10)] == [
        *((9, ""), (15, "a; b"), (10, ""), (3, "c"), (9, "")),
    ]
    assert join_short(odd, 9) == odd
    assert join_short([], 9) == []
