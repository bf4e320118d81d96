"""Checks the report: medians, ratios, goals, and reasons for missing figures."""

import pytest

from benchmarks.process import Cost
from benchmarks.report import earlier_reports as earlier
from benchmarks.report import write_report
from benchmarks.rows import (
    ALL_CORES,
    FLOOR,
    INDEX_ARRAY,
    INDEX_TEN,
    ON_SPARK,
    ONE_CORE,
    OURSELVES,
    READING,
    SEARCHING,
    THREE_TEXTS,
    TRANSFORMS,
    Group,
    Row,
)
from benchmarks.startup import DAEMON, PLAIN, Start


def cost(cpu, wall=None, peak=500.0, **result):
    found = {"frame_ids": [1, 2], "scored": 2} | result
    wall = cpu if wall is None else wall
    return Cost(cpu, wall, peak, peak + 480, others=0.0, result=found)


@pytest.fixture
def report(tmp_path):
    def write(*groups, starts=None):
        write_report(tmp_path / "R.md", list(groups), starts or {}, "python -m benchmarks")
        text = (tmp_path / "R.md").read_text(encoding="utf-8")
        cells = [[c.strip() for c in line.split("|")[1:-1]] for line in text.splitlines()]
        return text, {row[0]: row[1:] for row in cells if row}

    return write


def test_a_ratio_compares_medians_with_our_own(report):
    naive = "plain Spark pandas UDF, float32"
    group = Group(
        "work",
        [
            Row(OURSELVES, "v", [cost(2.0), cost(1.0), cost(9.0)]),
            Row(FLOOR, "v", [cost(1.9)]),
            Row(naive, "v", [cost(7.0)]),
            Row("plain Spark pandas UDF, bfloat16", "v", problem="no Java"),
            Row("published AKS recipe, float32", "v", problem="no wheel"),
        ],
    )
    text, rows = report(group)
    assert rows[OURSELVES][2:4] == ["2.00", "1.00"]
    assert rows[naive][2:4] == ["7.00", "3.50"]
    assert rows["CPU time to the floor, v"] == ["≤ 1.10", "1.05", "reached"]
    assert rows["CPU time of the plain Spark UDF, float32"][1:] == [
        "3.50",
        "reached; the floor itself: 3.68",
    ]
    assert rows["CPU time of the AKS recipe"][1:] == ["–", "not measured"]
    assert "peak MB" in text
    assert "500 (980)" in rows[OURSELVES][6]


@pytest.mark.parametrize(("wall", "verdict"), [(104.0, "reached"), (106.0, "not reached")])
def test_the_overhead_of_spark_has_a_verdict(report, wall, verdict):
    rows = [
        Row(OURSELVES, "200 clips", [cost(190, 100)]),
        Row(ON_SPARK, "200 clips", [cost(195, wall)]),
    ]
    _, lines = report(Group("short", rows))
    assert lines["Spark around the engine, many short videos"][-1] == verdict


def test_scaling_and_memory_are_those_of_the_long_video(report):
    rows = [
        Row(ONE_CORE, "1080p 2 min", [cost(9, 9)]),
        Row(ONE_CORE, "1080p 120 min", [cost(570, 570)]),
        Row(ALL_CORES, "1080p 2 min", [cost(9, 5, peak=1000.0)]),
        Row(ALL_CORES, "1080p 120 min", [cost(580, 300, peak=1200.0)]),
    ]
    _, lines = report(Group("hours", rows))
    scaling = next(
        line for name, line in lines.items() if "120 minutes, " in name and "cores" in name
    )
    assert scaling == ["≥ 1.85", "1.90", "reached"]
    memory = lines["peak memory, 120 minutes to 2 minutes at 1080p"]
    assert memory[1:] == ["1.20, 1200 MB", "not reached; 1680 MB with pages of files"]


def test_a_failed_side_is_named_with_its_reason_and_not_counted(report):
    rows = [Row(OURSELVES, "v", [cost(1.0)]), Row("decord get_batch", "v", problem="no wheel")]
    text, lines = report(Group("decoding", rows))
    assert "Left out: decord get_batch: no wheel" in text
    assert lines["decoding: decord get_batch"][1:] == ["–", "not measured"]


def test_goals_without_a_measurement_say_so(report):
    _, lines = report(Group("decoding", [Row(OURSELVES, "v", [cost(1.0)])]))
    assert lines["first result in a new worker with the daemon"][-1] == "not measured here"
    start = Start(4.0, 0.9, 0.1, 0.0, 0.4, 0.3, 0.1, 0.7, 800.0, 300.0)
    _, lines = report(starts={PLAIN: start, DAEMON: start})
    assert lines["first result in a new worker with the daemon"][1:] == ["0.90 s", "reached"]


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
    _, lines = report(Group("texts", rows))
    found = lines["CPU time of three texts to one, v"]
    assert found[1] == f"{cpu:.2f}"
    assert found[2].startswith(f"{verdict}; {decoded} frames decoded for three, 120 for one")


def test_the_questions_to_an_index_are_compared_with_transforms(report):
    rows = [
        Row(TRANSFORMS, "v", [cost(1000.0)]),
        Row(INDEX_TEN, "v", [cost(10.5)]),
        Row(INDEX_ARRAY, "v", [cost(2.0)]),
    ]
    _, lines = report(Group("questions", rows))
    name = "CPU time of ten questions, {}, to ten transforms, v"
    assert lines[name.format(INDEX_TEN)][1:] == ["1.05%", "not reached"]
    assert lines[name.format(INDEX_ARRAY)][1:] == ["0.20%", "reached"]


def test_a_search_is_compared_with_reading_and_has_little_memory(report):
    rows = [
        Row(READING, "many", [cost(5.0, 4.0)]),
        Row(SEARCHING, "many", [cost(8.0, 7.0, worker_mb=800), cost(8.0, 7.0, worker_mb=1100)]),
    ]
    _, lines = report(Group("search", rows))
    found = lines["wall clock of a search to reading alone, many"]
    assert found[1:] == ["1.75", "reached; of CPU time 1.60"]
    assert lines["memory of a Python worker that searches"][1:] == ["1100 MB", "not reached"]


def test_a_report_may_be_added_to_those_of_other_commands(tmp_path):
    target = tmp_path / "R.md"
    for command, kept in (("one", []), ("two", earlier), ("two", earlier)):
        write_report(target, [], {}, command, kept(target) if kept else [])
    assert [report.count("Written by") for report in earlier(target)] == [1, 1]
    assert "`one`" in earlier(target)[0]
    assert "`two`" in earlier(target)[1]
