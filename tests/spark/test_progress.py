"""The bar on a terminal says what became of the videos; elsewhere there is none."""

import contextlib
import io
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tqdm import tqdm

from spark_keyframes import progress
from spark_keyframes.spark.monitoring import progress as engine_progress
from spark_keyframes.spark.monitoring.terminal import terminal as terminal_at
from tests.conftest import REPO
from tests.spark.screens import Screen
from tests.storage.web_server import WebServer, answer

SCRIPTS = Path(sys.executable).parent


@contextlib.contextmanager
def terminal():
    """One that is this process's stderr."""
    with (
        Screen() as screen,
        os.fdopen(os.dup(screen.file), "w") as file,
        contextlib.redirect_stderr(file),
    ):
        yield screen


@pytest.fixture
def often(monkeypatch):
    monkeypatch.setattr(engine_progress, "_SECONDS_BETWEEN", 0.1)


def drawn(screen, what):
    """The last drawing of the bar that has this."""
    lines = [line for line in re.split(r"[\r\n]+", screen.text) if re.search(what, line)]
    assert lines, screen.text
    return lines[-1]


def test_it_counts_videos_done_failed_and_frames(spark, plain, clips, often):
    paths = [*map(str, clips), "/missing.mp4", None]
    videos = spark.createDataFrame([(path,) for path in paths * 2], "video string").repartition(4)
    with terminal() as screen, progress(spark, total=lambda: 10):
        result = plain.transform(videos, account_col="took")
        began = time.monotonic()
        took = [row["took"] for row in result.collect() if row["took"]]
        elapsed = time.monotonic() - began
    line = drawn(screen, "10/10")
    assert line.startswith("videos: 100%")
    left, said = re.search(r"<(\S+), (.*)\]", line).groups()
    assert left == "00:00"
    rate, done, failed, frames = said.split(", ")
    assert re.fullmatch(r" *\d+\.\d+(video/s|s/video)", rate)
    assert (done, failed) == ("6 done", "2 failed")
    fastest = sum(account["frames_decoded"] for account in took) / elapsed
    # The bar lives longer than the action: about as long as it takes to draw it.
    assert fastest / 3 <= int(frames.removesuffix(" frames/s")) <= fastest + 1


def counts_at_work(screen, total):
    """What the bar said was through before the first task had ended."""
    lines = [line for line in screen.text.split("\r") if "done" not in line]
    found = [re.search(rf"^videos: .* (\d+)/{total} ", line) for line in lines]
    return {int(match[1]) for match in found if match}


@pytest.mark.slow
def test_under_spark_submit_rows_count_while_their_task_runs(models, clips, tmp_path):
    """What a job writes to stderr is a pipe, though spark-submit's own is a terminal."""
    total = 160  # they come back 64 at a time
    command = [SCRIPTS / "spark-submit", "--master", "local[1]"]
    command += ["--conf", "spark.executor.heartbeatInterval=1s", "--conf", "spark.ui.enabled=false"]
    command += [REPO / "jobs" / "sample.py", "--input", tmp_path / "in.parquet"]
    command += ["--input-col", "video", "--text", "spoon", "--fps", "5", "--max-num-frames", "4"]
    command += ["--model-path", models, "--clip-model-name", "small"]
    with Screen() as screen, WebServer() as web:

        def after_some_are_through(request):
            end = time.monotonic() + 120
            while counts_at_work(screen, total) <= {0} and time.monotonic() < end:
                time.sleep(0.1)
            answer(body=clips[2].read_bytes())(request)

        web.paths["/last.mp4"] = [after_some_are_through]
        videos = [*[str(clips[2])] * (total - 1), f"{web.url}/last.mp4"]
        pq.write_table(pa.table({"video": videos}), tmp_path / "in.parquet")
        done = subprocess.run(
            list(map(str, command)),
            env={**os.environ, "PYTHONPATH": str(REPO), "SPARK_CONF_DIR": str(REPO / "conf")},
            stdout=subprocess.PIPE,
            stderr=screen.file,
            text=True,
            timeout=400,
            check=False,
        )
    assert f"videos     {total}: {total} with keyframes, 0 failed" in done.stdout, screen.text
    assert "video/s" not in done.stdout
    assert counts_at_work(screen, total) - {0, total}, "those of a task that runs"
    lines = [line for line in screen.text.split("\r") if line.startswith("videos:")]
    assert f" {total}/{total} " in lines[-1]
    assert f", {total} done, 0 failed, " in lines[-1]
    assert lines[-1].split(", ")[-1].rstrip().endswith(" frames/s]")


def test_a_stream_is_counted_over_its_batches(spark, plain, clips, often, tmp_path):
    frame = spark.createDataFrame([(str(path),) for path in clips], "video string")
    frame.repartition(3).write.parquet(str(tmp_path / "in"))
    stream = spark.readStream.schema("video string").option("maxFilesPerTrigger", 1)
    with terminal() as screen, progress(spark, total=3):
        query = (
            plain.transform(stream.parquet(str(tmp_path / "in")))
            .writeStream.option("checkpointLocation", str(tmp_path / "checkpoint"))
            .trigger(availableNow=True)
            .format("noop")
            .start()
        )
        query.awaitTermination()
    assert ", 3 done, 0 failed, " in drawn(screen, "3/3")


def test_other_actions_are_none_of_its_business(spark, often):
    videos = spark.range(5).mapInArrow(lambda batches: batches, "id long")
    with terminal() as screen, progress(spark):
        assert videos.count() == 5
    assert drawn(screen, "videos: ").startswith("videos: 0video")
    assert "5" not in screen.text.split("[")[0]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_it_ends_with_an_error_of_the_job(spark, error):
    with terminal() as screen, pytest.raises(error), progress(spark, total=5):
        raise error
    assert drawn(screen, "0/5")
    assert "progress" not in [thread.name for thread in threading.enumerate()]


@pytest.mark.parametrize(("error", "ended"), [(None, 2), (ValueError, 1)])
def test_over_connect_the_last_tasks_are_not_told(error, ended):
    """A server speaks every two seconds, and no more once an action is done."""
    bar = tqdm(file=io.StringIO())
    handler = engine_progress._ConnectHandler(bar)
    handler([SimpleNamespace(num_completed_tasks=1, num_tasks=2)], 1, "action", False)
    handler(None, 0, "action", True)
    handler.end(error)
    assert (bar.n, bar.total) == (ended, 2)


def test_an_error_of_its_own_is_no_error_of_the_job(caplog):
    caplog.set_level("DEBUG", engine_progress.logger.name)
    with terminal(), progress(object()):
        pass
    assert [record.getMessage() for record in caplog.records] == ["no progress bar any more"]


def test_it_can_be_turned_off():
    program = "import sys; from spark_keyframes import progress\nwith progress(object()): print(1)"
    with Screen() as screen:
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "TQDM_DISABLE": "1"},
            stdout=subprocess.PIPE,
            stderr=screen.file,
            text=True,
            check=True,
        )
    assert done.stdout == "1\n"
    assert screen.text == ""


def test_without_a_terminal_there_is_none(spark, monkeypatch):
    for nobody in (io.StringIO(), None):
        monkeypatch.setattr(sys, "stderr", nobody)
        with progress(spark, total=5):
            assert "progress" not in [thread.name for thread in threading.enumerate()]
        assert nobody is None or nobody.getvalue() == ""


def test_what_is_no_terminal_is_left_as_it_is(tmp_path):
    log = tmp_path / "log"
    log.write_text("kept")
    for path in (log, tmp_path / "none", tmp_path, Path("/dev/null")):
        assert terminal_at(path) is None
    assert log.read_text() == "kept"
