"""Checks the report: medians, ratios, goals, and reasons for missing figures."""

import pytest

from benchmarks.parts import PARTS
from benchmarks.process import Cost
from benchmarks.record import Record, Setup
from benchmarks.report import write_report
from benchmarks.rows import (
    AKS_RECIPE,
    ALL_CORES,
    COARSE,
    COARSE_OF_8,
    COARSE_ON_SPARK,
    DAFT,
    FLOOR,
    INDEX_ARRAY,
    INDEX_TEN,
    NAIVE,
    NAIVE_HALF,
    ON_SPARK,
    ONE_CORE,
    OURSELVES,
    READING,
    SEARCHING,
    THREE_TEXTS,
    TORCHCODEC,
    TRANSFORMS,
    Row,
)
from benchmarks.section import Section, at_least, at_most, table

SETUP = Setup("code", "abc123", "a machine", "Linux", "av 1", "daft 1")


def cost(cpu, wall=None, peak=500.0, **result):
    found = {"frame_ids": [1, 2], "scored": 2} | result
    wall = cpu if wall is None else wall
    return Cost(cpu, wall, peak, peak + 480, others=0.0, result=found, together_mb=peak + 100)


@pytest.fixture
def report(tmp_path):
    def write(part, rows=(), **more):
        record = Record(part, SETUP, tmp_path / f"{part}.json", rows=list(rows), **more)
        record.save()
        write_report(tmp_path / "R.md", {part: record}, PARTS)
        text = (tmp_path / "R.md").read_text(encoding="utf-8")
        cells = [[c.strip() for c in line.split("|")[1:-1]] for line in text.splitlines()]
        return text, {row[0]: row[1:] for row in cells if row}

    return write


def test_a_ratio_compares_what_was_measured_once_with_our_median(report):
    rows = [
        Row(OURSELVES, "v", [cost(2.0), cost(1.0), cost(9.0)]),
        Row(FLOOR, "v", [cost(1.9)]),
        Row(NAIVE, "v", [cost(7.0)]),
        Row(NAIVE_HALF, "v", problem="no Java"),
        Row(AKS_RECIPE, "v", problem="no wheel"),
    ]
    text, lines = report("work", rows)
    assert lines[OURSELVES][2:4] == ["2.00", "1.00"]
    assert lines[NAIVE][2:4] == ["7.00", "3.50"]
    assert lines["CPU time to the floor, v"] == ["≤ 1.10", "1.05", "reached"]
    assert lines["CPU time of the plain Spark UDF, float32"][1:] == [
        "3.50",
        "reached; the floor itself: 3.68",
    ]
    assert lines["CPU time of the AKS recipe"][1:] == ["–", "not measured"]
    assert "peak MB" in text
    assert "500 (980)" in lines[OURSELVES][6]
    assert "at abc123, 3 rounds" in text


def test_a_first_short_round_only_shows_how_often_to_repeat(report):
    rows = [Row(OURSELVES, "v", [cost(0.9), cost(0.5), cost(0.5)]), Row(FLOOR, "v", [cost(0.5)])]
    _, lines = report("work", rows)
    assert lines[OURSELVES][2] == "0.50"
    assert lines[FLOOR][2] == "0.50"


@pytest.mark.parametrize(("wall", "verdict"), [(104.0, "reached"), (106.0, "not reached")])
def test_the_overhead_of_spark_has_a_verdict(report, wall, verdict):
    rows = [
        Row(OURSELVES, "200 clips", [cost(190, 100)]),
        Row(ON_SPARK, "200 clips", [cost(195, wall)]),
    ]
    _, lines = report("short", rows)
    found = lines["Spark around the engine, many short videos"]
    assert found == ["≤ 5.0%", f"{wall - 100:.1f}%", f"{verdict}; of CPU time 2.6%"]


def test_scaling_and_memory_are_those_of_the_long_video(report):
    rows = [
        Row(ONE_CORE, "1080p 2 min", [cost(9, 9)]),
        Row(ONE_CORE, "1080p 120 min", [cost(570, 570)]),
        Row(ALL_CORES, "1080p 2 min", [cost(9, 5, peak=1000.0)]),
        Row(ALL_CORES, "1080p 120 min", [cost(580, 300, peak=1200.0)]),
    ]
    _, lines = report("hours", rows)
    scaling = next(line for name, line in lines.items() if "cores against one" in name)
    assert scaling == ["≥ 1.85", "1.90", "reached"]
    memory = lines["peak memory of 1080p 120 min to 1080p 2 min"]
    assert memory == ["≤ 1.15", "1.20", "not reached"]
    assert lines["… of all processes together"][1] == "1.18"
    megabytes = lines["peak memory of 1080p 120 min, MB"]
    assert megabytes == ["≤ 1500", "1200", "reached; 1680 MB with pages of files"]


def test_a_failed_side_is_named_with_its_reason_and_not_counted(report):
    rows = [Row(OURSELVES, "v", [cost(1.0)]), Row("decord get_batch", "v", problem="no wheel")]
    text, lines = report("decoding", rows)
    assert "Left out: decord get_batch: no wheel" in text
    assert lines["decoding: decord get_batch"][1:] == ["–", "not measured"]


def test_a_part_that_fails_as_a_whole_says_why(report):
    text, _ = report("work", [], problem="OSError: no space")
    assert "Left out: the rest: OSError: no space" in text
    assert "not complete" in text


def test_parts_that_nothing_is_known_of_are_named(report):
    text, _ = report("decoding", [Row(OURSELVES, "v", [cost(1.0)])])
    assert "Not measured yet: wall-long, hours, work, " in text


