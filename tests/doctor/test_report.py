"""The report as text, as JSON, and as an exit code."""

import io
import json

import pytest

from spark_keyframes.doctor import Diagnosis, Section, check
from spark_keyframes.doctor.command import run
from spark_keyframes.doctor.finding import Finding, bad, good, note
from spark_keyframes.doctor.options import Options
from spark_keyframes.doctor.text import Writer, can_write, writer_for

LONG = "a text that is longer than a line of this report, so that it goes on in the line below it"


def report(*findings):
    return Diagnosis([Section("this machine (node-1)", list(findings))])


def test_lines_are_aligned():
    writer = Writer(width=70)
    lines = [good("CPU", "8"), note("temporary files", LONG, LONG), bad("Java", "no", "x")]
    assert "\n".join(map(writer.lines, lines)).splitlines() == [
        "good  CPU              8",
        "note  temporary files  a text that is longer than a line of this",
        "                       report, so that it goes on in the line below it",
        "                       → a text that is longer than a line of this",
        "                         report, so that it goes on in the line below",
        "                         it",
        "bad   Java             no",
        "                       → x",
    ]


def test_the_report_of_a_program_is_text_of_100_columns():
    found = report(good("CPU", "8"), note("temporary files", LONG, LONG))
    text = str(found)
    assert text.startswith("\nThis machine (node-1)\ngood  CPU              8\nnote  temp")
    assert text.endswith("\n\n1 good, 1 note, 0 bad")
    assert 90 < max(map(len, text.splitlines())) <= 100
    assert repr(found) == text


def test_colour_is_for_terminals_only(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    assert "\x1b[1;31mbad\x1b[0m" in writer_for(Terminal()).lines(bad("Java", "no", "x"))
    assert "\x1b" not in writer_for(io.StringIO()).lines(bad("Java", "no", "x"))
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in writer_for(Terminal()).lines(bad("Java", "no", "x"))


def test_a_narrow_terminal_has_short_lines():
    lines = Writer(width=10).lines(note("Java", LONG, LONG)).splitlines()
    assert max(map(len, lines)) <= 60


def test_a_terminal_without_arrows_gets_others():
    ascii_only = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    assert can_write("→ “x” 勺", ascii_only) == '-> "x" ?'
    assert can_write("→", io.TextIOWrapper(io.BytesIO(), encoding="utf-8")) == "→"


def test_only_what_is_bad_makes_the_exit_code():
    assert report(good("a", "b"), note("a", "b")).exit_code == 0
    assert report(good("a", "b"), bad("a", "b", "c")).exit_code == 1


def test_json_has_all_lines_by_place():
    found = json.loads(report(note("CPU", "“8”", "more")).to_json())
    assert found == {
        "good": True,
        "places": [
            {
                "place": "this machine (node-1)",
                "findings": [
                    {"name": "CPU", "level": "note", "found": "“8”", "advice": "more"},
                ],
            }
        ],
    }


def test_a_level_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="level must be one of good, note, bad, got 'fine'"):
        Finding("a", "fine", "b")


def test_the_command_prints_lines_and_returns_the_code(capsys, monkeypatch, tmp_path):
    options = Options(only=("python", "java"))
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    monkeypatch.delenv("SPARK_REMOTE", raising=False)
    assert run(options) == 1
    out = capsys.readouterr().out
    assert out.startswith("\nThis machine (")
    assert "\ngood  Python           3." in out
    assert "\nbad   Java             " in out
    assert out.endswith("1 good, 0 notes, 1 bad\n")
    assert run(options, as_json=True) == 1
    assert json.loads(capsys.readouterr().out)["good"] is False


@pytest.mark.slow
def test_the_whole_machine_in_a_program(models):
    diagnosis = check(model_path=str(models), clip_model_name="small")
    assert diagnosis.is_good, str(diagnosis)
    assert len(diagnosis.sections) == 1
    names = [each.name for each in diagnosis]
    assert names[0] == "Python"
    assert {"Java", "Spark", "memory", "codecs", "demo's model", "model", "TOS", "S3"} <= {*names}


def test_what_executors_have_in_common_with_the_driver_is_one_line():
    here = [good("CPU", "8"), good("Java", "17"), note("TOS", "none")]
    there = [good("CPU", "8"), good("Java", "21"), note("TOS", "none"), bad("GPU", "no", "x")]
    text = str(Diagnosis([Section("this machine", here), Section("executors on b", there)]))
    assert text.partition("Executors on b\n")[2].splitlines() == [
        "good  Java             21",
        "note  TOS              none",
        "bad   GPU              no",
        "                       → x",
        "good  as above         CPU",
        "",
        "4 good, 2 notes, 1 bad",
    ]


def test_the_name_of_the_home_folder_is_not_shown(monkeypatch):
    monkeypatch.setenv("HOME", "/home/alice")
    assert good("a", "3 in /home/alice/env, /home/alicebob").found == "3 in ~/env, /home/alicebob"
    monkeypatch.setenv("HOME", "/")
    assert good("a", "/home").found == "/home"
