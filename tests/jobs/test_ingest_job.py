"""jobs/ingest.py under spark-submit: each video once, whatever is killed."""

import os
import random
import signal
import time
from collections import Counter

import pytest

from tests.jobs.ingesting import FRAMES, PATIENCE, arguments, rows, start, until
from tests.spark.processes import all_processes
from tests.video.clips import clip


@pytest.fixture(scope="module")
def video():
    return clip("libx264", "mp4", frames=10, size=(64, 48))


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "landing"
    folder.mkdir()
    return folder


class Moments:
    """The steps of a batch at which the job is killed."""

    def __init__(self, base):
        self.table, self.images, self.log = base / "table", base / "images", base / "checkpoint"

    def numbers(self, name):
        folder = self.log / name
        return {int(path.name) for path in folder.glob("*") if path.name.isdigit()}

    @property
    def batch_is_open(self):
        """Whether Spark has begun a batch, and not recorded its end."""
        return bool(self.numbers("offsets") - self.numbers("commits"))

    def next(self, name, rng):
        """A condition that becomes true at the next such step."""
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
    """Videos arrive, and the job is killed twice at each kind of step; then it runs to its end.

    With a row per keyframe and many small files, a commit takes long, and the test would see a
    video of which only some rows were written.
    """
    rng = random.Random(7)
    moments = Moments(folder.parent)
    names = ["batch begins", "images", "task ends", "file appears", "batch ends"] * 2
    rng.shuffle(names)
    expected, kills = Counter(), []

    def arrive(count):
        for _ in range(count):
            path = folder / f"{len(list(folder.iterdir()))}.mp4"
            broken = path.name == "17.mp4"
            hidden = folder / ".coming"  # Spark must not see a file that is half written
            hidden.write_bytes(b"no video" * 99 if broken else video)
            hidden.rename(path)
            expected.update((str(path), frame) for frame in ([None] if broken else range(FRAMES)))

    job_arguments = arguments(models, folder, "--output-tos-dir", moments.images, "--explode")
    job_arguments += ["--files-per-batch", "6", "--max-file-bytes", "0"]
    arrive(30)
    for number, name in enumerate(names):
        happened = moments.next(name, rng)
        job = start("ingest.py", job_arguments)
        until(happened, job)
        time.sleep(rng.choice([0, 0, 0.02, 0.2]))
        assert job.poll() is None, f"ended before it was killed: {job.stdout.read()}"
        if number % 5 == 4:
            os.kill(job.pid, signal.SIGKILL)  # only Spark; the program must notice it
        else:
            os.killpg(job.pid, signal.SIGKILL)
        job.wait()
        until(lambda: not any(str(folder) in p.command for p in all_processes().values()))
        kills.append((moments.batch_is_open, len(rows(moments.table))))
        arrive(3)
    job = start("ingest.py", job_arguments)
    printed, _ = job.communicate(timeout=PATIENCE)
    assert job.returncode == 0, printed

    assert sum(is_open for is_open, _ in kills) >= 5, f"too few open batches: {kills}"
    assert len({count for _, count in kills}) >= 4, f"all at the same time: {kills}"
    assert kills[-1][1] < len(expected), f"all was done before the last kill: {kills}"
    assert len(list(folder.glob("*.mp4"))) == 60

    found = rows(moments.table)
    assert Counter((row["video"], row["frame_index"]) for row in found) == expected
    (failed,) = [row for row in found if row["frame_index"] is None]
    assert failed["video"] == str(folder / "17.mp4")
    assert failed["error"]["stage"] == "demux"
    table = spark.read.parquet(str(moments.table))
    counted = Counter(map(tuple, table.select("video", "frame_index").collect()))
    assert counted == expected
    # Some runs wrote images again: with equal bytes, since all videos are equal.
    stored = list(moments.images.rglob("*.jpg"))
    assert {str(path) for path in stored} == {row["tos_path"] for row in found} - {None}
    frames = {(path.name, path.read_bytes()) for path in stored}
    assert len(stored) == 59 * FRAMES
    assert len(frames) == FRAMES
    assert not list(moments.table.glob("_temporary")), "killed jobs left nothing"
