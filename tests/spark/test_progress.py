"""The progress bar: what it shows on a terminal, and that there is none elsewhere."""

import contextlib
import io
import os
import re
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from tqdm import tqdm

from spark_keyframes import progress
from spark_keyframes.spark.monitoring import progress as progress_module
from spark_keyframes.spark.monitoring.repeats import first_video_key
from spark_keyframes.spark.monitoring.terminal import open_terminal, terminal_at
from spark_keyframes.spark.monitoring.video_counter import VideoCounts, video_counter
from tests.conftest import REPO
from tests.spark.pseudo_terminal import PseudoTerminal
from tests.storage.web_server import WebServer, answer

SCRIPTS = Path(sys.executable).parent


@contextlib.contextmanager
def terminal_as_stderr():
    with (
        PseudoTerminal() as terminal,
        os.fdopen(os.dup(terminal.file), "w") as file,
        contextlib.redirect_stderr(file),
    ):
        yield terminal


@pytest.fixture
def drawn_often(monkeypatch):
    monkeypatch.setattr(progress_module, "_SECONDS_BETWEEN", 0.1)


def drawings(terminal):
    return [line for line in re.split(r"[\r\n]+", terminal.text) if line.startswith("videos:")]


def last_drawing(terminal, pattern):
    lines = [line for line in drawings(terminal) if re.search(pattern, line)]
    assert lines, terminal.text
    return lines[-1]


def test_it_shows_videos_done_failed_and_frames_per_second(spark, plain, clips, drawn_often):
    paths = [*map(str, clips), "/missing.mp4", None]
    videos = spark.createDataFrame([(path,) for path in paths * 2], "video string").repartition(4)
    with terminal_as_stderr() as terminal, progress(spark, total=lambda: 10):
        result = plain.transform(videos, account_col="account")
        began = time.monotonic()
        accounts = [row["account"] for row in result.collect() if row["account"]]
        elapsed = time.monotonic() - began
    line = last_drawing(terminal, "10/10")
    assert line.startswith("videos: 100%")
    left, words = re.search(r"<(\S+), (.*)\]", line).groups()
    assert left == "00:00"
    rate, done, failed, frames = words.split(", ")
    assert re.fullmatch(r" *\d+\.\d+(video/s|s/video)", rate)
    assert (done, failed) == ("6 done", "2 failed")
    highest = sum(account["frames_decoded"] for account in accounts) / elapsed
    # The bar's clock starts before the action and stops after it.
    assert highest / 3 <= int(frames.removesuffix(" frames/s")) <= highest + 1


def counts_before_the_end(terminal, total):
    found = [re.search(rf" (\d+)/{total} ", line) for line in drawings(terminal)]
    return {int(match[1]) for match in found if match} - {0, total}


@pytest.mark.slow
def test_under_spark_submit_it_moves_as_tasks_end(models, clips, tmp_path):
    """The job's stderr is a pipe there; that of spark-submit is the terminal."""
    total = 12  # in tasks of 6, 3, 1, 1 and 1
    command = [SCRIPTS / "spark-submit", "--master", "local[1]"]
    command += ["--conf", "spark.ui.enabled=false"]
    command += [REPO / "jobs" / "sample.py", "--input", tmp_path / "videos.txt"]
    command += ["--text", "spoon", "--fps", "5", "--max-num-frames", "4"]
    command += ["--model-path", models, "--clip-model-name", "small"]
    with PseudoTerminal() as terminal, WebServer() as web:

        def answer_once_the_last_task_is_shown(request):
            end = time.monotonic() + 120
            while ", tasks 4/5, 1 running]" not in terminal.text and time.monotonic() < end:
                time.sleep(0.1)
            answer(body=clips[2].read_bytes())(request)

        web.paths["/last.mp4"] = [answer_once_the_last_task_is_shown]
        videos = [*[str(clips[2])] * (total - 1), f"{web.url}/last.mp4"]
        (tmp_path / "videos.txt").write_text("\n".join(videos))
        done = subprocess.run(
            list(map(str, command)),
            env={**os.environ, "PYTHONPATH": str(REPO), "SPARK_CONF_DIR": str(REPO / "conf")},
            stdout=subprocess.PIPE,
            stderr=terminal.file,
            text=True,
            timeout=400,
            check=False,
        )
    assert f"videos     {total}: {total} with keyframes, 0 failed" in done.stdout, terminal.text
    assert "video/s" not in done.stdout
    assert counts_before_the_end(terminal, total) <= {6, 9, 10, 11}
    assert counts_before_the_end(terminal, total)
    assert ", tasks 4/5, 1 running]" in terminal.text
    last = drawings(terminal)[-1]
    assert f" {total}/{total} " in last
    assert f", {total} done, 0 failed, " in last
    assert last.split(", ")[-1].rstrip().endswith(" frames/s]")


def test_a_stream_is_counted_over_its_batches(spark, plain, clips, drawn_often, tmp_path):
    frame = spark.createDataFrame([(str(path),) for path in clips], "video string")
    frame.repartition(3).write.parquet(str(tmp_path / "in"))
    stream = spark.readStream.schema("video string").option("maxFilesPerTrigger", 1)
    with terminal_as_stderr() as terminal, progress(spark, total=3):
        query = (
            plain.transform(stream.parquet(str(tmp_path / "in")))
            .writeStream.option("checkpointLocation", str(tmp_path / "checkpoint"))
            .trigger(availableNow=True)
            .format("noop")
            .start()
        )
        query.awaitTermination()
    assert ", 3 done, 0 failed, " in last_drawing(terminal, "3/3")


