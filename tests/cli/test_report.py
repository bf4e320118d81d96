"""The subcommand `report`."""

import subprocess

import pytest

from spark_keyframes.cli.app import main
from tests.environments import environment_without
from tests.report.result_tables import ENCODED, failed, jpeg, video, write


def test_it_writes_a_page_and_says_what_is_in_it(tmp_path, capsys):
    images = {"keyframes_images": [jpeg(10), jpeg(40)]}
    rows = [video("a.mp4", **images), video("b.mp4"), failed("x.mp4")]
    table, page = write(tmp_path / "t", rows, ENCODED), tmp_path / "new" / "page.html"
    assert main(["report", str(table), "--output", str(page)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [
        "videos     3, 1 failed",
        "gallery    3 videos, 2 images, 2 without an image",
    ]
    assert lines[2].startswith(f"report     {page} (0.0")
    assert page.read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{}", "--max-videos", "0"], "--max-videos must be at least 1, got 0"),
        (["{}", "--thumbnail-height", "5"], "--thumbnail-height must be at least 16, got 5"),
        (["{}", "--start-col", "x"], "--start-col 'x' is no column of"),
        (["{}", "--output", "{}"], "--output '{}' is a folder; give a file"),
        ([], "required: TABLE"),
    ],
)
def test_wrong_options_are_a_line(tmp_path, capsys, arguments, message):
    table = str(write(tmp_path / "t", [video("a.mp4")]))
    assert main(["report", *(each.format(table) for each in arguments)]) == 2
    error = capsys.readouterr().err
    assert message.format(table) in error
    assert error.count("\n") == 1


def test_what_is_not_there_is_a_line(tmp_path, capsys):
    assert main(["report", str(tmp_path / "none")]) == 1
    assert "no table" in capsys.readouterr().err


def test_it_reads_parquet_where_there_is_no_pyspark(tmp_path):
    python = environment_without(tmp_path / "environment", "pyspark", "py4j")
    table = write(tmp_path / "t", [video("a.mp4")])
    command = [python, "-m", "spark_keyframes", "report", str(table)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "report.html").exists()
    (table / "part-00000.parquet").rename(table / "part-00000.orc")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "is of the format orc: to read it, the report needs pyspark" in done.stderr
    assert done.stderr.count("\n") == 1
