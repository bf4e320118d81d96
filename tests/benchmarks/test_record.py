"""A benchmark that was interrupted goes on, and one of changed code begins anew."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks import measure as measuring
from benchmarks.__main__ import main, run
from benchmarks.measure import take_turns
from benchmarks.parts import PARTS, Part
from benchmarks.printed import Program, Wanted
from benchmarks.process import Cost, Side, SideError, without_paths
from benchmarks.record import Record, Setup, record_of, records
from benchmarks.scope import OutOfTimeError, Scope
from benchmarks.section import Goal, Section, at_least

SETUP = Setup("code", "abc123", "a machine", "Linux", "av 1", "daft 1")
JOBS = {"short": {"video": "s.mp4"}, "long": {"video": "l.mp4"}}
SIDES = [Side(name, name, model=Path("model")) for name in ("one", "two")]


class FakeProcess:
    """Stands for a side's process; the real ones are run by `python -m benchmarks --quick`."""

    jobs: list[tuple[str, str]]
    broken: set[str]

    def __init__(self, side, **_):
        self.side = side

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def close(self):
        pass

    def work(self, *, video, **_):
        if self.side.name in self.broken:
            raise SideError("it fell over")
        self.jobs.append((self.side.name, video))
        return Cost(2.0, 2.0, 500.0, 900.0, 0.0, {"frame_ids": [1], "scores": [0.5]})


@pytest.fixture
def jobs(monkeypatch, tmp_path):
    FakeProcess.jobs, FakeProcess.broken = [], set()
    monkeypatch.setattr(measuring, "Process", FakeProcess)
    return FakeProcess.jobs


def scope_of(tmp_path, setup=SETUP, **more):
    return Scope(record_of("work", setup, tmp_path), rounds=2, cache=tmp_path, **more)


def turns(scope, sides=SIDES):
    rows = take_turns(sides, JOBS, scope, cores={0}, warm_up={"video": "w.mp4"})
    return {(row.side, row.video): len(row.costs) for row in rows}


ALL = {(side, title): 2 for side in ("one", "two") for title in JOBS}


def test_the_sides_take_turns_each_after_a_warm_up(tmp_path, jobs):
    assert turns(scope_of(tmp_path)) == ALL
    measured = [job for job in jobs if job[1] != "w.mp4"]
    assert measured == [(side, v) for v in ("s.mp4", "l.mp4") for side in ("one", "two")] * 2
    assert jobs[::2] == [(side, "w.mp4") for side, _ in measured]


def test_a_measurement_goes_on_where_it_stopped(tmp_path, jobs, monkeypatch):
    checks = iter([None] * 5)

    def check(self):
        if next(checks, "over") == "over":
            raise OutOfTimeError

    with monkeypatch.context() as patch:
        patch.setattr(Scope, "check_time", check)
        with pytest.raises(OutOfTimeError):
            turns(scope_of(tmp_path))
    before = len(jobs)
    assert turns(scope_of(tmp_path)) == ALL
    assert len(jobs) - before == 2 * 3
    assert turns(scope_of(tmp_path)) == ALL
    assert len(jobs) - before == 2 * 3, "nothing was left to measure"


@pytest.mark.parametrize("changed", [{"code": "other"}, {"machine": "another"}, {"packages": "x"}])
def test_other_code_or_another_machine_begins_anew(tmp_path, jobs, changed):
    turns(scope_of(tmp_path))
    assert record_of("work", replace(SETUP, **changed), tmp_path).rows == []
    again = record_of("work", replace(SETUP, commit="a commit of pages only"), tmp_path)
    assert len(again.rows) == 4
    assert again.setup.commit == "a commit of pages only"


def test_a_side_that_changed_is_measured_anew(tmp_path, jobs):
    turns(scope_of(tmp_path))
    before = len(jobs)
    turns(scope_of(tmp_path), [SIDES[0], Side("two", "two", options=("--faster",))])
    assert {job[0] for job in jobs[before:]} == {"two"}


def test_a_broken_side_is_left_out_and_tried_again_later(tmp_path, jobs):
    FakeProcess.broken = {"one"}
    scope = scope_of(tmp_path)
    part = Part(
        "",
        1,
        lambda scope: take_turns(SIDES, JOBS, scope, cores={0}, warm_up={"video": "w.mp4"}),
    )
    assert run(part, scope, 2)
    kept = records(["work", "wall"], tmp_path)["work"]
    assert {row.side: row.problem for row in kept.rows} == {"one": "it fell over", "two": ""}
    assert [len(row.costs) for row in kept.rows] == [0, 2, 0, 2]
    assert not kept.complete
    FakeProcess.broken = set()
    scope = scope_of(tmp_path)
    assert run(part, scope, 2)
    assert scope.record.complete == 2
    assert not any(row.problem for row in scope.record.rows)


def test_a_part_that_raises_does_not_end_the_run(tmp_path, capsys):
    scope = scope_of(tmp_path)
    assert run(Part("", 1, Program("no_such", "title")), scope, 2)
    problem = records(["work"], tmp_path)["work"].problem
    assert problem.startswith("RuntimeError: `python -m benchmarks.no_such` failed: ")
    assert problem.endswith("No module named benchmarks.no_such")


def test_a_program_is_shown_with_the_goals_that_it_prints():
    printed = "of 3 films\nratio 1.40\nratio 1.20\n"
    goals = [
        Wanted("a", r"ratio ([\d.]+)", 1.3).goal(printed),
        Wanted("b", r"gain ([\d.]+)", 0.9, at_least).goal(printed),
    ]
    assert goals == [
        Goal("a", "≤ 1.30", "1.20", "reached"),
        Goal("b", "≥ 0.90", note="the figure was not printed"),
    ]


def test_reasons_name_no_folders():
    told = without_paths(
        "OSError: cannot load /home/a/.venv/lib/b.so, see https://x.org/y/z or a/b"
    )
    assert told == "OSError: cannot load b.so, see https://x.org/y/z or a/b"


def test_no_measurement_begins_after_the_deadline(tmp_path, jobs):
    assert not run(Part("", 1, turns), scope_of(tmp_path, deadline=0), 2)
    assert not jobs


def test_a_record_is_read_as_it_was_written(tmp_path, jobs):
    scope = scope_of(tmp_path)
    turns(scope)
    section = Section("A title", "text", (Goal("goal", "≤ 1"),))
    scope.record.section = section
    scope.record.save()
    kept = Record.read(scope.record.path)
    assert kept.section == section
    assert kept.rows[0].costs[0].result == {"frame_ids": [1]}
    assert kept.rows[0].definition == SIDES[0].definition


def test_the_command_lists_the_parts_with_their_minutes(tmp_path, capsys, monkeypatch):
    measured, report = tmp_path / "measured", tmp_path / "R.md"
    done = Record("work", Setup.of_today(), measured / "work.json", complete=3, seconds=600)
    done.save()
    paths = ["--measured", str(measured), "--output", str(report), "--cache", str(tmp_path)]
    monkeypatch.setattr("sys.argv", ["benchmarks", "--list", "--parts", "work", "wall", *paths])
    main()
    lines = [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines()]
    assert lines[1:] == [
        ["work", "10", "measured already"],
        ["wall", "10", PARTS["wall"].about],
        ["about", "10", "minutes, on a machine with two quiet cores"],
    ]
    assert not report.exists()
