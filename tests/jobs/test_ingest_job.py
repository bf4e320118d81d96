"""jobs/ingest.py: each video once, whatever is killed."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from spark_keyframes import ParameterError, VideoAdaptiveKeyframesSampling
from spark_keyframes.jobs import checkpoint
from spark_keyframes.jobs.checkpoint import Checkpoint
from spark_keyframes.jobs.failure_limit import TooManyFailuresError
from spark_keyframes.jobs.run import parameters_of
from tests.conftest import REPO
from tests.jobs.job import load_job
from tests.spark.cluster import QUICK_JVM
from tests.spark.processes import all_processes
from tests.video.clips import clip

SCRIPTS = Path(sys.executable).parent
FRAMES = 2
PATIENCE = 300


@pytest.fixture(scope="module")
def video():
    return clip("libx264", "mp4", frames=10, size=(64, 48))


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "landing"
    folder.mkdir()
    return folder


def arguments(models, folder, *more):
    values = ["--input", folder, "--checkpoint", folder.parent / "checkpoint"]
    values += ["--output", folder.parent / "table", "--text", "spoon", "--fps", "5"]
    values += ["--model-path", models, "--clip-model-name", "small", "--max-num-frames", FRAMES]
    return [str(value) for value in [*values, *more]]


def start(arguments):
    command = [SCRIPTS / "spark-submit", "--master", "local[2]"]
    for setting in ("ui.enabled=false", f"driver.extraJavaOptions={QUICK_JVM}", "log.level=ERROR"):
        command += ["--conf", f"spark.{setting}"]
    return subprocess.Popen(
        [*map(str, command), str(REPO / "jobs" / "ingest.py"), *arguments],
        env={
            **os.environ,
            "PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}",
            "SPARK_CONF_DIR": str(REPO / "conf"),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def until(condition, job=None):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert job is None or job.poll() is None, job.stdout.read()
        assert time.monotonic() < end, "waited for too long"
        time.sleep(0.002)


def rows(table):
    # As pandas and others see it: all files that do not begin with a dot or underscore.
    return pq.read_table(table).to_pylist() if any(table.glob("*.parquet")) else []


class Moments:
    """Things that happen on the way of a batch, to be struck at."""

    def __init__(self, base):
        self.table, self.images, self.log = base / "table", base / "images", base / "checkpoint"

    def numbers(self, name):
        folder = self.log / name
        return {int(path.name) for path in folder.glob("*") if path.name.isdigit()}

    @property
    def batch_is_open(self):
        """Whether Spark has begun a batch, and not noted down its end."""
        return bool(self.numbers("offsets") - self.numbers("commits"))

    def next(self, name, rng):
        """A condition that comes true a little later."""
        counts = {
            "batch begins": lambda: len(self.numbers("offsets")),
            "images": lambda: sum(1 for _ in self.images.rglob("*.jpg")),
            "task ends": lambda: len(set(self.table.glob("_temporary/*/task_*"))),
            "file appears": lambda: len(set(self.table.glob("*.parquet"))),
            "batch ends": lambda: len(self.numbers("commits")),
        }
        count, more = counts[name], rng.randint(1, 6) if name == "images" else 1
        before = count()
        return lambda: count() >= before + more


@pytest.mark.slow
def test_ten_kills_lose_and_double_no_video(models, folder, video, spark):
    """Videos arrive, and the job is killed, at a moment of every kind, twice; then it may end.

    Exploded, and a file per task, with a video or two: so that a commit takes a while, and half of
    a video would be seen.
    """
    rng = random.Random(7)
    moments = Moments(folder.parent)
    names = ["batch begins", "images", "task ends", "file appears", "batch ends"] * 2
    rng.shuffle(names)
    expected, struck = Counter(), []

    def arrive(count):
        for _ in range(count):
            path = folder / f"{len(list(folder.iterdir()))}.mp4"
            broken = path.name == "17.mp4"
            whole = folder / ".coming"  # not seen until it is there as a whole
            whole.write_bytes(b"no video" * 99 if broken else video)
            whole.rename(path)
            expected.update((str(path), frame) for frame in ([None] if broken else range(FRAMES)))

    job_arguments = arguments(models, folder, "--output-tos-dir", moments.images, "--explode")
    job_arguments += ["--files-per-batch", "6", "--max-file-bytes", "0"]
    arrive(30)
    for number, name in enumerate(names):
        happened = moments.next(name, rng)
        job = start(job_arguments)
        until(happened, job)
        time.sleep(rng.choice([0, 0, 0.02, 0.2]))
        assert job.poll() is None, f"ended before it was killed: {job.stdout.read()}"
        if number % 5 == 4:
            os.kill(job.pid, signal.SIGKILL)  # Spark alone; the program has to notice
        else:
            os.killpg(job.pid, signal.SIGKILL)
        job.wait()
        until(lambda: not any(str(folder) in p.command for p in all_processes().values()))
        struck.append((moments.batch_is_open, len(rows(moments.table))))
        arrive(3)
    job = start(job_arguments)
    printed, _ = job.communicate(timeout=PATIENCE)
    assert job.returncode == 0, printed

    assert sum(is_open for is_open, _ in struck) >= 5, f"hit too few batches: {struck}"
    assert len({count for _, count in struck}) >= 4, f"hit at the same time: {struck}"
    assert struck[-1][1] < len(expected), f"all was done before the last kill: {struck}"
    assert len(list(folder.glob("*.mp4"))) == 60

    found = rows(moments.table)
    assert Counter((row["video"], row["frame_index"]) for row in found) == expected
    (failed,) = [row for row in found if row["frame_index"] is None]
    assert failed["video"] == str(folder / "17.mp4")
    assert failed["error"]["stage"] == "demux"
    table = spark.read.parquet(str(moments.table))
    counted = Counter(map(tuple, table.select("video", "frame_index").collect()))
    assert counted == expected
    # Written anew by some of the runs, and the same all the same: all videos are alike.
    stored = list(moments.images.rglob("*.jpg"))
    assert {str(path) for path in stored} == {row["tos_path"] for row in found} - {None}
    frames = {(path.name, path.read_bytes()) for path in stored}
    assert len(stored) == 59 * FRAMES
    assert len(frames) == FRAMES
    assert not list(moments.table.glob("_temporary")), "nothing is left of those that were killed"


@pytest.fixture
def ingest(spark, models, folder, capsys):
    """Run the job in this process; its exit code and what it printed."""
    job = load_job("ingest")

    def run(*more):
        options = job.parse(arguments(models, folder, "--no-return-keyframes", *more))
        parameters = parameters_of(options, VideoAdaptiveKeyframesSampling)
        capsys.readouterr()
        status = job.run(spark, VideoAdaptiveKeyframesSampling(**parameters), options)
        return status, capsys.readouterr().out

    return run


def names(folder):
    return sorted(Path(row["video"]).stem for row in rows(folder.parent / "table"))


@pytest.mark.slow
def test_takes_what_has_come_and_says_what_is_wrong(ingest, folder, video, clips, spark):
    (folder / "a.mp4").write_bytes(video)
    (folder / "broken.mp4").write_bytes(b"no video" * 99)
    (folder / "notes.md").write_text("not looked at")
    status, printed = ingest()
    assert status == 0
    assert "videos     2: 1 with keyframes, 1 failed" in printed
    assert "failed     1 at stage demux, e.g. NotAVideoError" in printed

    # A week older than the others, in a folder below; and one that has become another.
    (folder / "more").mkdir()
    (folder / "more" / "old.mp4").write_bytes(video)
    os.utime(folder / "more" / "old.mp4", (0, 10**9))
    (folder / "a.mp4").write_bytes(clips[2].read_bytes())
    assert "videos     1: 1 with keyframes, 0 failed" in ingest()[1]
    assert "videos     0: nothing new" in ingest()[1]
    assert names(folder) == ["a", "broken", "old"], "a video is known by its path"

    with pytest.raises(
        ParameterError, match="belongs to a run with text 'spoon', and this one has"
    ):
        ingest("--text", "egg")
    with pytest.raises(ParameterError, match="belongs to a run with output '.*table'"):
        ingest("--output", str(folder.parent / "other"))

    # The same table with another checkpoint: the videos that it has are not done again.
    another = ["--checkpoint", str(folder.parent / "another")]
    with pytest.raises(ParameterError, match="table already exists, and the checkpoint .* is new"):
        ingest(*another)
    (folder / "b.mp4").write_bytes(video)
    _, printed = ingest(*another, "--mode", "append")
    assert "known      3 videos" in printed
    assert "videos     1: 1 with keyframes, 0 failed" in printed

    ours = folder.parent / "another" / "spark_keyframes"

    def locks():
        return list(ours.glob("lock_*"))

    with Checkpoint(spark, str(folder.parent / "another")).held():
        assert len(locks()) == 1
        with pytest.raises(ParameterError, match=f"another job uses .*process {os.getpid()} on"):
            ingest(*another)
        assert len(locks()) == 1
    assert not locks()
    now = int(time.time())
    (ours / f"lock_a_{os.getpid()}_0_{now}_{socket.gethostname()}").touch()
    assert ingest(*another)[0] == 0, "its process is gone, and the number another one's"
    assert not locks()
    (ours / f"lock_a_1_0_{now - 60}_else_where").touch()
    with pytest.raises(ParameterError, match="another job uses .* on else_where"):
        ingest(*another)
    (lock,) = locks()
    lock.rename(ours / f"lock_a_1_0_{now - 180}_else_where")
    assert ingest(*another)[0] == 0, "nothing was heard of it for long"
    assert not locks()

    # Another program's checkpoint.
    spark.readStream.text(str(folder)).writeStream.trigger(availableNow=True).option(
        "checkpointLocation", str(folder.parent / "foreign")
    ).format("noop").start().awaitTermination()
    with pytest.raises(ParameterError, match="is another program's"):
        ingest("--checkpoint", str(folder.parent / "foreign"), "--mode", "append")


def test_of_jobs_that_start_together_one_goes_on(spark, tmp_path):
    start, ended = threading.Barrier(4), threading.Event()
    found = []

    def hold():
        place = Checkpoint(spark, str(tmp_path))
        start.wait()
        try:
            with place.held():
                found.append("held")
                ended.wait(PATIENCE)
        except Exception as error:  # noqa: BLE001 - the test shows it
            found.append(str(error))

    threads = [threading.Thread(target=hold) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        until(lambda: len(found) == 4)
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert found.count("held") == 1
    assert len([each for each in found if "another job uses" in each]) == 3
    assert not list((tmp_path / "spark_keyframes").glob("lock_*"))


def test_a_lock_is_there_while_it_is_renewed(spark, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "_BEAT_SECONDS", 0.01)
    names = set()
    with Checkpoint(spark, str(tmp_path)).held():

        def is_renewed():
            with pytest.raises(ParameterError, match="another job uses"):
                Checkpoint(spark, str(tmp_path)).held().__enter__()
            names.update(path.name for path in tmp_path.glob("spark_keyframes/lock_*"))
            return len(names) > 2

        until(is_renewed)
    assert not list(tmp_path.glob("spark_keyframes/lock_*"))


@pytest.mark.slow
def test_lists_of_videos_failures_apart_and_bytes(ingest, folder, video, tmp_path):
    """A video that is listed again, in the same list or another, is not done again."""
    films = tmp_path / "films"
    films.mkdir()
    for name in ("a", "b"):
        (films / f"{name}.mp4").write_bytes(video)

    def listed(number, *names):
        lines = [json.dumps({"url": str(films / f"{name}.mp4"), "title": name}) for name in names]
        (folder / f"{number}.json").write_text("\n".join([*lines, json.dumps({"title": "none"})]))

    given = ["--input-col", "url", "--input-format", "json", "--failed-output"]
    given += [str(tmp_path / "failed"), "--files-per-batch", "1"]
    listed(0, "a", "later", "a")
    listed(1, "a", "b")
    _, printed = ingest(*given)
    assert "known      2 videos" in printed
    assert "left out   2 rows without a video" in printed
    assert sorted((row["title"], row["url"]) for row in rows(tmp_path / "table")) == [
        (name, str(films / f"{name}.mp4")) for name in ("a", "b")
    ]
    assert [row["title"] for row in rows(tmp_path / "failed")] == ["later"]

    (films / "later.mp4").write_bytes(video)
    listed(2, "later")
    assert "videos     0: nothing new" in ingest(*given)[1]
    listed(3, "later")
    ingest(*given, "--retry-failed")
    assert sorted(row["title"] for row in rows(tmp_path / "table")) == ["a", "b", "later"]

    # Spark reads the videos and hands over their bytes, which the table does not keep.
    whole = ["--input", str(films), "--output", str(tmp_path / "whole"), "--checkpoint"]
    _, printed = ingest(*whole, str(tmp_path / "other"), "--video-src-type", "video_binary")
    assert "videos     3: 3 with keyframes, 0 failed" in printed
    found = rows(tmp_path / "whole")
    assert found[0].keys() == {"path", "keyframes", "error"}
    assert sorted(Path(row["path"]).stem for row in found) == ["a", "b", "later"]


@pytest.mark.slow
def test_a_batch_of_which_too_much_failed_comes_again(ingest, folder, video):
    """As it was, but for a file that is gone: of that there is nothing to say."""
    (folder / "a.mp4").write_bytes(video)
    (folder / "b.mp4").write_bytes(video)
    (folder / "broken.mp4").write_bytes(b"no video" * 99)
    with pytest.raises(TooManyFailuresError, match="1 of 3 videos failed"):
        ingest("--max-failures", "0")
    assert not rows(folder.parent / "table")
    (folder / "b.mp4").unlink()
    assert "videos     2: 1 with keyframes, 1 failed" in ingest()[1]
    assert names(folder) == ["a", "broken"]