def test_decoding_has_a_goal_for_all_frames_and_one_for_a_coarse_scan(report):
    rows = [
        Row(side, video, [cost(cpu)])
        for video in "vw"
        for side, cpu in ((OURSELVES, 2.0), (TORCHCODEC, 3.0), (COARSE, 0.5), (COARSE_OF_8, 0.3))
    ]
    _, lines = report("decoding", rows)
    name = f"decoding: {TORCHCODEC}, sum of all videos"
    assert lines[name] == ["≥ 1.60", "1.50", "not reached"]
    assert lines[f"{name}, to a coarse scan of 32 keyframes"][:2] == ["≥ 5.00", "6.00"]
    assert lines["… of 8 keyframes"][:2] == ["≥ 5.00", "10.00"]


def test_ratios_are_those_within_a_round(report):
    """Of medians it would be 2.00: the machine was slow in the second round."""
    rows = [
        Row(OURSELVES, "v", [cost(2.0), cost(8.0), cost(2.0)]),
        Row(TORCHCODEC, "v", [cost(3.0), cost(12.0), cost(4.0)]),
    ]
    text, lines = report("decoding", rows)
    assert lines[f"decoding: {TORCHCODEC}, sum of all videos"][1] == "1.50"
    assert "| v | 2.00 | 4.00 (1.50) |" in text


def test_a_round_of_all_videos_counts_though_short_ones_lack_it(report):
    """The first round of a clip of less than a second only showed how often to repeat it."""
    rows = [
        Row(OURSELVES, "long", [cost(2.0), cost(4.0), cost(2.0)]),
        Row(TORCHCODEC, "long", [cost(2.0), cost(8.0), cost(6.0)]),
        Row(OURSELVES, "clip", [cost(0.9), cost(0.5), cost(0.5)]),
        Row(TORCHCODEC, "clip", [cost(0.9), cost(0.5), cost(0.5)]),
    ]
    _, lines = report("decoding", rows)
    assert lines[f"decoding: {TORCHCODEC}, sum of all videos"][1] == "1.89"  # of 1, 1.89 and 2.6


def test_twenty_minutes_are_compared_with_daft_exhaustive_and_coarse(report):
    rows = [
        Row(side, video, [cost(1.0, wall)])
        for video, scale in (("720p 20 min", 1), ("1080p 20 min", 1.1))
        for side, wall in (
            (OURSELVES, 20.0),
            (ON_SPARK, 25.0),
            (COARSE, 8.0),
            (COARSE_ON_SPARK, 10.0),
            (DAFT, 40.0 * scale),
        )
    ]
    _, lines = report("wall-long", rows)
    name = "wall clock of Daft, {}, 20 min"
    assert lines[name.format("exhaustive")] == ["≥ 1.80", "2.00 – 2.20", "reached"]
    assert lines[name.format("coarse")] == ["≥ 4.00", "5.00 – 5.50", "reached"]


@pytest.mark.parametrize(
    ("cpu", "decoded", "verdict"),
    [(1.09, 120, "reached"), (1.12, 120, "not reached"), (1.0, 240, "not reached")],
)
def test_three_texts_must_cost_little_more_than_one_and_decode_as_much(
    report, cpu, decoded, verdict
):
    rows = [
        Row(OURSELVES, "v", [cost(1.0, decoded=120)]),
        Row(THREE_TEXTS, "v", [cost(cpu, decoded=decoded)]),
    ]
    _, lines = report("texts", rows)
    found = lines["CPU time of three texts to one, v"]
    assert found[1] == f"{cpu:.2f}"
    assert found[2] == f"{verdict}; {decoded} frames decoded for three, 120 for one"


def test_the_questions_to_an_index_are_compared_with_transforms(report):
    rows = [
        Row(TRANSFORMS, "v", [cost(1000.0)]),
        Row(INDEX_TEN, "v", [cost(10.5)]),
        Row(INDEX_ARRAY, "v", [cost(2.0)]),
    ]
    _, lines = report("questions", rows)
    name = "CPU time of ten questions, {}, to ten transforms, v"
    assert lines[name.format(INDEX_TEN)][1:] == ["1.05%", "not reached"]
    assert lines[name.format(INDEX_ARRAY)][1:] == ["0.20%", "reached"]


def test_a_search_is_compared_with_reading_and_has_little_memory(report):
    rows = [
        Row(READING, "many", [cost(5.0, 4.0)]),
        Row(SEARCHING, "many", [cost(8.0, 7.0, worker_mb=800), cost(8.0, 7.0, worker_mb=1100)]),
    ]
    _, lines = report("search", rows)
    found = lines["wall clock of a search to reading alone, many"]
    assert found[1:] == ["1.75", "reached; of CPU time 1.60"]
    assert lines["memory of a Python worker that searches, MB"][1:] == ["1100", "not reached"]


def test_a_part_with_its_own_way_brings_its_text_and_its_goals(report):
    text = "By turns.\n\n" + table(["film", "s"], [["as it is", "9.7"]])
    goals = (at_most("repeated packets", 1.31, 1.3), at_least("speed", 2, 1.5, "of three"))
    found, lines = report("doubt", section=Section("A film", text, goals), complete=3)
    assert "## A film\n\nMeasured on" in found
    assert lines["as it is"] == ["9.7"]
    assert "| film | s |\n|---|---:|\n| as it is | 9.7 |" in found
    assert "|  | goal | measured |  |\n|---|---:|---:|---|\n" in found
    assert lines["repeated packets"] == ["≤ 1.30", "1.31", "not reached"]
    assert lines["speed"] == ["≥ 1.50", "2.00", "reached; of three"]
