"""Checks that hang, crash or break become lines; the others go on."""

import time
from dataclasses import replace

import pytest

from spark_keyframes.doctor.options import Options
from spark_keyframes.doctor.registry import BY_MODULE, ENTRIES, entries
from spark_keyframes.doctor.supervisor import supervised
from tests.spark.cluster import wait_for
from tests.spark.processes import all_processes

PYTHON = BY_MODULE["python"]


def run(*checks):
    return [(each.name, each.level, each.found) for each in supervised(checks, Options())]


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """Replace a package by a module with these lines."""
    monkeypatch.syspath_prepend(str(tmp_path))
    return lambda name, text: (tmp_path / f"{name}.py").write_text(text)


def test_a_check_that_hangs_is_ended_with_all_that_it_started(program, monkeypatch):
    program("java", "exec sleep 98765")
    monkeypatch.delenv("JAVA_HOME", raising=False)
    begin = time.monotonic()
    java, python = run(replace(BY_MODULE["java"], seconds=1.0), PYTHON)
    assert time.monotonic() - begin < 20
    assert java == ("Java", "bad", "could not be checked: no answer in 1 s")
    assert python[:2] == ("Python", "good")
    sleeping = lambda: [p for p in all_processes().values() if "98765" in p.command]  # noqa: E731
    wait_for(lambda: not sleeping(), 10, "the java is not ended")


def test_a_package_that_crashes_python_is_named(fake):
    fake("av", "import os, sys; print('libav is damaged', file=sys.stderr); os.abort()")
    codecs, python = run(BY_MODULE["codecs"], PYTHON)
    assert codecs[:2] == ("codecs", "bad")
    assert "the process was killed by SIGABRT" in codecs[2]
    assert "libav is damaged" in codecs[2]
    assert python[:2] == ("Python", "good")


def test_a_package_that_cannot_be_imported_is_named(fake):
    fake("av", "raise ImportError('libavcodec.so.61: cannot open shared object file')")
    codecs, python = run(BY_MODULE["codecs"], PYTHON)
    assert codecs == (
        "codecs",
        "bad",
        "could not be checked: ImportError: libavcodec.so.61: cannot open shared object file",
    )
    assert python[:2] == ("Python", "good")


def test_what_a_package_prints_is_no_answer(fake):
    fake("av", "print('[]')\nimport os\nos.write(1, b'[]')\nraise ImportError('no av')")
    assert run(BY_MODULE["codecs"])[0][1] == "bad"


def test_without_a_python_to_start_each_line_says_so(monkeypatch):
    monkeypatch.setattr("sys.executable", "/opt/none/python")
    found = run(PYTHON, BY_MODULE["cpu"])
    assert [each[:2] for each in found] == [("Python", "bad"), ("CPU", "bad")]
    assert "no process of '/opt/none/python' could be started: No such file" in found[0][2]


def test_each_check_has_a_file_and_one_entry():
    from spark_keyframes.doctor import checks

    files = {path.stem for path in checks.__path__ and _folder(checks).glob("[a-z]*.py")}
    assert files == {entry.module for entry in ENTRIES}
    assert len(ENTRIES) == len(BY_MODULE)


def _folder(package):
    from pathlib import Path

    return Path(package.__file__).parent


def test_options_cross_to_the_process_whole():
    options = Options(
        model_path="", write="tos://b/c", only=("cpu",), in_task=True, assigned_gpus=("0", "1")
    )
    assert Options.from_json(options.to_json()) == options
    assert [entry.module for entry in entries(options)] == ["cpu"]
    assert "java" not in {entry.module for entry in entries(Options(in_task=True))}
