"""Killed processes and tasks on a standalone cluster change neither the table nor the images.

After a killed decode process, its video is tried again. After a killed Python worker or executor,
Spark runs its tasks again. Images have the same names and bytes each time.
"""

import itertools
from collections import Counter
from dataclasses import asdict

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.spark.cluster import Cluster, wait_for
from tests.storage.range_server import RangeServer
from tests.storage.tos_server import TosServer
from tests.video.clips import clip

pytestmark = pytest.mark.slow

VIDEOS, TASKS, FRAMES = 200, 20, 2
CONF = {
    # A second attempt at tasks that take twice the median and at least 4 s.
    "spark.speculation": "true",
    "spark.speculation.interval": "100ms",
    "spark.speculation.quantile": "0.5",
    "spark.speculation.multiplier": "2",
    "spark.speculation.minTaskRuntime": "4s",
}


@pytest.fixture(scope="module")
def tos():
    with TosServer(buckets=["films"]) as server:
        yield server


@pytest.fixture(scope="module")
def cluster(tos, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cluster")
    with Cluster(folder, environment=tos.environment) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def driver(cluster):
    with cluster.driver(CONF) as driver:
        yield driver


@pytest.fixture(scope="module")
def web():
    """A web server of one of the videos."""
    with RangeServer(clip("libx264", "mp4", frames=16)) as server:
        yield server


@pytest.fixture(scope="module")
def videos(web, tmp_path_factory):
    """Return the paths of 199 small videos of eight kinds, and a URL."""
    folder = tmp_path_factory.mktemp("videos")
    kinds = [
        clip("libx264", "mp4", frames=frames, size=size, gop=5)
        for frames, size in itertools.product((10, 13, 16, 20), ((64, 48), (160, 96)))
    ]
    paths = [folder / f"{number:03}.mp4" for number in range(VIDEOS - 1)]
    for number, path in enumerate(paths):
        path.write_bytes(kinds[number % len(kinds)])
    return [*map(str, paths), web.url]


class Run:
    """A run of the job, which starts at once."""

    def __init__(self, driver, tos, sampler, videos, folder, name, tasks=TASKS):
        self._driver, self._tos, self._prefix = driver, tos, f"{name}/"
        self._table = folder / name
        out = {"output_tos_dir": f"tos://films/{name}", "return_keyframes": False}
        out |= {"max_num_frames": FRAMES, "img_type": ".png"}
        parameters = {**asdict(sampler), **out}
        for nested in ("limits", "access"):
            parameters.pop(nested)
        driver.send(
            "sample",
            parameters=parameters,
            videos=videos,
            tasks=tasks,
            table=str(self._table),
        )

    @property
    def objects(self):
        return {
            key.removeprefix(self._prefix): data
            for (_, key), data in list(self._tos.images.items())
            if key.startswith(self._prefix)
        }

    def wait_for_the_middle(self):
        wait_for(lambda: len(self.objects) > VIDEOS * FRAMES * 0.3, 120, "no images")
        assert len(self.objects) < VIDEOS * FRAMES * 0.9, "the job is nearly done already"

    def rows(self):
        """Wait for the end of the job, and return the rows of its table by video."""
        assert self._driver.answer() == {"done": VIDEOS}, "a video that is tried twice counts once"
        return sorted(pq.read_table(self._table).to_pylist(), key=lambda row: row["video"])


@pytest.fixture(scope="module")
def start(driver, tos, sampler, videos, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    numbers = itertools.count()
    return lambda **options: Run(
        driver, tos, sampler, videos, folder, f"run-{next(numbers)}", **options
    )


@pytest.fixture(scope="module")
def undisturbed(start, videos):
    """The rows and the objects of a run in which nothing is killed."""
    run = start()
    rows = run.rows()
    assert [row["video"] for row in rows] == sorted(videos)
    assert [row["error"] for row in rows] == [None] * VIDEOS
    assert len(run.objects) == VIDEOS * FRAMES
    return rows, run.objects


def check_same(run, undisturbed):
    rows, (expected_rows, expected_objects) = run.rows(), undisturbed
    assert Counter(row["video"] for row in rows) == Counter(row["video"] for row in expected_rows)
    for row, expected in zip(rows, expected_rows, strict=True):
        assert row["error"] is None
        found, wanted = row["keyframes"], expected["keyframes"]
        assert found["frame_ids"] == wanted["frame_ids"]
        assert found["scores"] == pytest.approx(wanted["scores"], abs=1e-6)
        assert [path.split("/")[4:] for path in found["tos_paths"]] == [
            path.split("/")[4:] for path in wanted["tos_paths"]
        ]
        assert all(path.split("/", 4)[4] in run.objects for path in found["tos_paths"])
    assert run.objects == expected_objects


@pytest.mark.parametrize("kind", ["executor", "python", "decode"])
def test_a_process_that_is_killed_changes_nothing(start, undisturbed, cluster, kind):
    run = start()
    run.wait_for_the_middle()
    victim = cluster.kill(kind)
    check_same(run, undisturbed)
    assert victim not in cluster.processes(kind)


def test_tasks_that_are_killed_change_nothing(start, undisturbed, driver):
    run = start()
    run.wait_for_the_middle()
    driver.send("kill_tasks")
    assert driver.answer()["killed"] >= 1
    check_same(run, undisturbed)


def test_a_second_attempt_at_a_slow_task_changes_nothing(start, undisturbed, web):
    requests = itertools.count()
    web.held.clear()
    web.hold = lambda first, last: next(requests) == 0
    run = start()
    try:
        assert web.held.wait(60)
        check_same(run, undisturbed)
        assert next(requests) >= 2, "no second request while the first one waited"
    finally:
        web.hold = None


def test_a_cancelled_job_leaves_no_process_and_no_file(start, undisturbed, cluster, driver):
    # With more tasks, an idle Python worker could be kept for a minute.
    run = start(tasks=2)
    run.wait_for_the_middle()
    assert len(cluster.processes("python")) == 2
    driver.send("cancel")
    assert "cancelled" in driver.answer(10)["failed"]
    wait_for(lambda: not cluster.processes("python", "decode"), 10, "there are still processes")
    assert list(cluster.temporary.iterdir()) == []


@pytest.mark.parametrize("kind", ["driver", "program"])
def test_a_killed_driver_leaves_no_process_and_no_file(
    cluster, tos, models, videos, tmp_path, kind
):
    pq.write_table(pa.table({"video": videos}), tmp_path / "videos.parquet")
    before = cluster.processes()
    job = cluster.submit(
        *(
            "--input",
            str(tmp_path / "videos.parquet"),
            "--input-col",
            "video",
            "--limit",
            str(VIDEOS),
        ),
        *("--model-path", str(models), "--clip-model-name", "small"),
        *("--text", "spoon", "--fps", "5", "--max-num-frames", str(FRAMES)),
        *("--output-tos-dir", f"tos://films/{kind}", "--output", str(tmp_path / "table")),
        conf={},
    )
    try:
        wait_for(lambda: some_images(tos, f"{kind}/"), 120, "no images")
        assert len(set(cluster.processes()) - set(before)) >= 6, "2 executors, daemons and workers"
        cluster.kill(kind)
        wait_for(lambda: set(cluster.processes()) <= set(before), 10, "there are still processes")
        assert list(cluster.temporary.iterdir()) == []
        assert not (tmp_path / "table" / "_SUCCESS").exists()
    finally:
        job.kill()
        job.communicate()


def some_images(tos, prefix):
    return sum(key.startswith(prefix) for _, key in list(tos.objects)) > VIDEOS * FRAMES * 0.1
