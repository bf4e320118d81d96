"""Runs jobs/sample.py in this process, on a folder of videos."""

import shutil

import pytest

from spark_keyframes.jobs import sample


@pytest.fixture
def folder(clips, tmp_path):
    """Two videos and a file that is no video."""
    folder = tmp_path / "videos"
    folder.mkdir()
    shutil.copy(clips[1], folder / "b.mp4")
    shutil.copy(clips[2], folder / "c.mp4")
    (folder / "broken.mp4").write_bytes(b"no video at all" * 50)
    return folder


@pytest.fixture
def run(spark, models, tmp_path, capsys):
    """Run the job in this process, into tmp_path/table; its exit code and what it printed."""

    def run(source, *arguments):
        given = ["--input", source]
        if "--text" not in arguments:
            given += ["--text", "spoon"]
        if "--output-table" not in arguments:
            given += ["--output", tmp_path / "table"]
        given += ["--model-path", models, "--clip-model-name", "small", "--max-num-frames", "2"]
        given += ["--fps", "2", *arguments]
        options = sample.parse_options([str(value) for value in given])
        capsys.readouterr()
        return sample.run(spark, options), capsys.readouterr().out

    return run
