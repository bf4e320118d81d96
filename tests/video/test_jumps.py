"""A jump in the timestamps stays a gap, and does not count towards the limits."""

from __future__ import annotations

import io
import math
import time
from fractions import Fraction
from pathlib import Path

import pytest

from spark_keyframes.errors import LimitError
from spark_keyframes.limits import Limits
from spark_keyframes.video import make_decoder
from spark_keyframes.video.av_video import AvVideo
from spark_keyframes.video.process.answers import Fields, count_of
from spark_keyframes.video.timeline import Timeline

from .clips import H264, clip
from .reference import decode_plainly, digest
from .stored_times import jumping

CASES = Path(__file__).parents[3] / "shared" / "cases"
EPOCH = 1_700_000_000
B_FRAMES = {"bf": "2"}


def clip_that_jumps(
    codec: str, container: str, options: dict[str, str], jumps: dict[int, int]
) -> bytes:
    """Return a clip whose time jumps forward at these frames, by so many seconds."""
    in_frames = {first: 25 * seconds for first, seconds in jumps.items()}
    return clip(
        codec,
        container,
        options=options,
        packet_filter=lambda packets: jumping(packets, in_frames),
    )


@pytest.mark.parametrize(
    ("codec", "container", "options"),
    [
        ("libx264", "matroska", H264),
        pytest.param("libx264", "nut", H264, marks=pytest.mark.slow),
        pytest.param("libvpx", "webm", {}, marks=pytest.mark.slow),
        ("mpeg4", "matroska", B_FRAMES),
        pytest.param("mpeg4", "nut", B_FRAMES, marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize(
    "jumps", [{50: 100_000}, {1: EPOCH}, {1: EPOCH, 89: EPOCH}], ids=["middle", "first", "both"]
)
def test_a_jump_stays_a_gap(
    codec: str, container: str, options: dict[str, str], jumps: dict[int, int]
) -> None:
    data = clip_that_jumps(codec, container, options, jumps)
    assert_a_gap(data, sum(jumps.values()))


@pytest.mark.parametrize(("codec", "options"), [("libx264", H264), ("mpeg4", B_FRAMES)])
def test_a_jump_in_an_mp4(codec: str, options: dict[str, str]) -> None:
    data = clip_that_jumps(codec, "mp4", options, {1: 100_000})
    assert_a_gap(data, 100_000)


@pytest.mark.parametrize("decoder", ["thread", "process"])
def test_a_jump_in_a_decoder_of_the_engine(decoder: str) -> None:
    data = clip_that_jumps("libx264", "matroska", H264, {25: EPOCH})
    with (
        make_decoder(decoder, 1) as videos,  # type: ignore[arg-type]
        videos.open(io.BytesIO(data)) as video,
    ):
        count = video.candidate_count(1.0)
        seen = [(each.frame_id, each.timestamp) for each in video.candidates(1.0, hold=False)]
    assert seen == [(0, 0), (24, 0.96), (25, EPOCH + 1), (50, EPOCH + 2), (75, EPOCH + 3)]
    assert count == len(seen)


@pytest.mark.shared
@pytest.mark.skipif(not (CASES / "jump.mp4").exists(), reason="no ../shared/cases")
def test_jump_mp4() -> None:
    data = (CASES / "jump.mp4").read_bytes()
    assert_a_gap(data, 100_000)
    with AvVideo(io.BytesIO(data)) as video:
        times = [frame.timestamp for frame in video.candidates(1.0)]
    assert times == pytest.approx([0, *range(100_001, 100_010)])


def assert_a_gap(data: bytes, jump: int) -> None:
    """Compare candidates at several rates with those of a decode in sequence."""
    right = decode_plainly(data)
    assert right.times[-1] > jump
    for fps in (1.0, 1000.0):
        began = time.process_time()
        with AvVideo(io.BytesIO(data)) as video:
            frames = list(video.candidates(fps))
        assert time.process_time() - began < 10
        assert [frame.frame_id for frame in frames] == right.candidates(Fraction(fps))
        for frame in frames:
            assert frame.timestamp == pytest.approx(float(right.times[frame.frame_id]), abs=1e-3)
            assert digest(frame._picture) == right.digests[frame.frame_id], frame


@pytest.mark.parametrize("wrap", [10, 70], ids=["soon", "after two minutes"])
def test_the_33_bits_of_mpeg_ts_wrap(wrap: int) -> None:
    """FFmpeg continues the count."""
    pts = [2**33 + (number - wrap) * 2 * 90_000 for number in range(90)]
    data = clip("libx264", "mpegts", options=H264, pts=pts, time_base=Fraction(1, 90_000))
    with AvVideo(io.BytesIO(data)) as video:
        frames = list(video.candidates(0.1))
    assert [frame.frame_id for frame in frames] == list(range(0, 90, 5))
    assert [frame.timestamp for frame in frames] == list(range(0, 180, 10))


@pytest.mark.parametrize("codec", ["libx264", "ffv1"])
@pytest.mark.parametrize("jumps", [{}, {50: 100_000}], ids=["", "jump"])
def test_the_rest_of_the_video_counts(codec: str, jumps: dict[int, int]) -> None:
    """3.6 s of frames; where single GOPs are decoded, a jump counts as a minute."""
    data = clip_that_jumps(codec, "matroska", H264 if codec == "libx264" else {}, jumps)
    counted = 3.6 + (60 if jumps and codec == "libx264" else 0)
    AvVideo(io.BytesIO(data), limits=Limits(max_video_seconds=counted + 0.1)).close()
    with pytest.raises(LimitError, match="max_video_seconds of limits is") as caught:
        AvVideo(io.BytesIO(data), limits=Limits(max_video_seconds=counted - 0.1))
    assert ("each jump in its timestamps counts as at most 60 s" in str(caught.value)) == bool(
        jumps
    )


MOST = 2**63 - 1


@pytest.mark.parametrize(
    ("pts", "end", "time_base", "seconds"),
    [
        ([0], 5, Fraction(1), 5),
        ([0], MOST, Fraction(1, 1000), 60),
        ([0, 60, 120], 180, Fraction(1), 180),
        ([0, 61, 121], 181, Fraction(1), 180),
        ([-MOST, MOST], MOST + 4, Fraction(1, 2), 62),
        ([-MOST, 0, MOST], 2 * MOST, Fraction(1), 180),
        ([-MOST, 0, MOST], MOST, Fraction(1, 10**18), 4 * MOST / 2e18),
        ([0, 1, 2], 3, Fraction(31), 93),
        ([0, 2, 4], 5, Fraction(31), 151),
        ([0, 1, 2], 3, Fraction(1000), 180),
        ([0, 3], 10**9, Fraction(1, 10**30), 1e-21),
    ],
)
def test_a_frame_counts_for_at_most_a_minute(
    pts: list[int], end: int, time_base: Fraction, seconds: float
) -> None:
    assert Timeline(pts, time_base, end).sound_seconds == pytest.approx(seconds)


def test_a_gap_of_the_largest_size_takes_no_time() -> None:
    timeline = Timeline([-MOST, 0, MOST], Fraction(1, 1000), MOST + 40)
    began = time.process_time()
    assert timeline.candidate_ids(1e9) == [0, 1, 2]
    assert timeline.candidate_ids(1.0) == [0, 1]
    assert time.process_time() - began < 5


@pytest.mark.parametrize("fps", [0.001, 1 / 60, 1.0, 25.0])
def test_as_many_candidates_are_expected_as_there_may_be(fps: float) -> None:
    """Long stays and short ones by turns, which give the most candidates in the least time."""
    pts = [number // 2 * 100_000 + number % 2 * 40 for number in range(2000)]
    timeline = Timeline(pts, Fraction(1, 1000), pts[-1] + 40)
    count = len(timeline.candidate_ids(fps))
    parse = count_of(Limits(max_video_seconds=timeline.sound_seconds), fps)
    assert parse(Fields({"count": count})).count == count
    longest = Limits(max_video_seconds=math.inf, max_frames=2000)
    assert count_of(longest, fps)(Fields({"count": 2000})).count == 2000
