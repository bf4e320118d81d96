"""jobs/index.py: what it writes, what it adds to, and what it refuses."""

import os
import shutil
import signal
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from spark_keyframes import ParameterError
from spark_keyframes.demo import MODELS
from spark_keyframes.jobs import index, sample
from spark_keyframes.jobs.index import IndexOptions
from tests.jobs.ingesting import PATIENCE, start, until
from tests.jobs.tables import names, rows
from tests.spark.processes import all_processes
from tests.video.clips import clip


@pytest.fixture
def run_index(spark, models, tmp_path, capsys):
    """Run the job in this process, into tmp_path/index; its exit code and what it printed."""

    def run(source, *arguments):
        given = ["--input", source, "--output", tmp_path / "index", "--fps", "2"]
        given += ["--model-path", models, "--clip-model-name", "small", *arguments]
        options = index.parse_options([str(value) for value in given])
        capsys.readouterr()
        return index.run(spark, options), capsys.readouterr().out

    return run


def test_an_index_grows_by_the_videos_that_it_lacks(run_index, folder, clips, tmp_path):
    table = tmp_path / "index"
    status, printed = run_index(folder, "--videos-per-batch", "2")
    assert status == 0
    assert "videos     3: 2 indexed, 1 failed" in printed
    assert "failed     1 at stage demux, e.g. NotAVideoError" in printed
    assert "frames     " in printed
    assert "images" not in printed
    found = {Path(row["video"]).stem: row for row in rows(table)}
    counts = {name: len(row["candidates"] or ()) for name, row in found.items()}
    assert f"candidates {sum(counts.values())}\n" in printed
    assert f"{counts['b']} candidates" in printed
    assert found["b"].keys() == {"video", "candidates", "index_info", "error"}
    assert found["b"]["index_info"]["fps"] == 2.0
    assert found["broken"]["candidates"] is found["broken"]["index_info"] is None

    with pytest.raises(ParameterError, match="already exists"):
        run_index(folder)
    shutil.copy(clips[0], folder / "a.mp4")
    _, printed = run_index(folder, "--resume")
    assert "known      3 videos: in the table already" in printed
    assert "videos     1: 1 indexed, 0 failed" in printed
    assert names(table) == ["a", "b", "broken", "c"]


@pytest.mark.slow
def test_a_resume_with_other_settings_is_refused_with_both(run_index, folder, tmp_path):
    one = folder / "c.mp4"
    run_index(one)
    for more, message in (
        (["--fps", "4"], "rows with fps 2.0, not 4.0; use the same settings, or another table"),
        (["--video-stream", "0"], "rows with video_stream None, not 0"),
    ):
        with pytest.raises(ParameterError, match=message):
            run_index(one, "--resume", *more)
    assert len(rows(tmp_path / "index")) == 1


@pytest.mark.slow
def test_a_resume_with_another_model_is_refused(run_index, folder, tmp_path):
    from tests.clip.random_clip import save_random_clip

    run_index(folder / "c.mp4")
    save_random_clip(tmp_path / "other" / "small", seed=1)
    with pytest.raises(ParameterError, match="revision '[0-9a-f]{16}', not '[0-9a-f]{16}'; use"):
        run_index(folder / "c.mp4", "--resume", "--model-path", tmp_path / "other")


@pytest.mark.slow
def test_failed_videos_have_their_own_table_and_are_tried_again(run_index, folder, clips, tmp_path):
    given = ["--failed-output", tmp_path / "failed", "--resume", "--account-col", "took"]
    run_index(folder, *given)
    assert names(tmp_path / "index") == ["b", "c"]
    (row,) = rows(tmp_path / "failed")
    assert row.keys() == {"video", "error", "took"}
    shutil.copy(clips[0], folder / "broken.mp4")
    _, printed = run_index(folder, *given, "--retry-failed")
    assert "videos     1: 1 indexed, 0 failed" in printed
    assert names(tmp_path / "index") == ["b", "broken", "c"]


@pytest.mark.parametrize(
    "option",
    [
        *("text", "text-col", "max-num-frames", "min-score", "t1", "selector", "img-type"),
        *("output-tos-dir", "images", "return-keyframes", "explode", "key-on-text"),
    ],
)
def test_options_that_mean_nothing_for_an_index_are_not_there(option, capsys):
    with pytest.raises(SystemExit):
        index.parse_options(["--input", "x", "--output", "y", f"--{option}", "1"])
    assert f"unrecognized arguments: --{option} 1" in capsys.readouterr().err


def test_an_index_needs_a_place():
    with pytest.raises(ParameterError, match="where to write the index"):
        IndexOptions(input="x")


@pytest.mark.slow
def test_a_table_of_keyframes_is_no_index(run, run_index, folder, tmp_path):
    one = folder / "c.mp4"
    run(one)
    with pytest.raises(ParameterError, match="has no column 'candidates'"):
        run_index(one, "--output", tmp_path / "table", "--resume")
    with pytest.raises(ParameterError, match="has no column 'candidates'"):
        run(one, "--resume", "--candidates-col", "candidates")