def test_rows_of_other_actions_are_not_counted(spark, drawn_often):
    videos = spark.range(5).mapInArrow(lambda batches: batches, "id long")
    with terminal_as_stderr() as terminal, progress(spark):
        assert videos.count() == 5
    assert drawings(terminal)
    assert all(line.startswith("videos: 0video") for line in drawings(terminal))


def test_videos_that_count_twice_do_not_move_it_past_its_total():
    with tqdm(total=3, file=io.StringIO()) as bar:
        progress_module._draw(bar, VideoCounts(videos=5, done=4, failed=1, frames=0), [])
        assert bar.n == 3
    with tqdm(file=io.StringIO()) as bar:
        progress_module._draw(bar, VideoCounts(videos=5, done=4, failed=1, frames=0), [])
        assert bar.n == 5


def test_the_plan_is_the_same_with_and_without_a_terminal(spark, plain, videos):
    without = plain.transform(videos)
    with terminal_as_stderr():
        result = plain.transform(videos)
    assert result.sameSemantics(without)
    assert not replace(plain, fps=4).transform(videos).sameSemantics(without)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_it_ends_with_an_error_of_the_job(spark, error):
    with terminal_as_stderr() as terminal, pytest.raises(error), progress(spark, total=5):
        raise error
    assert last_drawing(terminal, "0/5")
    assert "progress" not in [thread.name for thread in threading.enumerate()]


@pytest.mark.parametrize(("error", "ended"), [(None, 2), (ValueError, 1)])
def test_over_connect_the_last_tasks_count_as_ended_without_an_error(error, ended):
    """The server reports every two seconds, and not at the end of an action."""
    bar = tqdm(file=io.StringIO())
    handler = progress_module._ConnectHandler(bar)
    handler([SimpleNamespace(num_completed_tasks=1, num_tasks=2)], 1, "action", False)
    handler(None, 0, "action", True)
    handler.end(error)
    assert (bar.n, bar.total) == (ended, 2)


def test_an_error_of_the_bar_is_logged_and_not_raised(spark, caplog):
    caplog.set_level("DEBUG", "spark_keyframes")

    def fail():
        raise ValueError("no total")

    with terminal_as_stderr(), progress(spark, total=fail):
        pass
    assert caplog.messages == ["the progress bar failed"]


def test_a_session_without_accumulators_has_no_bar(caplog):
    caplog.set_level("DEBUG", "spark_keyframes")
    with terminal_as_stderr() as terminal, progress(object()):
        pass
    assert caplog.messages == ["no accumulators for the progress bar"]
    assert drawings(terminal) == []


@pytest.mark.slow
def test_it_can_be_turned_off():
    program = """
from pyspark.sql import SparkSession
from spark_keyframes import progress

builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
spark = builder.config("spark.ui.showConsoleProgress", "false").getOrCreate()
with progress(spark, total=1):
    print("inside")
"""
    with PseudoTerminal() as terminal:
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "TQDM_DISABLE": "1"},
            stdout=subprocess.PIPE,
            stderr=terminal.file,
            text=True,
            check=True,
        )
    assert done.stdout == "inside\n"
    assert "video" not in terminal.text


def test_without_a_terminal_there_is_none(spark, monkeypatch):
    for stderr in (io.StringIO(), None):
        monkeypatch.setattr(sys, "stderr", stderr)
        with progress(spark, total=5):
            assert "progress" not in [thread.name for thread in threading.enumerate()]
        assert stderr is None or stderr.getvalue() == ""


def test_only_a_kernel_is_a_notebook(monkeypatch):
    kernelapp = pytest.importorskip("ipykernel.kernelapp", reason="needs ipykernel")
    stderr = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stderr)
    assert open_terminal() is None
    kernelapp.IPKernelApp.instance()
    try:
        assert open_terminal() is stderr
    finally:
        kernelapp.IPKernelApp.clear_instance()


def test_paths_that_are_no_terminal_are_not_written_to(tmp_path):
    log = tmp_path / "log"
    log.write_text("kept")
    for path in (log, tmp_path / "none", tmp_path, Path("/dev/null")):
        assert terminal_at(path) is None
    assert log.read_text() == "kept"


def test_a_result_that_is_made_twice_is_said_once(spark, plain, clips, caplog):
    videos = spark.createDataFrame([(str(clips[2]),), (str(clips[1]),)], "video string")

    video_counter(spark).first_videos.value = {}  # other tests may have made a result twice

    def warnings():
        return [each for each in caplog.records if "call cache()" in each.getMessage()]

    plain.transform(videos).collect()
    replace(plain, text="fork").transform(videos).collect()
    plain.transform(videos.where("video like '%nothing%'")).collect()
    assert not warnings(), "each is another question"
    kept = replace(plain, text="knife").transform(videos).cache()
    kept.collect()
    kept.collect()
    assert not warnings()
    for _ in range(3):
        plain.transform(videos).collect()
    assert len(warnings()) == 1


def test_what_makes_two_first_videos_the_same():
    one = first_video_key("a.mp4", 1)
    assert one == first_video_key("a.mp4", 1)
    assert len({one, first_video_key("b.mp4", 1), first_video_key("a.mp4", 2)}) == 3
    large = memoryview(bytes(5000))
    assert first_video_key(large) != first_video_key(large[:4999])