def test_keyframes_and_their_index_come_from_one_decode(run, run_index, folder, tmp_path):
    one = folder / "c.mp4"
    _, printed = run(one, "--candidates-col", "candidates")
    run_index(one)
    (row,), (expected,) = rows(tmp_path / "table"), rows(tmp_path / "index")
    assert row["candidates"] == expected["candidates"]
    assert row["index_info"] == expected["index_info"]
    assert f"keyframes  2\ncandidates {len(row['candidates'])}\n" in printed
    assert row["keyframes"]["frame_ids"]
    with pytest.raises(ParameterError, match="has keyframes in the column 'keyframes', which new"):
        run_index(folder, "--output", tmp_path / "table", "--resume")
    with pytest.raises(ParameterError, match="has an index in the column 'candidates', which new"):
        run(one, "--resume")
    with pytest.raises(ParameterError, match="rows with video_stream None, not 0"):
        run(one, "--resume", "--candidates-col", "candidates", "--video-stream", "0")
    _, printed = run(one, "--resume", "--candidates-col", "candidates")
    assert "nothing new" in printed


def test_a_row_per_keyframe_has_no_index(capsys):
    given = ["--input", "x", "--output", "y", "--explode", "--candidates-col", "candidates"]
    with pytest.raises(SystemExit):
        sample.parse_options(given)
    assert "--candidates-col is the index of a video, and --explode" in capsys.readouterr().err


@pytest.mark.slow
def test_five_kills_lose_and_double_no_video(models, spark, tmp_path):
    """The job is killed at each kind of step of a write, and --resume goes on."""
    folder, table = tmp_path / "videos", tmp_path / "index"
    folder.mkdir()
    video = clip("libx264", "mp4", frames=10, size=(64, 48))
    for number in range(40):
        (folder / f"{number}.mp4").write_bytes(b"no video" * 99 if number == 17 else video)
    arguments = ["--input", folder, "--output", table, "--fps", "5", "--resume"]
    arguments += ["--model-path", models, "--clip-model-name", "small"]
    arguments = list(map(str, [*arguments, "--videos-per-batch", 5, "--max-file-bytes", 0]))

    def files():
        return len(list(table.glob("*.parquet")))

    def counted(pattern):
        return len(list(table.glob(pattern)))

    def videos():
        return pq.read_table(table, columns=["video"]).num_rows if files() else 0

    steps = {
        "write begins": lambda: counted("_temporary/*"),
        "task begins": lambda: counted("_temporary/*/_temporary/*"),
        "task ends": lambda: counted("_temporary/*/task_*"),
        "file appears": files,
        "part ends": lambda: files() if not counted("_temporary") else 0,
    }
    kills = []
    for number, (name, count) in enumerate(steps.items()):
        before = count()
        job = start("index.py", arguments)
        until(lambda count=count, before=before: count() > before, job)
        assert job.poll() is None, f"ended before it was killed: {job.stdout.read()}"
        if number % 2:
            os.kill(job.pid, signal.SIGKILL)  # only Spark; the program must notice it
        else:
            os.killpg(job.pid, signal.SIGKILL)
        job.wait()
        until(lambda: not any(str(folder) in p.command for p in all_processes().values()))
        kills.append((name, counted("_temporary") > 0, videos()))
    job = start("index.py", arguments)
    printed, _ = job.communicate(timeout=PATIENCE)
    assert job.returncode == 0, printed

    assert sum(is_open for _, is_open, _ in kills) >= 3, f"too few open writes: {kills}"
    assert 0 < kills[-1][2] < 40, f"all was done before the last kill: {kills}"
    expected = Counter(str(folder / f"{number}.mp4") for number in range(40))
    found = rows(table)
    assert Counter(row["video"] for row in found) == expected
    assert Counter(row[0] for row in spark.read.parquet(str(table)).select("video").collect()) == (
        expected
    )
    (failed,) = [row for row in found if row["candidates"] is None]
    assert failed["video"] == str(folder / "17.mp4")
    assert {len(row["candidates"]) for row in found if row is not failed} == {2}
    assert not list(table.glob("_temporary")), "killed jobs left nothing"


@pytest.mark.slow
def test_the_film_of_the_demo_is_indexed_searched_and_opened(tmp_path):
    """As a user runs it, one process after the other."""
    from spark_keyframes.demo.cooking import draw_cooking_video

    draw_cooking_video(tmp_path)
    model = ["--model-path", str(MODELS), "--clip-model-name", "tiny_clip"]
    model += ["--dtype", "float32"]  # half precision moves the third digit, by the CPU it is on
    index_place, frames = str(tmp_path / "index"), tmp_path / "frames"
    given = ["--input", str(tmp_path / "cooking.mp4"), "--output", index_place, "--fps", "2"]
    job = start("index.py", [*given, *model])
    printed, _ = job.communicate(timeout=PATIENCE)
    assert job.returncode == 0, printed
    assert "videos     1: 1 indexed, 0 failed\ncandidates 120\n" in printed
    given = ["--input", index_place, "--text", "spoon", "--text", "egg", "--limit", "2"]
    job = start("search.py", [*given, *model, "--open-frames", str(frames)])
    printed, _ = job.communicate(timeout=PATIENCE)
    assert job.returncode == 0, printed
    assert "   1   0.703   0:00:49.0" in printed
    assert "   2   0.703   0:00:35.0" in printed
    assert "index      " in printed
    assert sorted(path.name for path in frames.rglob("*.jpg")) == [
        "001-cooking-00000487.jpg",
        "001-cooking-00001225.jpg",
        "002-cooking-00000562.jpg",
        "002-cooking-00000875.jpg",
    ]
    job = start("search.py", [*given, "--model-path", str(MODELS), "--clip-model-name", "x"])
    printed, _ = job.communicate(timeout=PATIENCE)
    assert job.returncode == 2
